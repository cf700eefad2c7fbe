"""``/api/openapi.json``: what the API can do, for programs that read that."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, Response, current_app

from ..conditional import tag
from ..openapi import build_document
from ..openapi.replies import make_etag

blueprint = Blueprint("api_document", __name__)

_KEPT = "mastra_admin_document"


@blueprint.get("/openapi.json")
def show_document() -> Response:
    """Answer the OpenAPI 3.1 document of this API."""
    text = _read()
    return tag(Response(text, mimetype="application/json"), make_etag(text))


def _read() -> str:
    # Its endpoints don't change once an app answers, so it is made once.
    kept: dict[str, Any] = current_app.extensions
    if _KEPT not in kept:
        kept[_KEPT] = json.dumps(build_document(current_app), ensure_ascii=False)
    return str(kept[_KEPT])
