"""Recorded inputs sent to a deployment, and what came of them beside what came of them before."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mastra_admin_sdk.errors import InvalidInput, NotFound, ObservabilityError
from mastra_admin_sdk.services.history.frames import make_frame
from mastra_admin_sdk.services.objects import LiveDeployment
from mastra_admin_sdk.services.telemetry.service import TelemetryService
from mastra_admin_sdk.services.telemetry.traces import Trace

from .cases import Case, read_messages, read_outcome
from .columns import REPLAY_COLUMNS
from .outcomes import Outcome, describe_difference, show_value, simplify_output
from .sending import Answer, Sender

if TYPE_CHECKING:
    import pandas as pd

MARK = "replayOf"
"""Where the metadata of a new trace says which case it is a replay of."""

_NOT_SENT = "It was interrupted before it was sent."
_NOT_ANSWERED = "It was sent, and interrupted before the answer came."


@dataclass(frozen=True, slots=True)
class ReplayProgress:
    """How far a replay is: how many inputs there are to send, how many were answered."""

    done: int
    total: int


OnReplay = Callable[[ReplayProgress], None]


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """How inputs are sent.

    ``timeout`` is for each answer and ``wait`` for the traces after the last one, in seconds; ``rate`` how many are
    begun in a second at most; ``fields`` are added to each request.
    """

    concurrency: int = 2
    timeout: float = 300.0
    rate: float | None = None
    wait: float = 30.0
    fields: Mapping[str, Any] = field(default_factory=dict)


def check_replay(options: ReplayOptions) -> None:
    """Raise `InvalidInput` for options that make no sense."""
    for name, value, least in (
        ("concurrency", options.concurrency, 1),
        ("timeout", options.timeout, 0.001),
        ("rate", options.rate, 0.001),
        ("wait", options.wait, 0),
    ):
        if value is not None and not value >= least:
            raise InvalidInput(f"{name} can't be {value!r}.", hint=f"Give a number from {least} on.")


class Replay:
    """Sends cases to a deployment and tells what came of them."""

    def __init__(self, live: LiveDeployment, telemetry: TelemetryService, options: ReplayOptions) -> None:
        self._live, self._telemetry, self._options = live, telemetry, options

    def plan(self, cases: Sequence[Case]) -> pd.DataFrame:
        """Return what would be sent, and what can't be: nothing is sent."""
        return make_frame(REPLAY_COLUMNS, [_describe_case(case, "planned") for case in cases])

    def run(self, cases: Sequence[Case], on_progress: OnReplay) -> pd.DataFrame:
        """Send all that can be sent and return a row for each case: `columns.REPLAY_COLUMNS`.

        ``attrs["interrupted"]`` says whether somebody interrupted it.
        """
        total = sum(case.reason is None for case in cases)
        sender = Sender(self._send, concurrency=self._options.concurrency, rate=self._options.rate)
        sender.run(cases, lambda done: on_progress(ReplayProgress(done, total)))
        collected = self._collect(sender)
        rows = [self._describe(place, case, sender, collected) for place, case in enumerate(cases)]
        frame = make_frame(REPLAY_COLUMNS, rows)
        frame.attrs.update({"deployment": self._live.id, "interrupted": sender.interrupted})
        return frame

    def _send(self, case: Case) -> Mapping[str, Any]:
        """Send one input; whatever the API answers is returned."""
        fields = {"tracingOptions": {"metadata": {MARK: case.id}}, **self._options.fields}
        target, timeout = str(case.target), self._options.timeout
        if case.kind == "agent":
            messages = read_messages(case.input)
            return self._live.agent(target).generate(messages or "", timeout=timeout, **fields)
        return self._live.workflow(target).start(case.input, timeout=timeout, **fields)

    def _collect(self, sender: Sender) -> _Collected:
        """Wait for the traces of what was answered, all together at most ``wait`` seconds.

        What was answered is told also when they can't be read, or somebody interrupts.
        """
        deadline = time.monotonic() + (0.0 if sender.interrupted else self._options.wait)
        found = _Collected()
        try:
            for place, answer in sorted(sender.answers.items()):
                trace_id = _find_trace_id(answer)
                trace = self._read_trace(trace_id, max(deadline - time.monotonic(), 0.0)) if trace_id else None
                if trace:
                    found.traces[place] = trace
        except KeyboardInterrupt:
            sender.interrupted = True
        except ObservabilityError as exc:
            found.problem = exc.message
        return found

    def _read_trace(self, trace_id: str, wait: float) -> Trace | None:
        try:
            return Trace(trace_id, self._telemetry.trace(trace_id, wait=wait))
        except NotFound:
            return None  # the row says that it hasn't arrived

    def _describe(self, place: int, case: Case, sender: Sender, collected: _Collected) -> dict[str, Any]:
        if case.reason is not None:
            return _describe_case(case, "skipped")
        answer = sender.answers.get(place)
        if answer is None:
            sent_at = sender.sent.get(place)
            return {
                **_describe_case(case, "interrupted"),
                "sent_at": sent_at,
                "reason": _NOT_ANSWERED if sent_at else _NOT_SENT,
            }
        row = {**_describe_case(case, "failed" if answer.error else "replayed"), "sent_at": answer.sent_at}
        if answer.error:
            return {**row, "reason": answer.error}
        new = _read_outcome(case, answer, collected.traces.get(place))
        return {**row, "reason": _explain_missing(new, collected.problem), **_describe_new(case, new)}


@dataclass(slots=True)
class _Collected:
    """The new traces by the place of their case, and why the rest couldn't be read."""

    traces: dict[int, Trace] = field(default_factory=dict)
    problem: str = ""


def _explain_missing(new: Outcome, problem: str) -> str | None:
    if new.duration_ms is not None:
        return None
    if problem:
        return f"Its new trace couldn't be read: {problem}"
    if new.trace_id is None:
        return "The answer names no trace: time and tokens aren't known."
    return "Its new trace hasn't arrived: time and tokens aren't known."


def _find_trace_id(answer: Answer) -> str | None:
    found = (answer.body or {}).get("traceId")
    return found if isinstance(found, str) and found else None


def _read_outcome(case: Case, answer: Answer, trace: Trace | None) -> Outcome:
    """What came of a case now: as recorded where the trace has arrived, else as answered."""
    body = answer.body or {}
    recorded = read_outcome(trace) if trace else None
    if recorded and recorded.duration_ms is not None:
        return recorded
    told = {name: body.get(name) for name in ("text", "object")}
    result = body.get("result") if case.kind == "workflow" else told
    status = "error" if body.get("status") == "failed" else "ok"
    return Outcome(simplify_output(result), status, trace_id=_find_trace_id(answer))


def _describe_case(case: Case, status: str) -> dict[str, Any]:
    old = case.old or Outcome()
    return {
        "case": case.id,
        "kind": case.kind,
        "target": case.target,
        "status": "skipped" if case.reason else status,
        "reason": case.reason,
        "input": show_value(case.input),
        "expected": show_value(case.expected),
        "old_output": show_value(old.output),
        "old_status": old.status,
        "old_duration_ms": old.duration_ms,
        "old_input_tokens": old.input_tokens,
        "old_output_tokens": old.output_tokens,
        "old_trace_id": old.trace_id,
    }


def _describe_new(case: Case, new: Outcome) -> dict[str, Any]:
    old = case.old or Outcome()
    times = (old.duration_ms, new.duration_ms)
    reference = case.expected if case.has_expected else old.output
    has_reference = case.has_expected or case.old is not None
    return {
        "new_output": show_value(new.output),
        "new_status": new.status,
        "new_duration_ms": new.duration_ms,
        "new_input_tokens": new.input_tokens,
        "new_output_tokens": new.output_tokens,
        "new_trace_id": new.trace_id,
        "equal": None if old.duration_ms is None else (old.output, old.status) == (new.output, new.status),
        "as_expected": new.output == case.expected if case.has_expected else None,
        "diff": describe_difference(reference, new.output) if has_reference else None,
        "difference_ms": None if None in times else times[1] - times[0],  # type: ignore[operator]
    }
