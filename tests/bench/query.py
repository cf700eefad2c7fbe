"""How fast questions are answered right after ingestion, against the engine by itself.

    python -m tests.bench.query [--spans 1000000] [--rounds 9]

Stores the spans with merges stopped, so that every part is as small as it was written, compares all of them with the
truth, and asks through `MastraAdmin`, as people do. Then the engine is stopped, and the plain query over the finished
spans runs directly in chDB to a DataFrame, on the same parts. Prints one JSON object:
``{"queries": {name: {"s", "reference_s", "rows"}}, "peak_rss_mb"}``, medians of ``--rounds``; each round of
``one_trace`` asks for another trace, and each answer is held against the truth or the reference.

Goals: at most 1.5 of the reference for answers of 10,000 rows and more, and for p95 by name; the newest 1,000 within
30 ms, one trace within 10 ms. Exit status 1 when one is missed.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.ports.observability import SPAN_COLUMNS
from tests.fixtures.quick import write_source

from .ingest import await_everything
from .material import ENGINE_MB, Material, make_material, read_peak_mb, stop_merges, verify

_FINISHED = "mastra_admin_spans_finished"
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)

Question = Callable[[int], pd.DataFrame]


def main(arguments: Sequence[str]) -> int:
    """Run it, print the figures, and return 0 when the goals are met."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.query")
    parser.add_argument("--spans", type=int, default=1_000_000, help="how many spans")
    parser.add_argument("--rounds", type=int, default=9, help="how often each question is asked")
    options = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="bench-query-"))
    try:
        figures = _measure(folder, options.spans, options.rounds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    figures["goals"] = _judge(figures)
    print(json.dumps(figures, indent=2))
    return 0 if all(figures["goals"].values()) else 1


def _measure(folder: Path, spans: int, rounds: int) -> dict[str, Any]:
    home = folder / "home"
    with MastraAdmin(home=home, engine_memory_mb=ENGINE_MB, source_paths=[str(folder / "sources")]) as admin:
        write_source(folder / "sources" / "app")
        project = admin.projects.create(admin.teams.create("Search"), source="app")
        material = make_material(home / "telemetry", spans, project=project.id)
        stop_merges(admin)
        admin.start()
        await_everything(admin, material)
        found = verify(admin, material, folder / "rows.csv")
        newest = admin.spans(limit=1, columns=["start_time"])["start_time"].iloc[0]
        traces = _pick_traces(material)
        asked = _ask(admin, material, newest, traces, rounds)
        pid = int(admin.observability.status()["pid"])
        peak = {"ours": read_peak_mb("self"), "engine": read_peak_mb(pid)}
        data = admin.home.clickhouse
        admin.observability.stop()
    references = _ask_directly(data, project.id, newest, [trace for trace, _ in traces], rounds)
    return {
        "spans": spans,
        **{name: found[name] for name in ("stored", "lost", "duplicated", "wrong")},
        "queries": {name: _compare(name, asked[name], references[name]) for name in asked},
        "peak_rss_mb": peak,
    }


def _compare(name: str, ours: Mapping[str, Any], reference: Mapping[str, Any]) -> dict[str, Any]:
    if name != "one_trace" and ours["rows"] != reference["rows"]:
        raise RuntimeError(f"{name}: {ours['rows']} rows, and {reference['rows']} directly.")
    return {"s": round(ours["s"], 5), "reference_s": round(reference["s"], 5), "rows": ours["rows"]}


def _pick_traces(material: Material) -> list[tuple[str, set[str]]]:
    """Return ids of some traces, spread over all, with the ids of their spans."""
    members: dict[str, set[str]] = {}
    with material.truth.open(newline="", encoding="utf-8") as handle:
        for trace, span, *_ in list(csv.reader(handle))[1:]:
            members.setdefault(trace, set()).add(span)
    return random.Random(3).sample(sorted(members.items()), 40)


def _ask(
    admin: MastraAdmin, material: Material, newest: datetime, traces: Sequence[tuple[str, set[str]]], rounds: int
) -> dict[str, Any]:
    def ask_trace(number: int) -> pd.DataFrame:
        trace, spans = traces[number % len(traces)]
        frame = admin.trace(trace).frame
        if set(frame["span_id"]) != spans:
            raise RuntimeError(f"The trace {trace} has other spans than it should.")
        return frame

    project = admin.projects.list()[0]
    questions: dict[str, Question] = {
        "newest_1000": lambda _: admin.spans(limit=1000),
        "newest_10000": lambda _: admin.spans(limit=10_000),
        "last_hour": lambda _: admin.spans(project=project, since=newest - _HOUR, limit=None),
        "one_trace": ask_trace,
        "p95_by_name": lambda _: admin.latency(by=["name"], since="all"),
        "traces_day": lambda _: admin.traces(since=newest - _DAY, limit=None),
    }
    return {name: _time(question, rounds) for name, question in questions.items()}


def _time(question: Question, rounds: int) -> dict[str, Any]:
    seconds, rows = [], 0
    for number in range(rounds + 1):
        begun = time.perf_counter()
        frame = question(number)
        seconds.append(time.perf_counter() - begun)
        rows = len(frame)
    return {"s": statistics.median(seconds[1:]), "rows": rows}


def _ask_directly(data: Path, project: str, newest: datetime, traces: Sequence[str], rounds: int) -> dict[str, Any]:
    columns = ", ".join(SPAN_COLUMNS)
    hour, day = (
        f"toDateTime64('{moment:%Y-%m-%d %H:%M:%S.%f}', 6, 'UTC')" for moment in (newest - _HOUR, newest - _DAY)
    )
    plain = f"SELECT {columns} FROM {_FINISHED}"
    texts = {
        "newest_1000": [f"{plain} ORDER BY start_time DESC LIMIT 1000"],
        "newest_10000": [f"{plain} ORDER BY start_time DESC LIMIT 10000"],
        "last_hour": [f"{plain} WHERE project_id = '{project}' AND start_time >= {hour} ORDER BY start_time DESC"],
        "one_trace": [f"{plain} WHERE trace_id = '{trace}' ORDER BY start_time" for trace in traces],
        "p95_by_name": [
            "SELECT name, count() AS spans, countIf(status = 'error') AS errors, "
            "quantilesTDigest(0.5, 0.95, 0.99)(duration_ms) AS quantiles "
            f"FROM {_FINISHED} GROUP BY name ORDER BY spans DESC"
        ],
        "traces_day": [
            "SELECT trace_id, argMin((name, type, status, project_id, deployment_id, build_id, entity_id), "
            "(NOT is_root, start_time)) AS root, min(start_time) AS began, max(end_time) AS ended, count() AS spans, "
            "countIf(status = 'error') AS errors, sum(input_tokens) AS input, sum(output_tokens) AS output, "
            f"any(thread_id) AS thread, any(resource_id) AS resource FROM {_FINISHED} WHERE start_time >= {day} "
            "GROUP BY trace_id ORDER BY began DESC"
        ],
    }
    questions = {name: {"sql": sql, "rounds": rounds} for name, sql in texts.items()}
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.direct", "ask", str(data)],
        input=json.dumps(questions),
        capture_output=True,
        text=True,
        timeout=3600,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"chDB by itself failed: {done.stderr[-2000:]}")
    return dict(json.loads(done.stdout))


def _judge(figures: Mapping[str, Any]) -> dict[str, bool]:
    queries = figures["queries"]
    compared = ("newest_10000", "last_hour", "p95_by_name", "traces_day")
    return {
        **{name: queries[name]["s"] <= 1.5 * queries[name]["reference_s"] for name in compared},
        "newest_1000": queries["newest_1000"]["s"] <= 0.030,
        "one_trace": queries["one_trace"]["s"] <= 0.010,
        "truth": figures["stored"] == figures["spans"]
        and not (figures["lost"] or figures["duplicated"] or figures["wrong"]),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
