"""How the collector answers: JSON to Mastra's exporter; to OTLP its own messages, in the way it was asked."""

from __future__ import annotations

import json
from typing import Any

from flask import Response, current_app, request

from mastra_admin_sdk.errors import InvalidInput, InvalidToken, MastraAdminError, ObservabilityError, StorageError
from mastra_admin_sdk.services.collector.bodies import BodyTooLarge, EncodingUnknown
from mastra_admin_sdk.services.collector.collector import OtlpSignal, Receipt

from ..problems import describe_problem, find_status
from .requests import JSON, PROTOBUF

RETRY_SECONDS = 5
"""After how long a client should send again what could not be kept."""

_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 413: 8, 415: 3, 429: 8, 500: 13, 503: 14}
"""Codes of google.rpc.Status by HTTP status."""

_REJECTED = {
    OtlpSignal.TRACES: "rejectedSpans",
    OtlpSignal.LOGS: "rejectedLogRecords",
    OtlpSignal.METRICS: "rejectedDataPoints",
}
_BUG = "MastraAdmin itself failed on this request; the panel's log has the details."


def answer_platform(receipt: Receipt) -> Response:
    """Answer what came by Mastra's protocol. When nothing of it could be used, that is an error."""
    if receipt.rejected and not receipt.accepted:
        return _make_json(
            400, {"error": {"code": "invalid_input", "message": receipt.message, "hint": "", "details": {}}}
        )
    told = {"accepted": receipt.accepted, "rejected": receipt.rejected}
    return _make_json(200, {**told, **({"message": receipt.message} if receipt.message else {})})


def answer_otlp(signal: OtlpSignal, receipt: Receipt) -> Response:
    """Answer an OTLP request that was taken in, with what of it was refused."""
    if _is_json():
        partial = {_REJECTED[signal]: str(receipt.rejected), "errorMessage": receipt.message}
        return _make_json(200, {"partialSuccess": partial} if receipt.rejected else {})
    partial_bytes = _field(1, receipt.rejected) + _field(2, receipt.message) if receipt.rejected else b""
    return Response(_field(1, partial_bytes) if partial_bytes else b"", 200, content_type=PROTOBUF)


def refuse(error: Exception, *, otlp: bool) -> Response:
    """Answer a request that failed, in the protocol that it came by."""
    status = _find_status(error)
    if not isinstance(error, MastraAdminError):
        current_app.logger.exception("%s %s failed", request.method, request.path, exc_info=error)
    answer = _say_in_otlp(status, error) if otlp else _say_in_json(status, error)
    if status in {429, 503}:
        answer.headers["Retry-After"] = str(RETRY_SECONDS)
    if status == 401:
        answer.headers["WWW-Authenticate"] = 'Bearer realm="MastraAdmin"'
    return answer


def _find_status(error: Exception) -> int:
    if isinstance(error, BodyTooLarge):
        return 413
    if isinstance(error, EncodingUnknown):
        return 415
    if isinstance(error, InvalidToken):
        return 401
    if isinstance(error, ObservabilityError | StorageError):
        return 503
    if isinstance(error, InvalidInput):
        # What senders of both protocols know for a body that can't be read; 422 would be new to them.
        return 400
    return find_status(error) if isinstance(error, MastraAdminError) else 500


def _say_in_json(status: int, error: Exception) -> Response:
    if isinstance(error, MastraAdminError):
        return _make_json(status, {"error": describe_problem(error)})
    return _make_json(status, {"error": {"code": "internal_error", "message": _BUG, "hint": "", "details": {}}})


def _say_in_otlp(status: int, error: Exception) -> Response:
    known = isinstance(error, MastraAdminError)
    message = (
        " ".join(filter(None, [error.message, error.hint])) if isinstance(error, MastraAdminError) and known else _BUG
    )
    code = _CODES.get(status, 2)
    # A type that isn't known gets the answer that people can read.
    if _is_json() or request.mimetype != PROTOBUF:
        return _make_json(status, {"code": code, "message": message})
    return Response(_field(1, code) + _field(2, message), status, content_type=PROTOBUF)


def _is_json() -> bool:
    return bool(request.mimetype == JSON)


def _make_json(status: int, body: dict[str, Any]) -> Response:
    return Response(json.dumps(body, ensure_ascii=False), status, content_type=JSON)


def _field(number: int, value: int | str | bytes) -> bytes:
    """Return one field of a protobuf message: a whole number, or text, or a message in it."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])
