"""chDB by itself, in a process of its own: what the engine could do without the product around it.

    python -m tests.bench.direct store <folder> <file> …     the files, through the statements of the schema
    python -m tests.bench.direct ask <folder>                questions on standard input, answers as DataFrames

Prints one JSON object.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mastra_admin_sdk.adapters.observability.clickhouse.embedded.sessions import Pool, Session, quote

from .material import ENGINE_MB, list_direct_batches, list_schema


def main(arguments: Sequence[str]) -> int:
    """Store or ask."""
    what, folder, *files = arguments
    if what == "store":
        print(json.dumps(_store(Path(folder), [Path(file) for file in files])))
    else:
        print(json.dumps(_ask(Path(folder), json.load(sys.stdin))))
    sys.stdout.flush()
    os._exit(0)  # chDB has threads that outlive the interpreter


def _open(folder: Path) -> Pool:
    memory = ENGINE_MB * 1024 * 1024
    limits = {"max_threads": str(os.cpu_count() or 1), "max_memory_usage": str(memory * 3 // 4)}
    return Pool(folder, {"max_server_memory_usage": str(memory)}, limits)


def _store(folder: Path, files: Sequence[Path]) -> dict[str, Any]:
    folder.mkdir(parents=True)
    with _open(folder).write() as session:
        for statement in list_schema():
            session.run(statement, format="Null")
        begun = time.perf_counter()
        for batch in list_direct_batches(files):
            source = quote(f"{batch[0].parent}/{{{','.join(path.name for path in batch)}}}")
            session.run(
                "INSERT INTO mastra_admin_span_lines (path, position, body, ready) "
                f"SELECT _path, 0, body, 1 FROM file({source}, 'RawBLOB', 'body String')",
                format="Null",
            )
        seconds = time.perf_counter() - begun
        spans = int(session.run("SELECT count() FROM mastra_admin_spans_finished"))
    return {"seconds": seconds, "spans": spans}


def _ask(folder: Path, questions: Mapping[str, Any]) -> dict[str, Any]:
    with _open(folder).write() as session:
        session.run("SYSTEM STOP MERGES", format="Null")
        return {name: _time(session, question["sql"], question["rounds"]) for name, question in questions.items()}


def _time(session: Session, sql: Sequence[str], rounds: int) -> dict[str, Any]:
    """Return the median seconds of asking, and a fingerprint of what came: one text of several in turn."""
    seconds, frame = [], None
    for number in range(rounds + 1):
        begun = time.perf_counter()
        frame = session._connection.query(sql[number % len(sql)], "DataFrame")
        seconds.append(time.perf_counter() - begun)
    return {"s": statistics.median(seconds[1:]), "rows": len(frame) if frame is not None else 0}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
