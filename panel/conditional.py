"""Answers that a browser needn't fetch again."""

from __future__ import annotations

from flask import Response, request


def tag(response: Response, etag: str) -> Response:
    """Give an answer its ETag, and make it a 304 when the caller has that one already.

    Weak, because values that move all the time (such as a lag in seconds) don't count.
    """
    response.set_etag(etag, weak=True)
    response.make_conditional(request.environ)
    return response
