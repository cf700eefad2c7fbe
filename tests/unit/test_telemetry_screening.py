"""What becomes of lines on their way into the files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mastra_admin_sdk.policy import TelemetryPolicy, compile_pattern
from mastra_admin_sdk.services.telemetry.lines import LineOwner, LineType, TelemetryLine
from mastra_admin_sdk.services.telemetry.screening import (
    SHARED_STATUS,
    TelemetryScreen,
    add_counts,
    read_status,
    sum_left_out,
)

OWNER = LineOwner("p")


class OnePolicy:
    def __init__(self, policy: TelemetryPolicy) -> None:
        self.policy = policy

    def find(self, project_id: str | None) -> TelemetryPolicy:
        assert project_id == "p"
        return self.policy


def make_screen(status: Path | None = None, **policy: Any) -> TelemetryScreen:
    return TelemetryScreen(OnePolicy(TelemetryPolicy(**policy)), status)  # type: ignore[arg-type]


def make_span(trace: str, event: str = "ended", **data: Any) -> TelemetryLine:
    return TelemetryLine(LineType.SPAN, event, 1, {"traceId": trace, "id": "s", "parentSpanId": "r", **data})


def make_log(**data: Any) -> TelemetryLine:
    return TelemetryLine(LineType.LOG, None, 1, data)


def test_spans_and_logs_go_with_their_trace_and_the_rest_stays(tmp_path: Path) -> None:
    screen = make_screen(tmp_path / "status.json", sample=0.0)
    measures = [
        TelemetryLine(kind, None, 1, {"traceId": "t"}) for kind in (LineType.METRIC, LineType.SCORE, LineType.FEEDBACK)
    ]
    others = [make_log(traceId="t", level="error"), make_log(correlationContext={"traceId": "t"})]
    free = make_log(message="hello")
    kept = screen(OWNER, [make_span("t"), make_span("t", parentSpanId=None), *others, free, *measures])
    assert list(kept) == [free, *measures]
    screen.close()
    assert read_status(tmp_path / "status.json") == {"sampled_out": {"span": 2, "trace": 1, "log": 2}}


def test_a_trace_is_kept_from_its_first_failure_on_if_that_is_asked(tmp_path: Path) -> None:
    screen = make_screen(tmp_path.joinpath("a", "b", "c", "status.json"), sample=0.0, keep_errors=True)
    assert list(screen(OWNER, [make_span("t"), make_span("u")])) == []
    assert len(screen(OWNER, [make_span("t"), make_span("t", errorInfo={"message": "no"}), make_span("u")])) == 2
    assert len(screen(OWNER, [make_span("t"), make_log(traceId="t"), make_log(traceId="v", level="fatal")])) == 3
    screen.close()
    assert sum_left_out(tmp_path) == {"span": 3}


def test_what_stays_is_cleaned() -> None:
    screen = make_screen(fields=("email",), patterns=(compile_pattern(r"\d{4}"),))
    (line,) = screen(OWNER, [make_span("t", input={"eMail": "x", "n": "1234", "apiKey": "k"})])
    assert line.data["input"] == {"eMail": "[REDACTED]", "n": "[REDACTED]", "apiKey": "[REDACTED]"}
    assert line.data["traceId"] == "t"


def test_counts_of_many_writers_add_up(tmp_path: Path) -> None:
    for _ in range(3):
        add_counts(tmp_path.joinpath("d", "b", "one", "status.json"), {"span": 2})
    add_counts(tmp_path.joinpath(*SHARED_STATUS), {"log": 1})
    assert sum_left_out(tmp_path) == {"span": 6, "log": 1}


def test_counts_that_can_not_be_saved_are_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    screen = make_screen(tmp_path / "file" / "status.json", sample=0.0)
    screen(OWNER, [make_span("t")])
    assert "left out" in caplog.text
    (tmp_path / "file").unlink()
    screen.close()
    assert read_status(tmp_path / "file" / "status.json") == {"sampled_out": {"span": 1}}
