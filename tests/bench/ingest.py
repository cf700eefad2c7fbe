"""How fast telemetry files become rows, against the engine by itself and against reading the lines at all.

    python -m tests.bench.ingest [--spans 200000]

Prints one JSON object: ``spans_per_s`` from files on the disk to rows that can be asked for (afterwards all of them are
compared with the truth: ``stored``, ``lost``, ``duplicated``, ``wrong``); in the same run ``engine_spans_per_s``, the
same files through the same SQL in chDB directly, and ``json_loop_spans_per_s``, a plain loop of ``json.loads`` over
their lines; ``peak_rss_mb`` of our process and of the engine's. A span is two lines: one when it started and one when
it ended. The references run before and after, and the better of both counts.

Goals: at least 0.8 of the engine, 3 times the loop, and less than 2 GB together. Exit status 1 when one is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mastra_admin_sdk import MastraAdmin

from .material import (
    ENGINE_MB,
    Material,
    make_material,
    measure_engine,
    measure_json_loop,
    read_peak_mb,
    verify,
)

_TIMEOUT = 1800.0
_LOOP_FILES = 30


def main(arguments: Sequence[str]) -> int:
    """Run it, print the figures, and return 0 when the goals are met."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.ingest")
    parser.add_argument("--spans", type=int, default=200_000, help="how many spans")
    options = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="bench-ingest-"))
    try:
        figures = _measure(folder, options.spans)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    figures["goals"] = _judge(figures)
    print(json.dumps(figures, indent=2))
    return 0 if all(figures["goals"].values()) else 1


def _measure(folder: Path, spans: int) -> dict[str, Any]:
    home = folder / "home"
    material = make_material(home / "telemetry", spans)
    references = [_measure_references(material, folder / "engine-before")]
    figures = _ingest(home, material, folder)
    references.append(_measure_references(material, folder / "engine-after"))
    for name in references[0]:
        figures[name] = round(max(reference[name] for reference in references))
    figures["engine_ratio"] = round(figures["spans_per_s"] / figures["engine_spans_per_s"], 3)
    figures["loop_ratio"] = round(figures["spans_per_s"] / figures["json_loop_spans_per_s"], 3)
    return figures


def _measure_references(material: Material, folder: Path) -> dict[str, float]:
    files = material.list_files()
    engine = measure_engine(files, folder)
    if engine["spans"] != material.spans:
        raise RuntimeError(f"chDB by itself stored {engine['spans']} of {material.spans} spans.")
    shutil.rmtree(folder)
    # Part of the files is enough to time a loop that does the same with every line.
    some = files[:_LOOP_FILES]
    share = sum(file.stat().st_size for file in some) / sum(file.stat().st_size for file in files)
    return {
        "engine_spans_per_s": material.spans / engine["seconds"],
        "json_loop_spans_per_s": material.spans * share / measure_json_loop(some),
    }


def _ingest(home: Path, material: Material, folder: Path) -> dict[str, Any]:
    with MastraAdmin(home=home, engine_memory_mb=ENGINE_MB) as admin:
        admin.observability.init()  # a running engine and its schema are there before the first file is
        begun = time.perf_counter()
        admin.start()
        await_everything(admin, material)
        seconds = time.perf_counter() - begun
        pid = int(admin.observability.status()["pid"])
        ours, engine = read_peak_mb("self"), read_peak_mb(pid)
        found = verify(admin, material, folder / "rows.csv")
        admin.observability.stop()
    return {
        "spans": material.spans,
        "spans_per_s": round(material.spans / seconds),
        **{name: found[name] for name in ("stored", "lost", "duplicated", "wrong")},
        "peak_rss_mb": {"ours": ours, "engine": engine},
        "cpus": os.cpu_count(),
    }


def await_everything(admin: MastraAdmin, material: Material) -> None:
    """Wait until all spans can be asked for."""
    deadline = time.monotonic() + _TIMEOUT
    while (stored := _count(admin)) < material.spans:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{stored} of {material.spans} spans were stored within {_TIMEOUT:.0f} s.")
        time.sleep(0.1)


def _count(admin: MastraAdmin) -> int:
    # Of the store itself: a question to `admin` would wait for the files, and take part in the work.
    return int(admin.observability.sql("SELECT count() AS n FROM mastra_admin_spans_finished")["n"].iloc[0])


def _judge(figures: dict[str, Any]) -> dict[str, bool]:
    return {
        "engine": figures["engine_ratio"] >= 0.8,
        "loop": figures["loop_ratio"] >= 3.0,
        "memory": sum(figures["peak_rss_mb"].values()) < 2000,
        "truth": figures["stored"] == figures["spans"]
        and not (figures["lost"] or figures["duplicated"] or figures["wrong"]),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
