"""`mastra-admin spans`, `latency`, `usage`, `errors`, `threads`, `tail`: answers that fit, with notes beside them."""

from __future__ import annotations

import csv
import io
import itertools
import json
from datetime import timedelta
from typing import Any

import pytest
from fakes.observability import FakeObservabilityStore
from fixtures.cli import CommandLine
from fixtures.lines import iso, make_chunk, make_line, make_log, make_span, now

from mastra_admin_sdk.ports.observability import SPAN_COLUMNS, Stream

TRACE = "6854cc3c" + "0" * 24


@pytest.fixture
def asked(command_line: CommandLine) -> CommandLine:
    """A command line whose store has 60 generations, a tool that failed, and two log lines."""
    store, start = FakeObservabilityStore(), now() - timedelta(minutes=5)
    usage = {"model": "gpt-4o", "provider": "openai", "usage": {"inputTokens": 1000, "outputTokens": 20}}
    context = {"threadId": "a-thread-with-a-name-that-is-rather-long", "resourceId": "ana@example.com"}
    lines = [
        make_span("ended", TRACE, f"s{n}", start + timedelta(seconds=n), 1500, name=f"a very long name of a span, {n}",
                  type="model_generation", attributes=usage, metadata=context, entityType="agent",
                  entityId="weather-agent")
        for n in range(60)
    ]  # fmt: skip
    failed = {"errorInfo": {"message": "Timeout after 30 s: the tool 'search' did not answer, and nobody knows why"}}
    lines.append(make_span("ended", TRACE, "bad", start + timedelta(seconds=61), 30_000, name="search", **failed))
    point = {"timestamp": iso(start), "traceId": TRACE}
    lines += [
        make_line("metric", {**point, "name": "mastra_tokens", "value": 1234567.5}),
        make_line("score", {**point, "scorerId": "helpful", "score": 0.5, "reason": "it answers half of it"}),
        make_line("feedback", {**point, "feedbackType": "thumbs", "value": "up", "comment": "good"}),
    ]
    logs = [make_log("hello", start), make_log("it broke", start, level="error")]
    store.insert([make_chunk(*lines), make_chunk(*logs, stream=Stream.LOGS)])
    command_line.store = store  # type: ignore[assignment]
    command_line.settings["prices"] = {"gpt*": {"input": 2.5, "output": 10}}
    return command_line


@pytest.mark.parametrize(
    ("command", "title"),
    [
        (["spans"], "WHEN NAME TYPE STATUS TOOK TOKENS TRACE"),
        (["logs"], "WHEN LEVEL MESSAGE TRACE"),
        (["latency"], "NAME COUNT ERRORS P50 P95 P99 MAX"),
        (["latency", "--by", "agent,model", "--bucket", "5m"], "BUCKET AGENT MODEL COUNT ERRORS P50 P95 P99 MAX"),
        (["usage"], "MODEL COUNT INPUT OUTPUT TOTAL COST"),
        (["usage", "--by", "agent,day"], "AGENT DAY COUNT INPUT OUTPUT TOTAL COST"),
        (["metrics"], "WHEN NAME VALUE MODEL TRACE"),
        (["scores"], "WHEN NAME SCORE REASON BY TRACE"),
        (["feedback"], "WHEN NAME VALUE COMMENT BY TRACE"),
        (["errors"], "COUNT TRACES LAST MESSAGE EXAMPLE"),
        (["threads"], "THREAD USER LAST TRACES ERRORS TOKENS COST"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_tables_fit_into_80_columns(asked: CommandLine, command: list[str], title: str) -> None:
    found = asked.run(*command)
    assert found.exit_code == 0, found.output
    first, *rows = found.stdout.splitlines()
    assert first.split() == title.split()
    assert rows
    assert max(map(len, [first, *rows])) <= 80


def test_numbers_of_records_are_short(asked: CommandLine) -> None:
    assert " 1,234,567.5 " in asked.run("metrics").stdout
    assert " 0.5 " in asked.run("scores").stdout
    assert asked.run_json("scores", "--count", "--name", "helpful") == {"count": 1}
    assert asked.run("feedback", "--name", "nobody").stdout == "No feedback.\n"


def test_what_is_left_out_is_said_beside_the_answer(asked: CommandLine) -> None:
    found = asked.run("spans")
    assert len(found.stdout.splitlines()) == 51
    assert found.stderr.strip() == "50 of 61 spans: --limit all for all."
    assert asked.run("spans", "--limit", "all").stderr == ""
    assert "of the last 24 hours: --since 7d for more" in asked.run("errors").stderr
    assert asked.run("errors", "--since", "all").stderr == ""


def test_numbers_are_those_of_the_store(asked: CommandLine) -> None:
    row = asked.run("usage", "--since", "1h").stdout.splitlines()[1]
    assert row.split() == ["gpt-4o", "60", "60,000", "1,200", "61,200", "0.16"]
    row = asked.run("errors").stdout.splitlines()[1]
    assert row.split()[:2] == ["1", "1"]
    assert "Timeout after <n> s: the tool '…'" in row


def test_csv_and_json_have_all_columns_and_rows(asked: CommandLine) -> None:
    for limit in ([], ["--limit", "all"]):
        rows = list(csv.reader(io.StringIO(asked.run("spans", "--format", "csv", *limit).stdout, newline="")))
        assert tuple(rows[0]) == SPAN_COLUMNS
        assert len(rows) == 62
        found = json.loads(asked.run("spans", "--format", "json", *limit).stdout)
        assert (len(found), found[0]["span_id"]) == (61, "bad")
    rows = list(csv.reader(io.StringIO(asked.run("spans", "--format", "csv", "--name", "nobody").stdout, newline="")))
    assert rows == [list(SPAN_COLUMNS)]
    nothing = asked.run("spans", "--format", "csv", "--name", "nobody", "--limit", "all").stdout
    assert list(csv.reader(io.StringIO(nothing, newline=""))) == [list(SPAN_COLUMNS)]


def test_columns_and_counts(asked: CommandLine) -> None:
    found = asked.run("spans", "--columns", "span_id,status", "--limit", "1").stdout.splitlines()
    assert [line.split() for line in found] == [["span_id", "status"], ["bad", "error"]]
    assert asked.run("spans", "--count", "--type", "model_generation").stdout == "60\n"
    assert asked.run_json("latency", "--count", "--by", "type") == {"count": 2}
    assert asked.run("traces", "--count").stdout == "1\n"
    assert asked.run("logs", "--count", "--level", "error").stdout == "1\n"


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (["--type", "model_generation", "--type", "tool_call"], 61),
        (["--status", "error"], 1),
        (["--agent", "weather-agent"], 60),
        (["--model", "gpt-4o"], 60),
        (["--user", "ana@example.com", "--thread", "nobody's"], 0),
        (["--attribute", "usage.inputTokens:=1000"], 60),
        (["--attribute", "provider=openai", "--text", "SPAN, 7"], 1),
        (["--attribute", "model=gpt-4o", "--attribute", "model=claude"], 60),
        (["--trace", TRACE, "--until", "1s"], 61),
        (["--trace", TRACE[:12]], 61),
        (["--since", "1s"], 0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_options_are_filters(asked: CommandLine, options: list[str], count: int) -> None:
    assert asked.run_json("spans", "--count", *options) == {"count": count}


@pytest.mark.parametrize("command", ["traces", "spans", "logs", "latency", "usage", "errors", "threads", "tail"])
def test_what_tables_show_of_a_trace_id_is_a_filter(asked: CommandLine, command: str) -> None:
    options = ["--trace", TRACE[:12], "--since", "1h", *(["--limit", "1"] if command == "tail" else [])]
    found = asked.run(command, *options)
    assert found.exit_code == 0, found.output
    assert found.stdout
    assert (found.stdout == "No logs.\n") is (command == "logs")  # they are of no trace
    assert asked.run_json(command, "--trace", "f" * 12, exit_code=3)["error"]["code"] == "not_found"


def test_wrong_filters_name_the_near_ones(asked: CommandLine) -> None:
    found = asked.run("spans", "--columns", "span_id,statos")
    assert found.exit_code == 2
    assert "Did you mean 'status'?" in found.stderr
    assert asked.run("usage", "--by", "modle").exit_code == 2
    assert asked.run("latency", "--bucket", "5 minutes").exit_code == 2
    assert asked.run("spans", "--branch", "main").exit_code == 3
    assert asked.run("spans", "--limit", "0").exit_code == 2
    assert "no JSON" in asked.run("spans", "--attribute", "a:=x").stderr


def test_tail_prints_what_arrives_until_it_is_interrupted(asked: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    store: Any = asked.store
    looks = itertools.count()

    def follow(*arguments: Any) -> Any:
        if next(looks) == 2:
            store.insert([make_chunk(make_span("ended", TRACE, "late", now(), 5, name="late one"))])
        if next(looks) > 8:
            raise KeyboardInterrupt
        return FakeObservabilityStore.follow(store, *arguments)

    monkeypatch.setattr(store, "follow", follow)
    found = asked.run("tail", "--name", "late one", "--name", "search")
    assert found.exit_code == 0, found.output
    assert [line.split()[1:] for line in found.stdout.splitlines()] == [["ok", "5", "ms", "late", "one"]]
    looks = itertools.count()
    assert (
        asked.run_json("tail", "logs", "--since", "1h", "--level", "error", "--limit", "1")[0]["message"] == "it broke"
    )


def test_logs_of_a_server_and_stored_lines_are_told_apart(asked: CommandLine) -> None:
    assert "hello" in asked.run("logs", "--since", "1h").stdout
    assert asked.run("logs", "nobody", "--level", "error").exit_code == 3
    found = asked.run("logs", "x", "--tail", "5", "--level", "error")
    assert found.exit_code == 2
    assert "for a DEPLOYMENT alone" in found.stderr
