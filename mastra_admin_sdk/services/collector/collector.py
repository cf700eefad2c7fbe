"""Takes telemetry in that apps send over HTTP: it is on the disk when a call returns.

What comes twice is stored once, as after a lost answer: spans are known by their ids; logs, metrics, scores and
feedback get an id made of the sender's own, or of all they say.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from mastra_admin_sdk.errors import AccessDenied, NotFound
from mastra_admin_sdk.models import Token, TokenScope, utc_now
from mastra_admin_sdk.services.access.secrets import has_scope
from mastra_admin_sdk.services.access.tokens import TokenService
from mastra_admin_sdk.services.parts import Parts
from mastra_admin_sdk.services.telemetry.lines import LineOwner, LineType, TelemetryLine
from mastra_admin_sdk.services.telemetry.writing import TelemetryWriter

from . import logs, platform, spans
from .owners import Claim, OwnerFinder
from .platform import Signal
from .records import Batch, LogRecord, PointRecord, SpanRecord

logger = logging.getLogger(__name__)

_MOST_REASONS = 3
_TELL_SECONDS = 60.0


class OtlpSignal(StrEnum):
    """What OTLP sends; the last part of its path."""

    TRACES = "traces"
    LOGS = "logs"
    METRICS = "metrics"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a request: how many records were taken in and refused, and in a sentence why."""

    accepted: int
    rejected: int = 0
    message: str = ""


class Collector:
    """Takes telemetry in, as ``admin.collector``. The panel calls it; so may any other web application."""

    def __init__(self, parts: Parts, tokens: TokenService, writer: TelemetryWriter) -> None:
        self._storage, self._tokens, self._writer = parts.storage, tokens, writer
        self._told: dict[str, float] = {}

    def authenticate(self, secret: str) -> Token:
        """Return the token that a program shows.

        Raises:
            InvalidToken: it isn't valid.
            AccessDenied: it isn't good for sending telemetry.
        """
        token = self._tokens.authenticate(secret)
        if not has_scope(token, TokenScope.INGEST):
            raise AccessDenied("This token isn't good for sending telemetry.", hint="Make one with the scope ingest.")
        return token

    def receive(self, token: Token, signal: Signal | str, body: bytes, claim: Claim | None = None) -> Receipt:
        """Take in what Mastra's platform exporter sends.

        Parameters:
            token: what `authenticate` returned.
            signal: which kind of record.
            body: JSON, unpacked.
            claim: what path and headers say of whose it is.

        Raises:
            InvalidInput: the body can't be read; nothing was kept.
            NotFound, AccessDenied: the project isn't known, or not the token's.
            WriteFailed: the disk is full or failed; sending it again is right.
        """
        kind = Signal(signal)
        owner = OwnerFinder(self._storage, token, claim or Claim()).find()
        desk = _Desk()
        for record in platform.read_records(kind, body):
            fault = platform.find_fault(kind, record)
            if fault:
                desk.refuse(fault)
            else:
                desk.take(owner, _make_platform_line(kind, record, owner, desk))
        return self._write(desk, token)

    def receive_otlp(
        self, token: Token, signal: OtlpSignal | str, body: bytes, *, json: bool, claim: Claim | None = None
    ) -> Receipt:
        """Take in an OTLP request.

        Parameters:
            token: what `authenticate` returned.
            signal: which kind of record.
            body: unpacked.
            json: whether it is JSON, and not protobuf.
            claim: what path and headers say of whose it is; where they don't, the attributes of the resources do.

        Raises:
            InvalidInput: the body can't be read; nothing was kept.
            NotFound, AccessDenied: the project of the claim, or that of every resource, isn't known, or not the
                token's.
            WriteFailed: the disk is full or failed; sending it again is right.
        """
        finder, desk = OwnerFinder(self._storage, token, claim or Claim()), _Desk()
        finder.check()
        batches, make = _open_request(OtlpSignal(signal), body, json)
        denied: NotFound | AccessDenied | None = None
        for batch in batches:
            try:
                owner = finder.find(batch.resource)
            except (NotFound, AccessDenied) as exc:
                denied = exc
                desk.refuse(exc.message, len(batch.records))
                continue
            for record in batch.records:
                _take_record(desk, owner, batch, record, make)
        if denied is not None and not desk.lines:
            raise denied
        return self._write(desk, token)

    def _write(self, desk: _Desk, token: Token) -> Receipt:
        for owner, lines in desk.lines.items():
            self._writer.write(owner, lines)
        receipt = desk.sum_up()
        if receipt.rejected:
            self._tell(token, receipt)
        return receipt

    def _tell(self, token: Token, receipt: Receipt) -> None:
        """Say in the log what was refused, once a minute for each token: not every sender shows what it is answered."""
        now = time.monotonic()
        if now - self._told.get(token.id, float("-inf")) >= _TELL_SECONDS:
            self._told[token.id] = now
            logger.warning("Of telemetry sent with the token %r, %s", token.name, receipt.message)


@dataclass
class _Desk:
    """Lines by owner, and what was refused of one request."""

    lines: dict[LineOwner, list[TelemetryLine]] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)

    def take(self, owner: LineOwner, line: TelemetryLine) -> None:
        self.lines.setdefault(owner, []).append(line)

    def refuse(self, reason: str, count: int = 1) -> None:
        self.refused[reason] += count

    def make_id(self, *parts: Any) -> str:
        """Return an id made of what is said. The same said twice in one request is two records."""
        found = logs.make_id(*parts)
        self.seen[found] += 1
        return found if self.seen[found] == 1 else f"{found}-{self.seen[found]}"

    def sum_up(self) -> Receipt:
        accepted, rejected = sum(len(lines) for lines in self.lines.values()), self.refused.total()
        if not rejected:
            return Receipt(accepted)
        reasons = [f"{reason} ({count})" for reason, count in self.refused.most_common(_MOST_REASONS)]
        return Receipt(accepted, rejected, f"{rejected} of {accepted + rejected} refused: {'; '.join(reasons)}")


_Make = Callable[[Any, Batch[Any], LineOwner, _Desk], TelemetryLine]


def _open_request(signal: OtlpSignal, body: bytes, json: bool) -> tuple[Sequence[Batch[Any]], _Make]:
    # The protobuf messages take a moment to load, and only these requests need them.
    if json:
        from . import otlp_json as reader
    else:
        from . import otlp as reader  # type: ignore[no-redef]
    if signal is OtlpSignal.TRACES:
        return reader.read_spans(body), _make_span_line
    if signal is OtlpSignal.LOGS:
        return reader.read_logs(body), _make_log_line
    return reader.read_points(body), _make_metric_line


def _take_record(desk: _Desk, owner: LineOwner, batch: Batch[Any], record: Any, make: _Make) -> None:
    fault = spans.find_fault(record) if isinstance(record, SpanRecord) else None
    if fault:
        desk.refuse(fault)
        return
    try:
        line = make(record, batch, owner, desk)
    except OverflowError:
        desk.refuse("a time that no calendar has")
        return
    desk.take(owner, line)


def _make_span_line(record: SpanRecord, batch: Batch[SpanRecord], _: LineOwner, __: _Desk) -> TelemetryLine:
    event = "ended" if record.end_ns else "started"
    return TelemetryLine(LineType.SPAN, event, None, spans.make_span(record, batch))


def _make_log_line(record: LogRecord, batch: Batch[LogRecord], owner: LineOwner, desk: _Desk) -> TelemetryLine:
    data = logs.make_log(record, batch, now_ns=_now_ns())
    own = logs.find_own_id(record)
    said = (record.time_ns, record.observed_ns if not record.time_ns else 0, record.severity_number, data)
    name = (
        own or desk.make_id(*said) if record.time_ns or record.observed_ns else desk.make_id(record.body, data["data"])
    )
    return TelemetryLine(LineType.LOG, None, None, data, id=f"{owner.project_id}/{name}")


def _make_metric_line(point: PointRecord, batch: Batch[PointRecord], owner: LineOwner, desk: _Desk) -> TelemetryLine:
    data = logs.make_metric(point, batch, now_ns=_now_ns())
    return TelemetryLine(
        LineType.METRIC, None, None, data, id=f"{owner.project_id}/{desk.make_id(point.time_ns, data)}"
    )


def _make_platform_line(signal: Signal, record: Mapping[str, Any], owner: LineOwner, desk: _Desk) -> TelemetryLine:
    data = platform.make_data(signal, record)
    if signal is Signal.SPANS:
        return TelemetryLine(LineType.SPAN, platform.find_event(data), None, data)
    name = platform.find_own_id(signal, record) or desk.make_id(signal.value, data)
    return TelemetryLine(signal.line_type, None, None, data, id=f"{owner.project_id}/{name}")


def _now_ns() -> int:
    return int(utc_now().timestamp() * 1e9)
