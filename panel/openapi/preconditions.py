"""``If-Match``: a change that is only wanted when nobody else was first."""

from __future__ import annotations

from collections.abc import Callable

from flask import request

from ..api.schemas.base import Answer
from ..problems import Refused
from .replies import Tagged, make_etag


def check_etag(show: Callable[[], Answer | Tagged[Answer]]) -> None:
    """Refuse a request whose ``If-Match`` isn't the tag of what ``show`` returns. Without that header all is well.

    Raises:
        Refused: it has been changed since (412).
    """
    # Compared weakly: our tags are weak, because they stand for what is shown and not for its bytes.
    wanted = request.if_match
    if not wanted or wanted.star_tag:
        return
    shown = show()
    etag = shown.etag if isinstance(shown, Tagged) else make_etag(shown.model_dump_json())
    if not wanted.contains_weak(etag):
        raise Refused(
            412,
            "precondition_failed",
            "It was changed since you read it.",
            hint="Read it again, and send the new ETag in If-Match.",
        )
