"""`endpoint` makes a view of the API out of a function whose annotations say what it takes and answers."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Union, get_args, get_origin, get_type_hints

from flask import Response
from flask import request as flask_request

from ..api.schemas.base import Answer, Body, Query
from .preconditions import check_etag
from .reading import check_path, read_body, read_query, refuse_body
from .replies import Located, Reply, Tagged, make_response

ATTRIBUTE = "__endpoint__"


class NoQuery(Query):
    """No parameters."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What an endpoint takes and answers.

    ``answer`` is ``None`` when it answers without a body, or with something else than JSON: ``media`` then.
    ``fails`` are the statuses of errors beside those that follow from what it takes.
    """

    name: str
    tag: str
    text: str
    status: int
    answer: type[Answer] | None
    query: type[Query]
    body: type[Body] | None
    has_location: bool
    conditional: bool
    matched: bool
    media: str | None
    fails: frozenset[int]
    idempotent: bool = False


def endpoint(
    *,
    status: int = 200,
    conditional: bool = False,
    match: Callable[..., Any] | None = None,
    media: str | None = None,
    idempotent: bool = False,
    fails: Iterable[int] = (),
    tag: str | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Response]]:
    """Make a function a view of the API: it gets its arguments as models and returns a model.

    Its parameters are those of the path by name, ``query`` (a `Query`) and ``body`` (a `Body`), each only if it has
    them. It returns an `Answer`, ``Located[…]`` (a 201 or 202 with ``Location``), ``Tagged[…]``, ``None`` (a 204), or,
    with ``media``, a `flask.Response` that is passed on. The annotation of what it returns is what is documented; its
    docstring's first line is the summary. What isn't as documented is refused before it is called.

    Parameters:
        status: of a good answer.
        conditional: the answer has an ETag, and who sends it in ``If-None-Match`` gets 304.
        match: the view that shows what this one changes; who sends its ETag in ``If-Match`` gets 412 when it was
            changed meanwhile.
        media: the type of an answer that isn't JSON.
        idempotent: it may be sent again under one ``Idempotency-Key``, which `read_idempotency_key` returns.
        fails: statuses of errors beside 401, 403, 503, and those that follow: 404 with a path that names something,
            422 with a query, 400, 413, 415 and 422 with a body.
        tag: the group in the document; the module's name unless given.

    Example:
        >>> @blueprint.patch("/teams/<team_id>")
        ... @needs(TokenScope.ADMIN)
        ... @endpoint(match=show_team)
        ... def update_team(team_id: str, body: TeamChange) -> TeamItem:
        ...     '''Rename a team.'''
    """

    def decorate(view: Callable[..., Any]) -> Callable[..., Response]:
        hints = get_type_hints(view)
        answer, located = _read_answer(hints.get("return"))
        takes_query = "query" in hints
        described = Endpoint(
            name=view.__name__,
            tag=tag or view.__module__.rsplit(".", 1)[-1],
            text=inspect.getdoc(view) or "",
            status=status,
            answer=answer,
            query=hints.get("query", NoQuery),
            body=hints.get("body"),
            has_location=located,
            conditional=conditional,
            matched=match is not None,
            media=media,
            fails=frozenset(fails) | ({409} if idempotent else frozenset()),
            idempotent=idempotent,
        )
        shown = inspect.unwrap(match) if match is not None else None

        @wraps(view)
        def respond(**path: Any) -> Response:
            check_path(path)
            query = read_query(described.query)
            given = {**path, **({"query": query} if takes_query else {})}
            if described.body is not None:
                given["body"] = read_body(described.body)
            elif flask_request.method not in {"GET", "HEAD"}:
                refuse_body()
            if shown is not None:
                check_etag(lambda: shown(**path))
            reply = view(**given)
            if isinstance(reply, Response):
                return reply
            _check(reply, described)
            return make_response(reply, status, conditional=conditional)

        setattr(respond, ATTRIBUTE, described)
        return respond

    return decorate


def _read_answer(hint: Any) -> tuple[type[Answer] | None, bool]:
    """Return the model that a view says it returns, and whether it tells its place."""
    if get_origin(hint) in {Union, types.UnionType}:
        found = [_read_answer(choice) for choice in get_args(hint)]
        return next((item for item in found if item[0]), (None, False))
    if get_origin(hint) in {Located, Tagged}:
        return get_args(hint)[0], get_origin(hint) is Located
    if isinstance(hint, type) and issubclass(hint, Answer):
        return hint, False
    return None, False


def _check(reply: Reply, described: Endpoint) -> None:
    """Raise `TypeError` for an answer that isn't the documented one: a fault of ours."""
    model = reply.model if isinstance(reply, Located | Tagged) else reply
    if type(model) is not (described.answer or type(None)):
        raise TypeError(f"{described.name} answers {type(model).__name__}, which isn't what it says.")
