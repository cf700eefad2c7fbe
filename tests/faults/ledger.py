"""What reached the files, as this program reads them itself, against what the store has."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.material import ORACLE, Key

ROWS = """
SELECT trace_id, span_id, type, status, duration_ms, lower(hex(MD5(concat(input, output)))) AS md5
FROM mastra_admin_spans WHERE status != 'running' AND build_id = %(build)s
"""
RUNNING = "SELECT count() AS n FROM mastra_admin_spans WHERE status = 'running' AND build_id = %(build)s"
LOGS = "SELECT count() AS stored, uniqExact(id) AS ids FROM mastra_admin_logs WHERE build_id = %(build)s"
_HEAD = ["trace_id", "span_id", "type", "status", "duration_ms", "md5"]


@dataclass
class Written:
    """What complete lines say that are in the files of a build."""

    ids: set[str] = field(default_factory=set)
    ended: set[Key] = field(default_factory=set)
    begun: set[Key] = field(default_factory=set)
    logs: set[str] = field(default_factory=set)

    @property
    def running(self) -> set[Key]:
        """Spans whose end reached no file."""
        return self.begun - self.ended

    def add(self, line: bytes) -> None:
        """Take a line in; one that is broken counts for nothing."""
        try:
            record = json.loads(line)
            data = record["data"]
            if record["type"] == "log":
                self.logs.add(record["id"])
            else:
                (self.ended if record["event"] == "ended" else self.begun).add((data["traceId"], data["id"]))
            self.ids.add(record["id"])
        except (ValueError, KeyError, TypeError):
            return


def read_written(folder: Path, truth: Iterable[Key]) -> Written:
    """Read all files below a folder; only what is in the truth counts, the rest was bad on purpose."""
    known, written = {*truth}, Written()
    for path in sorted(folder.rglob("*")):
        if path.parent.name in {"spans", "logs"} and ".jsonl" in path.name:
            for line in read_lines(path):
                written.add(line)
    written.ended &= known
    written.begun &= known
    return written


def read_lines(path: Path) -> Iterator[bytes]:
    """Yield the complete lines of a file, also of gzip, as far as it can be read."""
    body = _decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    yield from body.split(b"\n")[:-1]


def check(folder: Path, truth: dict[Key, list[str]], written: Written, rows: Iterable[Iterable[Any]]) -> dict[str, int]:
    """Compare spans, by the oracle: ``lost``, ``duplicated``, ``wrong``, ``stored``."""
    _write_csv(folder / "expected.csv", (truth[key] for key in sorted(written.ended)))
    _write_csv(folder / "rows.csv", rows)
    command = [sys.executable, str(ORACLE), "verify", "--truth", str(folder / "expected.csv")]
    found = subprocess.run([*command, "--rows", str(folder / "rows.csv")], capture_output=True, text=True, timeout=300)
    result: dict[str, int] = json.loads(found.stdout)
    return result


def _write_csv(path: Path, rows: Iterable[Iterable[Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([_HEAD, *rows])


def _decompress(body: bytes) -> bytes:
    found = bytearray()
    while body := body.lstrip(b"\0"):
        member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        for index in range(len(body)):
            try:
                found += member.decompress(body[index : index + 1])
            except zlib.error:
                return bytes(found)
            if member.eof:
                break
        if not member.eof:
            return bytes(found)
        body = member.unused_data + body[index + 1 :]
    return bytes(found)
