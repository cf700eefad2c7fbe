"""Pages that are looked at again and again: with an ETag of what they show, not of how it reads at the moment."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, is_dataclass
from typing import Any

from flask import Response, make_response, render_template

from .conditional import tag
from .principals import current_principal


def render_page(template: str, /, **values: Any) -> Response:
    """Return a page made of a template and what it shows; 304 when the caller has seen the same.

    Texts such as "3 min ago" move all the time and don't count: the tag is made of the values.

    Parameters:
        template: its file.
        values: view models and what JSON knows; they become the template's variables.
    """
    principal = current_principal()
    seen = [template, principal.name, sorted(principal.scopes), values]
    text = json.dumps(seen, sort_keys=True, default=_to_json)
    return tag(make_response(render_template(template, **values)), hashlib.sha256(text.encode()).hexdigest()[:20])


def _to_json(value: object) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return sorted(value) if isinstance(value, set | frozenset) else str(value)
