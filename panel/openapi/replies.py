"""What a view of the API returns beside a plain model, and how all of it becomes a response."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Generic, TypeVar

from flask import Response, request

from ..api.schemas.base import Answer
from ..conditional import tag

M = TypeVar("M", bound=Answer)


@dataclass(frozen=True, slots=True)
class Located(Generic[M]):
    """A model, and where to find what it shows: ``Location`` of a 201 or 202."""

    model: M
    location: str


@dataclass(frozen=True, slots=True)
class Tagged(Generic[M]):
    """A model whose tag is known, because some of its values move without being a change."""

    model: M
    etag: str


Reply = Answer | Located[Answer] | Tagged[Answer] | None


def make_response(reply: Reply, status: int, *, conditional: bool) -> Response:
    """Return the response of a view.

    Parameters:
        reply: what the view returned; ``None`` for an empty answer.
        status: that of the endpoint.
        conditional: give it an ETag, and answer 304 to who has it already.
    """
    if reply is None:
        return _without_body(status)
    model = reply if isinstance(reply, Answer) else reply.model
    body = model.model_dump_json()
    response = Response(body, status, mimetype="application/json")
    if isinstance(reply, Located):
        response.headers["Location"] = reply.location
    if conditional:
        return tag(response, reply.etag if isinstance(reply, Tagged) else make_etag(body))
    return response


def make_etag(text: str) -> str:
    """Return the tag of an answer's text."""
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _without_body(status: int) -> Response:
    response = Response(b"", status)
    if request.method != "HEAD":
        del response.headers["Content-Type"]
    return response
