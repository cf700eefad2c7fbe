"""The collector's paths. No session and no cookie: whoever sends has to show a token with the scope ``ingest``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Blueprint, Response

from mastra_admin_sdk.services.collector.collector import Collector, OtlpSignal
from mastra_admin_sdk.services.collector.platform import Signal

from ..context import Panel, current_panel
from ..problems import Refused
from .answers import answer_otlp, answer_platform, refuse
from .requests import JSON, PROTOBUF, find_type, read_body, read_claim, read_token

blueprint = Blueprint("collector", __name__)

WAIT_SECONDS = 10.0
"""How long a request waits for its turn before it is asked to come again."""

_SIGNALS = f"any({','.join(Signal)}):signal"
_OTLP_SIGNALS = f"any({','.join(OtlpSignal)}):signal"


@blueprint.post(f"/ai/<{_SIGNALS}>/publish", defaults={"project": None})
@blueprint.post(f"/projects/<project>/ai/<{_SIGNALS}>/publish")
def publish(project: str | None, signal: str) -> Response:
    """Take in what Mastra's platform exporter sends; 200 when it is on the disk.

    400 for a body that can't be read, 401 and 403 for the token, 404 for the project, 413 and 415 for the body's size
    and type, 429 when too many requests come at once, 503 when the disk is full.
    """
    try:
        collector = _open()
        token = collector.authenticate(read_token())
        find_type(JSON)
        claim, body = read_claim(project), read_body(_find_limit())
        with _take_turn(current_panel()):
            receipt = collector.receive(token, Signal(signal), body.unpack(_find_limit()), claim)
    except Exception as exc:  # each becomes an answer, in the sender's protocol
        return refuse(exc, otlp=False)
    return answer_platform(receipt)


@blueprint.post(f"/v1/<{_OTLP_SIGNALS}>", defaults={"project": None})
@blueprint.post(f"/projects/<project>/v1/<{_OTLP_SIGNALS}>")
def export(project: str | None, signal: str) -> Response:
    """Take in an OTLP request, protobuf or JSON; 200 when it is on the disk. Errors as in `publish`."""
    try:
        collector = _open()
        token = collector.authenticate(read_token())
        is_json = find_type(PROTOBUF, JSON) == JSON
        claim, body = read_claim(project), read_body(_find_limit())
        with _take_turn(current_panel()):
            unpacked = body.unpack(_find_limit())
            receipt = collector.receive_otlp(token, OtlpSignal(signal), unpacked, json=is_json, claim=claim)
    except Exception as exc:  # each becomes an answer, in the sender's protocol
        return refuse(exc, otlp=True)
    return answer_otlp(OtlpSignal(signal), receipt)


def _open() -> Collector:
    return current_panel().admin.collector


def _find_limit() -> int:
    return int(current_panel().admin.settings.collector_body_mb) * 1_000_000


@contextmanager
def _take_turn(panel: Panel) -> Iterator[None]:
    """Let only some requests be worked on at once: each may hold a large body several times over.

    A small body may unpack to a large one, so that is part of it. Receiving is not: slow senders would hold all turns.
    """
    if not panel.collecting.acquire(timeout=WAIT_SECONDS):
        raise Refused(429, "too_many_requests", "Too much telemetry comes at once.", hint="Send it again in a moment.")
    try:
        yield
    finally:
        panel.collecting.release()
