"""Inputs sent again: side by side, bounded, interrupted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import pandas as pd
import pytest
from fixtures.spans import frame, span

from mastra_admin_sdk.display.replaying import ReplayPrinter
from mastra_admin_sdk.errors import EngineUnavailable, InvalidInput, NotFound, RequestFailed
from mastra_admin_sdk.services.analysis.cases import Case
from mastra_admin_sdk.services.analysis.columns import REPLAY_COLUMNS
from mastra_admin_sdk.services.analysis.outcomes import Outcome
from mastra_admin_sdk.services.analysis.replay import Replay, ReplayOptions, ReplayProgress, check_replay
from mastra_admin_sdk.services.objects import LiveDeployment
from mastra_admin_sdk.services.telemetry.service import TelemetryService


@dataclass
class Deployment:
    """Answers as Mastra does; ``behave`` may delay or raise."""

    id: str = "d"
    behave: Callable[[str], object] = lambda _: None
    calls: list[tuple[Any, ...]] = field(default_factory=list)

    def agent(self, name: str) -> Deployment:
        self.calls.append(("agent", name))
        return self

    def workflow(self, name: str) -> Deployment:
        self.calls.append(("workflow", name))
        return self

    def generate(self, messages: Any, *, timeout: float, **fields: Any) -> Mapping[str, Any]:
        self.calls.append((messages, timeout, fields))
        self.behave(str(messages))
        return {"text": f"answer to {messages}", "traceId": f"new {messages}"}

    def start(self, value: Any, *, timeout: float, **fields: Any) -> Mapping[str, Any]:
        self.calls.append((value, timeout, fields))
        return {"status": "failed", "result": None, "traceId": "new workflow"}


class Traces:
    """Knows the new traces, except of those whose name is in ``late``."""

    def __init__(self, *late: str) -> None:
        self.late = late

    def trace(self, trace_id: str, *, wait: float = 0.0) -> pd.DataFrame:
        if trace_id in self.late:
            raise NotFound("not yet")
        text = trace_id.removeprefix("new ")
        failed = (
            {"status": "error", "error": "boom"}
            if text == "workflow"
            else {"output": f'{{"text": "answer to {text}"}}'}
        )
        model = span("m", "r", 0, 5, type="model_generation", input_tokens=5, output_tokens=2)
        return frame(span("r", None, 0, 250, type="agent_run", **failed), model)


def replay(*cases: Case, live: Deployment | None = None, traces: Traces | None = None, **options: Any) -> pd.DataFrame:
    made = Replay(
        cast(LiveDeployment, live or Deployment()), cast(TelemetryService, traces or Traces()), ReplayOptions(**options)
    )
    return made.run(cases, lambda _: None)


def ask(name: str, **fields: Any) -> Case:
    return Case(name, "agent", "weather", name, **fields)


OLD = Outcome("answer to one", "ok", 200.0, 4, 2, "old")


def test_old_and_new_stand_side_by_side() -> None:
    found = replay(ask("one", old=OLD), ask("two", old=OLD), wait=0)
    assert {name: str(kind) for name, kind in found.dtypes.items()} == dict(REPLAY_COLUMNS)
    same, other = found.to_dict("records")
    assert (same["status"], same["equal"], same["diff"], same["difference_ms"]) == ("replayed", True, None, 50.0)
    assert (same["old_trace_id"], same["new_trace_id"]) == ("old", "new one")
    assert (same["old_input_tokens"], same["new_input_tokens"], same["new_output_tokens"]) == (4, 5, 2)
    assert (other["equal"], other["diff"]) == (False, "@@ -1 +1 @@\n-answer to one\n+answer to two")
    assert found["sent_at"].notna().all()
    assert found.attrs == {"deployment": "d", "interrupted": False}


def test_what_is_expected_is_compared_with() -> None:
    right, wrong = replay(ask("one", expected="answer to one"), ask("two", expected="no", old=OLD)).to_dict("records")
    assert (right["as_expected"], right["diff"], right["equal"]) == (True, None, None)
    assert (wrong["as_expected"], wrong["equal"]) == (False, False)
    assert "-no\n+answer to two" in wrong["diff"]


def test_a_run_that_failed_again_is_no_difference() -> None:
    case = Case("w", "workflow", "forecast", {"city": "boom"}, old=Outcome(None, "error", 3.0))
    found = replay(case).iloc[0]
    assert (found["new_status"], found["equal"], found["status"]) == ("error", True, "replayed")


def test_what_cannot_be_sent_and_what_failed_say_why() -> None:
    def behave(text: str) -> None:
        if text == "two":
            raise RequestFailed("POST failed: the deployment answered 404.", evidence={"body": "no such agent"})
        if text == "three":
            raise RuntimeError("odd")

    cases = [Case("x", reason="It was cut."), ask("two"), ask("three"), ask("four")]
    found = replay(*cases, live=Deployment(behave=behave), traces=Traces("new four"), wait=0)
    assert found["status"].tolist() == ["skipped", "failed", "failed", "replayed"]
    assert found["reason"].tolist()[:3] == [
        "It was cut.",
        "POST failed: the deployment answered 404. no such agent",
        "RuntimeError: odd",
    ]
    assert "hasn't arrived" in found["reason"].iloc[3]
    assert found["new_output"].iloc[3] == "answer to four"
    assert found["new_duration_ms"].isna().all()


def test_answers_are_kept_when_their_traces_cannot_be_read() -> None:
    class Away(Traces):
        def trace(self, trace_id: str, *, wait: float = 0.0) -> pd.DataFrame:
            raise EngineUnavailable("The engine is away.")

    found = replay(ask("one", old=OLD), ask("two"), traces=Away())
    assert found["status"].tolist() == ["replayed"] * 2
    assert found["new_output"].tolist() == ["answer to one", "answer to two"]
    assert found["equal"].iloc[0]
    assert set(found["reason"]) == {"Its new trace couldn't be read: The engine is away."}


def test_nothing_to_do_is_a_frame_too() -> None:
    for found in (replay(), replay(Case("x", reason="no"))):
        assert list(found.columns) == list(REPLAY_COLUMNS)


def test_a_dry_run_sends_nothing() -> None:
    live = Deployment()
    plan = Replay(cast(LiveDeployment, live), cast(TelemetryService, Traces()), ReplayOptions())
    found = plan.plan([ask("one"), Case("x", reason="no")])
    assert found["status"].tolist() == ["planned", "skipped"]
    assert live.calls == []


def mark(case: str) -> dict[str, Any]:
    return {"tracingOptions": {"metadata": {"replayOf": case}}}


def test_requests_go_to_the_target_with_further_fields() -> None:
    live = Deployment()
    replay(
        ask("one"),
        Case("w", "workflow", "forecast", {"city": "x"}),
        live=live,
        concurrency=1,
        timeout=7,
        fields={"a": 1},
    )
    assert live.calls == [
        *[("agent", "weather"), ("one", 7, {"a": 1, **mark("one")})],
        *[("workflow", "forecast"), ({"city": "x"}, 7, {"a": 1, **mark("w")})],
    ]


def test_only_so_many_are_under_way_at_once() -> None:
    running, most, lock = 0, 0, threading.Lock()

    def behave(_: str) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1

    found = replay(*[ask(str(place)) for place in range(12)], live=Deployment(behave=behave), concurrency=3)
    assert most <= 3
    assert (found["status"] == "replayed").all()
    assert found["new_output"].tolist() == [f"answer to {place}" for place in range(12)]


def test_they_are_begun_at_the_rate() -> None:
    started = time.monotonic()
    replay(*[ask(str(place)) for place in range(5)], concurrency=5, rate=50)
    assert time.monotonic() - started >= 4 / 50


class Interrupts:
    """Presses the key as soon as so many were answered, as often as it is told to."""

    def __init__(self, after: int, times: int) -> None:
        self.after, self.times = after, times

    def __call__(self, progress: ReplayProgress) -> None:
        if progress.done >= self.after and self.times:
            self.times -= 1
            raise KeyboardInterrupt


def replay_until(live: Deployment, interrupts: Interrupts) -> pd.DataFrame:
    made = Replay(cast(LiveDeployment, live), cast(TelemetryService, Traces()), ReplayOptions(concurrency=1))
    return made.run([ask(str(place)) for place in range(4)], interrupts)


def test_an_interrupt_keeps_what_was_done_and_waits_for_what_is_under_way() -> None:
    gate = threading.Event()
    live = Deployment(behave=lambda text: text == "1" and gate.wait(5))
    threading.Timer(0.3, gate.set).start()
    found = replay_until(live, Interrupts(1, 1))
    assert found["status"].tolist() == ["replayed", "replayed", "interrupted", "interrupted"]
    assert set(found["reason"].iloc[2:]) == {"It was interrupted before it was sent."}
    assert found.attrs["interrupted"]


def test_a_second_interrupt_does_not_wait() -> None:
    gate = threading.Event()
    live = Deployment(behave=lambda text: text == "1" and gate.wait(30))
    started = time.monotonic()
    found = replay_until(live, Interrupts(1, 2))
    gate.set()
    assert time.monotonic() - started < 10
    assert found["status"].tolist() == ["replayed", "interrupted", "interrupted", "interrupted"]
    assert "before the answer came" in found["reason"].iloc[1]


@pytest.mark.parametrize(
    "options", [{"concurrency": 0}, {"rate": 0}, {"timeout": -1}, {"wait": -1}, {"wait": float("nan")}]
)
def test_options_without_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="can't be"):
        check_replay(ReplayOptions(**options))


def test_progress_is_told_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    import sys

    tell = ReplayPrinter(sys.stdout)
    for done in range(5):
        tell(ReplayProgress(done, 4))
    assert capsys.readouterr().out.splitlines() == ["0 of 4 answered", "4 of 4 answered"]
