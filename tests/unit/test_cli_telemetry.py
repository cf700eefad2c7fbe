"""`mastra-admin traces` and `sql`: exact data for programs, readable text for people."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fixtures.cli import CommandLine
from hypothesis import given, settings
from hypothesis import strategies as st

from mastra_admin_sdk.cli.frames import iterate_csv, to_json_value
from mastra_admin_sdk.cli.telemetry import parse_params
from mastra_admin_sdk.errors import InvalidInput, QueryError
from mastra_admin_sdk.ports.observability import SPAN_COLUMNS, TRACE_COLUMNS

TRACE = "6854cc3c" + "0" * 24
# Two hours ago at every hour of the day: how long ago it was takes its share of a line.
START = pd.Timestamp.now("UTC").floor("ms") - pd.Timedelta(hours=2)


def make_traces(**values: Any) -> pd.DataFrame:
    row: dict[str, Any] = dict.fromkeys(TRACE_COLUMNS)
    row |= {"trace_id": TRACE, "name": "agent run: 'weather-agent'", "type": "agent_run", "status": "ok"}
    row |= {"start_time": START, "end_time": START, "duration_ms": 1234.5, "spans": 9, "errors": 0}
    row |= {"input_tokens": 120, "output_tokens": 30, **values}
    return pd.DataFrame([row], columns=list(TRACE_COLUMNS))


def make_spans() -> pd.DataFrame:
    rows = []
    for span_id, parent, name, kind in (("a" * 16, None, "run", "agent_run"), ("b" * 16, "a" * 16, "ask", "tool_call")):
        row: dict[str, Any] = dict.fromkeys(SPAN_COLUMNS)
        row |= {"span_id": span_id, "trace_id": TRACE, "parent_span_id": parent, "name": name, "type": kind}
        row |= {"status": "ok", "start_time": START, "end_time": START + pd.Timedelta("5ms"), "duration_ms": 5.0}
        rows.append(row)
    return pd.DataFrame(rows, columns=list(SPAN_COLUMNS))


def parse_csv(frame: pd.DataFrame) -> list[list[str]]:
    return list(csv.reader(io.StringIO("".join(iterate_csv(frame)), newline="")))


def test_traces_are_listed_in_80_columns(command_line: CommandLine) -> None:
    command_line.store.frames["traces"] = make_traces(input_tokens=12_000, output_tokens=345)
    found = command_line.run("traces")
    assert found.exit_code == 0, found.output
    title, row, *_ = found.stdout.splitlines()
    assert title.split() == ["TRACE", "WHEN", "NAME", "STATUS", "TOOK", "SPANS", "TOKENS"]
    assert row.startswith(f"{TRACE[:12]}  ")
    assert "agent run: 'weather-agent'" in row
    assert row.split()[-4:] == ["1.23", "s", "9", "12,345"]
    assert max(len(title), len(row)) <= 80


def test_a_wide_terminal_shows_whole_trace_ids(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    command_line.store.frames["traces"] = make_traces()
    monkeypatch.setenv("COLUMNS", "120")
    assert command_line.run("traces").stdout.splitlines()[1].startswith(f"{TRACE}  ")


def test_filters_reach_the_store(command_line: CommandLine) -> None:
    command_line.deploy()
    command_line.run("traces", "--project", "weather-agent", "--since", "2h", "--status", "error", "--limit", "3")
    _, asked = command_line.store.asked[-1]
    assert asked.project_id == command_line.storage.projects.list()[0].id
    assert (asked.status, asked.limit) == ("error", 3)


def test_traces_of_all_times_are_listed_unless_a_time_is_given(command_line: CommandLine) -> None:
    assert command_line.run("traces").stdout == "There are no traces yet: call an agent.\n"
    assert command_line.run("traces", "--since", "2h").stdout == "No traces match.\n"
    assert command_line.run_json("traces") == []
    assert command_line.run_json("traces", "--count") == {"count": 0}
    assert [asked.since is None for name, asked in command_line.store.asked] == [True, False, True, True]


def test_one_trace_is_a_tree(command_line: CommandLine) -> None:
    command_line.store.frames["trace"] = make_spans()
    found = command_line.run("traces", TRACE)
    assert f"Trace {TRACE}" in found.stdout
    assert "run" in found.stdout
    assert "ask" in found.stdout
    value = command_line.run_json("traces", TRACE)
    assert [span["name"] for span in value["spans"]] == ["run", "ask"]
    assert value["status"] == "ok"


def test_the_beginning_of_an_id_will_do(command_line: CommandLine) -> None:
    command_line.store.frames |= {"trace": make_spans(), "find_traces": pd.DataFrame({"trace_id": [TRACE]})}
    for command in ("traces", "trace"):
        command_line.store.asked.clear()
        assert f"Trace {TRACE}" in command_line.run(command, TRACE[:6]).stdout
        assert ("trace", TRACE) in command_line.store.asked
    assert "at least the first 6" in command_line.run_json("trace", TRACE[:5], exit_code=3)["error"]["hint"]
    error = command_line.run_json("trace", "f" * 12, exit_code=3)["error"]
    assert error["code"] == "not_found"
    assert "admin." not in error["hint"]


def test_a_beginning_that_several_share_is_refused(command_line: CommandLine) -> None:
    ids = [f"6854cc{last}" + "0" * 25 for last in "ab"]
    command_line.store.frames["find_traces"] = pd.DataFrame({"trace_id": ids})
    error = command_line.run_json("traces", "6854cc", exit_code=2)["error"]
    assert " and ".join(ids) in error["hint"]


def test_a_trace_that_is_not_there_is_not_found(command_line: CommandLine) -> None:
    assert command_line.run_json("traces", "f" * 32, exit_code=3)["error"]["code"] == "not_found"


def test_csv_is_exact(command_line: CommandLine) -> None:
    command_line.store.frames["sql"] = pd.DataFrame(
        {
            "text": ['say "hi",\nthen\r\nleave', "", None],
            "count": pd.array([2**53 + 1, 0, None], dtype="Int64"),
            "value": [0.1 + 0.2, 1e-300, math.nan],
            "at": pd.to_datetime(["2026-11-23T10:00:00.123456Z", "2026-11-23T10:00:00Z", None], format="ISO8601"),
            "kind": pd.Categorical(["a", "b", None]),
            "flag": [True, False, None],
            "tags": [["x", "y"], [], None],
        }
    )
    found = command_line.run("sql", "SELECT …", "--format", "csv")
    assert found.stdout_bytes.endswith(b"\r\n")
    rows = list(csv.reader(io.StringIO(found.stdout_bytes.decode(), newline="")))
    assert rows[0] == ["text", "count", "value", "at", "kind", "flag", "tags"]
    assert rows[1][0] == 'say "hi",\nthen\r\nleave'
    assert rows[1][1:4] == ["9007199254740993", "0.30000000000000004", "2026-11-23T10:00:00.123456+00:00"]
    assert rows[1][4:] == ["a", "true", '["x", "y"]']
    assert rows[3] == [""] * 7


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.text(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False))))
def test_what_is_written_as_csv_is_read_back(rows: list[tuple[str, int, float]]) -> None:
    frame = pd.DataFrame(rows, columns=["text", "whole", "real"])
    found = parse_csv(frame)[1:]
    finite = [(text, whole, real) for text, whole, real in rows]
    assert [(row[0], int(row[1]), float(row[2]) if row[2] else math.inf) for row in found] == [
        (text, whole, real if math.isfinite(real) else math.inf) for text, whole, real in finite
    ]


def test_an_empty_result_is_its_header() -> None:
    assert "".join(iterate_csv(pd.DataFrame(columns=["a", "b"]))) == "a,b\r\n"


def test_a_long_result_comes_in_parts() -> None:
    parts = list(iterate_csv(pd.DataFrame({"n": range(12_000)})))
    assert len(parts) == 4
    assert sum(part.count("\r\n") for part in parts) == 12_001


def test_sql_as_json_is_one_array(command_line: CommandLine) -> None:
    moments = [pd.Timestamp("2026-11-23T10:00:00.123Z"), pd.NaT]
    command_line.store.frames["sql"] = pd.DataFrame({"n": [1, 2], "at": moments})
    for arguments in (["--json"], ["--format", "json"]):
        found = command_line.run("sql", "SELECT 1", *arguments)
        assert json.loads(found.stdout) == [{"n": 1, "at": "2026-11-23T10:00:00.123000+00:00"}, {"n": 2, "at": None}]


def test_sql_as_a_table_is_cut_to_the_terminal(command_line: CommandLine) -> None:
    command_line.store.frames["sql"] = pd.DataFrame({"text": ["x" * 200], "n": [3]})
    lines = command_line.run("sql", "SELECT 1").stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[1].endswith("…  3")
    command_line.store.frames["sql"] = pd.DataFrame(columns=["a"])
    assert command_line.run("sql", "SELECT 1").stdout == "No rows (a)\n"


def test_parameters_are_bound_not_pasted(command_line: CommandLine) -> None:
    command_line.run("sql", "SELECT %(name)s, %(n)s", "--param", "name='; DROP", "--param", "n:=10")
    assert command_line.store.asked == [("sql", ("SELECT %(name)s, %(n)s", {"name": "'; DROP", "n": 10}))]


def test_a_query_may_come_from_stdin(command_line: CommandLine) -> None:
    command_line.run("sql", "-", stdin="SELECT 5")
    assert command_line.store.asked[0][1][0] == "SELECT 5"


@pytest.mark.parametrize("text", ["nothing", "=x", "a b=x", "n:=five"], ids=str)
def test_parameters_that_bind_nothing_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_params([text])


def test_a_query_that_is_refused_says_why(command_line: CommandLine) -> None:
    command_line.store.fails_with = QueryError("Code 62: syntax error", hint="Check it.")
    found = command_line.run("sql", "SELEC 1")
    assert found.exit_code == 1
    assert "Code 62: syntax error" in found.stderr
    assert command_line.run_json("sql", "SELEC 1", exit_code=1)["error"]["code"] == "query_error"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.int64(5), 5),
        (np.float64("nan"), None),
        (math.inf, None),
        (pd.NA, None),
        (pd.NaT, None),
        (np.array([1, 2]), [1, 2]),
        ({"a": (np.int64(1),)}, {"a": [1]}),
        (np.bool_(True), True),
    ],
    ids=["integer", "nan", "infinite", "NA", "NaT", "array", "nested", "bool"],
)
def test_values_of_frames_become_json(value: Any, expected: Any) -> None:
    found = to_json_value(value)
    assert found == expected
    json.dumps(found)
