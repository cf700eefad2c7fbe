"""The commands that score, label, export, keep datasets and delete telemetry."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from fakes.observability import FakeObservabilityStore
from fakes.router import FakeRouter
from fakes.runner import FakeRunner
from fakes.source import FakeProjectSource
from fakes.storage import FakeAdminStorage
from fixtures.lines import iso, make_chunk, make_span, now

from mastra_admin_sdk.admin import MastraAdmin
from mastra_admin_sdk.cli.main import cli
from mastra_admin_sdk.cli.session import Session

TRACE = "6854cc3c7627802cd5339c2bbe162a6d"


class Program:
    """Runs commands on a home whose store is in memory."""

    def __init__(self, folder: Path) -> None:
        self.admin = MastraAdmin(
            home=folder / "home", storage=FakeAdminStorage(), source=FakeProjectSource(), runner=FakeRunner(),
            router=FakeRouter(), observability=FakeObservabilityStore(), actor="ana",
        )  # fmt: skip
        moment, agent = now(), {"type": "agent_run", "entityId": "weather"}
        root = make_span("ended", TRACE, "a" * 16, moment, 5, input=[{"content": "hi"}], output={"text": "ho"},
                         metadata={"resourceId": "u1"}, **agent)  # fmt: skip
        other = make_span("ended", "f" * 32, "b" * 16, moment, 5, startTime=iso(moment))
        self.admin.observability.insert([make_chunk(root, other)])

    def __call__(self, *arguments: str) -> Any:
        told = self.tell(*arguments, "--json")
        return json.loads(told) if told else None

    def tell(self, *arguments: str) -> str:
        from click.testing import CliRunner

        session = Session()
        session.open_admin = lambda **_: _Borrowed(self.admin)  # type: ignore[method-assign, assignment, return-value]
        self.last = CliRunner().invoke(cli, arguments, obj=session)
        return self.last.stdout


class _Borrowed:
    def __init__(self, admin: MastraAdmin) -> None:
        self.admin = admin

    def __enter__(self) -> MastraAdmin:
        return self.admin

    def __exit__(self, *_: object) -> None:
        return None


@pytest.fixture
def run(tmp_path: Path) -> Any:
    program = Program(tmp_path)
    yield program
    program.admin.close()


def test_a_score_and_a_label_are_written_and_taken_back(run: Program) -> None:
    assert run("score", TRACE, "helpful", "0.5", "--reason", "short")["outcome"] == "written"
    assert run("score", TRACE, "helpful", "1")["outcome"] == "replaced"
    assert list(run.admin.scores()["score"]) == [1.0]
    assert run("label", TRACE, "good", "--name", "quality", "--span", "a" * 16)["author"] == "ana"
    assert list(run.admin.feedback()["label"]) == ["good"]
    assert run("label", TRACE, "--name", "quality", "--span", "a" * 16, "--remove")["outcome"] == "removed"
    assert run.admin.feedback().empty
    assert run("note", TRACE, "the tool was slow")["outcome"] == "written"
    assert list(run.admin.feedback()["comment"]) == ["the tool was slow"]


def test_what_is_missing_is_named(run: Program) -> None:
    run("score", TRACE, "helpful")
    assert run.last.exit_code == 2
    assert "'score'" in run.last.output
    for unknown in ("0" * 32, "0" * 12):
        run("score", unknown, "helpful", "1")
        assert run.last.exit_code == 3


def test_the_beginning_of_a_trace_id_will_do(run: Program) -> None:
    short = TRACE[:12]
    assert run("score", short, "helpful", "1")["trace_id"] == TRACE
    assert run("label", short, "good")["trace_id"] == TRACE
    assert list(run.admin.annotate(trace_id=short, comment="slow")["trace_id"]) == [TRACE]
    assert list(run.admin.annotate(trace_id="0" * 12, comment="x", unknown="skip")["outcome"]) == ["unknown"]
    run("datasets", "create", "one", "--trace", short)
    assert run("datasets", "add", "one", short)["items"] == 1
    assert [item["trace_id"] for item in run("datasets", "show", "one")] == [TRACE]
    assert run.admin.trace(short).id == run.admin.complete_trace_id(short) == TRACE
    assert run.admin.spans(trace_id=short).empty


def test_datasets_are_made_shown_exported_and_deleted(run: Program, tmp_path: Path) -> None:
    assert run("datasets", "create", "one", "--trace", TRACE)["items"] == 1
    assert run("datasets", "add", "one", TRACE)["items"] == 1
    (item,) = run("datasets", "show", "one")
    assert (item["input"], item["expected"], item["target"]) == ([{"content": "hi"}], {"text": "ho"}, "agent:weather")
    path = tmp_path / "one.jsonl"
    assert run("datasets", "export", "one", str(path))["path"] == str(path)
    assert run("datasets", "create", "two", "--file", str(path))["items"] == 1
    assert run("datasets", "delete", "two")["items"] == 1
    assert [item["name"] for item in run("datasets", "list")] == ["one"]


def test_spans_are_exported(run: Program, tmp_path: Path) -> None:
    told = run("export", str(tmp_path / "spans.parquet"), "--type", "agent_run")
    assert (told["spans"], told["skipped"]) == (1, 0)
    assert list(pd.read_parquet(told["path"])["trace_id"]) == [TRACE]
    assert run("export", str(tmp_path / "spans.json"), "--format", "otlp")["format"] == "otlp"


def test_telemetry_is_deleted_when_that_is_wanted(run: Program) -> None:
    assert run("telemetry", "delete", "--user", "u1", "--dry-run")["spans"] == 1
    assert run.tell("telemetry", "delete", "--user", "u1", "--dry-run").splitlines()[:2] == [
        "           1 trace",
        "           1 span",
    ]
    assert run.tell("telemetry", "delete", "--user", "nobody", "--dry-run").startswith("Nothing matches.\n")
    run("telemetry", "delete", "--user", "u1")
    assert run.last.exit_code == 2
    assert "--yes" in run.last.output
    assert len(run.admin.spans()) == 2
    assert run("telemetry", "delete", "--user", "u1", "--yes")["spans"] == 1
    assert list(run.admin.spans()["trace_id"]) == ["f" * 32]
    run("telemetry", "delete", "--yes")
    assert run.last.exit_code == 2
