"""``mastra-admin trace``, ``compare`` and ``replay``."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fakes.observability import FakeObservabilityStore
from fixtures.cli import CommandLine
from fixtures.lines import make_chunk, make_span, now
from fixtures.panel import seed

from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.display.text import measure
from mastra_admin_sdk.services.analysis.columns import REPLAY_COLUMNS
from mastra_admin_sdk.services.history.frames import make_frame
from mastra_admin_sdk.services.telemetry.traces import Trace

TRACE = "6854cc3c" + "0" * 24


@pytest.fixture
def line(command_line: CommandLine) -> CommandLine:
    store = FakeObservabilityStore()
    command_line.store = store  # type: ignore[assignment]
    command_line.home.mkdir(exist_ok=True)
    seeded = seed(command_line.storage, command_line.home)
    head = {"deploymentId": seeded.deployment.id, "buildId": seeded.build.id}
    start = now() + timedelta(seconds=1)
    question = [{"role": "user", "content": "How is the weather in Paris?"}]
    lines = [
        make_span(
            "ended",
            TRACE,
            "a" * 16,
            start,
            120,
            **head,
            type="agent_run",
            name="run",
            entityId="weather",
            input=question,
        ),
        make_span("ended", TRACE, "b" * 16, start, 20, **head, parentSpanId="a" * 16, name="look"),
    ]
    store.insert([make_chunk(*lines)])
    return command_line


def test_a_trace_is_a_tree_json_and_a_page(line: CommandLine, tmp_path: Path) -> None:
    text = line.run("trace", TRACE).output
    assert text.splitlines()[0] == f"Trace {TRACE}"
    assert "└─ look" in text
    assert Trace.from_json(json.dumps(line.run_json("trace", TRACE))).tree.depth == 2
    page = tmp_path / "trace.html"
    assert f"Wrote {page}" in line.run("trace", TRACE, "--html", str(page)).output
    assert "ma-trace" in page.read_text()
    assert line.run_json("trace", TRACE, "--html", str(tmp_path / "no" / "x"), exit_code=2)
    assert line.run_json("trace", "9" * 32, exit_code=3)["error"]["code"] == "not_found"


def test_two_sides_are_compared(line: CommandLine) -> None:
    found = line.run("compare", "weather#1", "weather")
    assert found.exit_code == 0, found.output
    assert "A  search/weather/main#1: 1 trace" in found.output
    assert "too few" in found.output
    assert max(map(measure, found.output.splitlines())) <= 80
    value = line.run_json("compare", "weather#1", "weather", "--since", "1h", "--all")
    assert {row["name"] for row in value["figures"]} == {"all", "weather", "look"}
    assert line.run_json("compare", "weather#1", "wether", exit_code=3)
    assert line.run_json("compare", "weather", "weather", "--confidence", "2", exit_code=2)


def test_what_would_be_replayed_is_listed(line: CommandLine) -> None:
    for arguments in ((TRACE,), ("--from", "weather")):
        (row,) = line.run_json("replay", *arguments, "--to", "weather", "--dry-run")
        assert (row["status"], row["kind"], row["target"]) == ("planned", "agent", "weather")
    text = line.run("replay", TRACE, "--to", "weather", "--dry-run").output
    assert "planned" in text
    assert "1 planned." in text
    assert "\nHow is the weather in Paris?" in text
    assert "No run" in line.run("replay", "--from", "weather", "--status", "error", "--to", "weather").output
    assert line.run_json("replay", "--to", "weather", exit_code=2)["error"]["message"] == "There is nothing to replay."
    assert line.run_json("replay", "nothing", "--to", "weather", exit_code=3)


ROWS: list[dict[str, Any]] = [
    {
        "case": TRACE,
        "status": "replayed",
        "input": "Paris?",
        "equal": True,
        "old_duration_ms": 10,
        "new_duration_ms": 20.0,
    },
    {"case": "b" * 32, "status": "replayed", "input": "Rome?", "equal": False, "diff": "@@ -1 +1 @@\n-old\n+new"},
    {"case": "item", "status": "replayed", "input": "Oslo?", "as_expected": False, "diff": "-x\n+y"},
    {"case": "c" * 32, "status": "failed", "input": "日本?" * 40, "reason": "the deployment answered 404"},
]


@pytest.mark.parametrize(("rows", "interrupted", "code"), [(ROWS, False, 1), (ROWS[:3], False, 0), (ROWS, True, 130)])
def test_a_replay_is_told_and_its_end_is_the_exit_code(
    line: CommandLine, monkeypatch: pytest.MonkeyPatch, rows: list[dict[str, Any]], interrupted: bool, code: int
) -> None:
    frame = make_frame(REPLAY_COLUMNS, rows)
    frame.attrs["interrupted"] = interrupted
    monkeypatch.setattr(MastraAdmin, "replay", lambda *_, **__: frame)
    found = line.run("replay", TRACE, "--to", "weather")
    assert found.exit_code == code
    assert "1 of 2 answered as before" in found.output
    assert "0 of 1 as expected" in found.output
    assert "  -old\n  +new" in found.output
    assert "@@" not in found.output
    assert max(map(measure, found.output.splitlines())) <= 80
    assert len(line.run_json("replay", TRACE, "--to", "weather", exit_code=code)) == len(rows)
