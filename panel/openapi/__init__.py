"""Endpoints that say what they take and answer, and the OpenAPI document that is made of that."""

from __future__ import annotations

from .document import build_document
from .endpoints import Endpoint, endpoint
from .reading import make_field_error, read_idempotency_key
from .replies import Located, Tagged

__all__ = ["Endpoint", "Located", "Tagged", "build_document", "endpoint", "make_field_error", "read_idempotency_key"]
