"""`mastra-admin demo` and the truth of telemetry, on real software from end to end."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fixtures.cli_process import Program
from fixtures.homes import look_from_outside

ORACLE = Path(__file__).parents[1] / "oracle" / "telemetry_truth.py"
KEYS = ["ok", "url", "agent_status", "workflow_status", "trace_id", "spans", "logs", "seconds", "left_behind"]
ROWS = """
    SELECT trace_id, span_id, type, status, duration_ms, lower(hex(MD5(concat(input, output)))) AS md5
    FROM mastra_admin_spans WHERE deployment_id = %(deployment)s
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def run_demo(program: Program) -> dict[str, Any]:
    """Run the demo and check from outside what it says."""
    found = program.run("demo", "--json", timeout=600)
    assert found.returncode == 0, (found.stdout, found.stderr)
    result = dict(json.loads(found.stdout))
    left = look_from_outside(program.home)
    assert (left["processes"], left["ports"]) == ([], []), left
    return result


def check_result(result: dict[str, Any]) -> None:
    assert list(result) == KEYS
    assert result["ok"] is True
    assert (result["agent_status"], result["workflow_status"]) == (200, "success")
    assert result["left_behind"] == {"processes": 0, "ports": 0, "routes": 0}
    assert len(result["trace_id"]) == 32
    assert result["spans"] >= 10
    assert result["logs"] >= 1
    assert list(result["seconds"]) == ["install", "build", "start", "route", "first_span"]
    assert all(seconds >= 0 for seconds in result["seconds"].values())
    assert result["seconds"]["first_span"] <= 3.5


@pytest.mark.mastra
def test_the_demo_shows_all_of_it_and_leaves_nothing(program: Program) -> None:
    result = run_demo(program)
    check_result(result)
    assert result["url"] == f"http://weather-agent-main.demo.localhost:{program.settings['ROUTER_PORT']}"
    found = program.run_json("traces", result["trace_id"])
    spans = {span["type"]: span for span in found["spans"]}
    assert {"agent_run", "model_generation", "tool_call"} <= set(spans)
    assert spans["model_generation"]["input_tokens"] > 0
    assert spans["model_generation"]["output_tokens"] > 0
    assert {span["status"] for span in found["spans"]} == {"ok"}


@pytest.mark.mastra
def test_the_demo_works_on_postgresql(program: Program, postgres_url: str, postgres_schema: str) -> None:
    program.settings["DATABASE_SCHEMA"] = postgres_schema
    found = program.run("demo", "--json", "--database-url", postgres_url, timeout=600)
    assert found.returncode == 0, (found.stdout, found.stderr)
    check_result(json.loads(found.stdout))
    assert not (program.home / "admin.db").exists()
    left = look_from_outside(program.home)
    assert (left["processes"], left["ports"]) == ([], []), left
    program.settings["DATABASE_URL"] = postgres_url


@pytest.mark.mastra
def test_the_demo_without_a_home_makes_one_and_removes_it(program: Program, tmp_path: Path) -> None:
    environment = {key: value for key, value in program.environment.items() if key != "MASTRA_ADMIN_HOME"}
    environment["TMPDIR"] = str(tmp_path)
    command = [sys.executable, "-m", "mastra_admin_sdk.cli", "demo"]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert found.returncode == 0, (found.stdout, found.stderr)
    assert "The agent was asked 'What is the weather in Paris?'" in found.stdout
    assert "✓ Every part was observed, and nothing is left running" in found.stdout
    assert "\x1b" not in found.stdout
    assert max(map(len, found.stdout.splitlines())) <= 120
    assert list(tmp_path.glob("mastra-demo-*")) == []


def test_a_demo_that_fails_says_so_and_leaves_nothing(program: Program) -> None:
    program.settings["INSTALL_TIMEOUT"] = "1"
    result = program.run_json("demo", exit_code=1, timeout=300)
    assert result["ok"] is False
    assert result["error"]["code"] == "phase_timeout"
    assert result["agent_status"] is None
    assert result["left_behind"] == {"processes": 0, "ports": 0, "routes": 0}
    left = look_from_outside(program.home)
    assert (left["processes"], left["ports"]) == ([], []), left


def test_the_demo_refuses_a_home_in_which_something_runs(program: Program) -> None:
    program.run_json("up", "--no-example", "--no-panel")
    result = program.run_json("demo", exit_code=4)
    assert result["ok"] is False
    assert result["error"]["code"] == "conflict"
    assert program.run_json("ps")["supervised"]


@pytest.mark.parametrize(("spans", "bad"), [(20_000, 0), (20_000, 50)], ids=["clean lines", "with broken lines"])
def test_telemetry_comes_back_as_it_was_written(program: Program, tmp_path: Path, spans: int, bad: int) -> None:
    deployment = "deployment-of-the-truth"
    folder = program.home / "telemetry" / deployment / "b" / "p"
    folder.mkdir(parents=True)
    made = tmp_path / "made"
    generate = ["generate", "--spans", str(spans), "--out", str(made), "--deployment", deployment, "--bad", str(bad)]
    written = json.loads(run_oracle(*generate))
    for stream in ("spans", "logs"):
        (made / stream).rename(folder / stream)
    rows = tmp_path / "rows.csv"
    with rows.open("wb") as out:
        found = program.run(
            *("sql", ROWS, "--param", f"deployment={deployment}", "--format", "csv"), stdout=out, timeout=300
        )
    assert found.returncode == 0, found.stderr
    verdict = json.loads(run_oracle("verify", "--truth", str(made / "truth.csv"), "--rows", str(rows)))
    assert verdict == {"expected": spans, "stored": spans, "lost": 0, "duplicated": 0, "wrong": 0}
    count = f"SELECT count() AS n FROM mastra_admin_logs WHERE deployment_id = '{deployment}'"
    assert program.run_json("sql", count) == [{"n": written["log_lines"]}]
    with rows.open(newline="") as file:
        assert next(csv.reader(file)) == ["trace_id", "span_id", "type", "status", "duration_ms", "md5"]


def run_oracle(*arguments: str) -> str:
    command = [sys.executable, str(ORACLE), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False).stdout
