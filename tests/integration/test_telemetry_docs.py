"""What docs/telemetry.md says of calls and columns is what there is, and what it shows is run as it stands there."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.observability import FakeObservabilityStore
from fixtures.docs import check_command, check_defaults, read_page
from fixtures.lines import make_chunk, make_span, new_trace, now

from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.adapters.observability.clickhouse.frames import find_dtype
from mastra_admin_sdk.models import Project
from mastra_admin_sdk.ports import columns
from mastra_admin_sdk.services.telemetry.asking import _ALIASES, _KNOWN, _OF_ALL, _SHAPE
from mastra_admin_sdk.services.telemetry.reads import TelemetryReads

PAGE = read_page("telemetry")
COLUMNS = {
    "spans": columns.SPAN_COLUMNS,
    "logs": columns.LOG_COLUMNS,
    "metrics": columns.METRIC_COLUMNS,
    "scores": columns.SCORE_COLUMNS,
    "feedback": columns.FEEDBACK_COLUMNS,
    "traces": columns.TRACE_COLUMNS,
    "latency": columns.LATENCY_MEASURES,
    "usage": columns.USAGE_MEASURES,
    "errors": columns.ERROR_COLUMNS,
    "threads": columns.THREAD_COLUMNS,
    "rejects": columns.REJECT_COLUMNS,
}


def list_documented(section: str) -> Iterator[tuple[str, str]]:
    """Yield each column of a section, with the dtype that is said."""
    text = PAGE.text.split(f"### {section}\n")[1].split("\n### ")[0].split("\n## ")[0]
    for names, dtype in re.findall(r"^\| (`[^|]*) \| ([^|]*) \| [^|]*\|$", text, re.MULTILINE):
        for name in re.findall(r"`(\w+)`", names):
            yield name, dtype


@pytest.mark.parametrize("question", COLUMNS)
def test_columns_and_dtypes_are_those_that_are_said(question: str) -> None:
    documented = list(list_documented(question))
    assert sorted(name for name, _ in documented) == sorted(COLUMNS[question])
    for name, dtype in documented:
        assert str(find_dtype(name)) == dtype, name


def test_every_call_filter_and_group_is_documented() -> None:
    calls = [name for name, _ in inspect.getmembers(TelemetryReads, inspect.isfunction) if not name.startswith("_")]
    named = set(re.findall(r"`(\w+)`", PAGE.text)) | {"trace"}
    assert set(calls) <= named
    filters = {name for names in _KNOWN.values() for name in names} | {*_OF_ALL, *_SHAPE}
    assert filters <= named
    assert set(columns.GROUPS) <= named
    assert not set(_ALIASES) & filters


@pytest.mark.parametrize("line", PAGE.commands)
def test_commands_and_their_options_exist(line: str) -> None:
    check_command(line)


def test_settings_that_are_named_exist() -> None:
    check_defaults(PAGE)


def test_the_samples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = FakeObservabilityStore()
    with MastraAdmin(home=tmp_path / "home", observability=store) as admin:
        team = admin.teams.create("Search")
        project = admin.storage.projects.create(Project(team.id, "Weather", "weather-agent"))
        failed = {"errorInfo": {"message": "x"}, "input": "Rome", "projectId": project.id}
        store.insert([make_chunk(make_span("ended", new_trace(), "s", now(), 5, **failed))])
        monkeypatch.setattr(store, "sql", lambda query, parameters: None)
        names = PAGE.run_all({"admin": admin})
    assert names["span"]["error"] == "x"
    assert len(names["part"]) == 1
    assert (tmp_path / "spans.parquet").is_file()
