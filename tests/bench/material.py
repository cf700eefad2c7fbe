"""Spans with a known truth, laid out as a server would have written them, and what reads them without the product."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.adapters.observability.clickhouse import inserts, schema
from mastra_admin_sdk.adapters.observability.clickhouse.addresses import Role

ORACLE = Path(__file__).parents[1] / "oracle" / "telemetry_truth.py"
ENGINE_MB = 1500
"""Memory of the engine, ours and the one that is used directly: the default of the setting."""

_ANSWER = "SELECT trace_id, span_id, type, status, duration_ms, lower(hex(MD5(concat(input, output)))) AS md5 "
_PEAK = re.compile(r"VmHWM:\s+(\d+) kB")


@dataclass(frozen=True, slots=True)
class Material:
    """Telemetry files of one server, and the truth about them."""

    folder: Path
    project: str
    spans: int

    @property
    def truth(self) -> Path:
        """The table of all spans as they must be stored."""
        return self.folder / "truth.csv"

    def list_files(self) -> list[Path]:
        """The files with spans, in the order they were written."""
        return sorted((self.folder / "spans").iterdir())


def make_material(
    telemetry: Path, spans: int, *, project: str = "p", deployment: str = "d", build: str = "b", seed: int = 7
) -> Material:
    """Write the files of one server below the telemetry folder of a home."""
    folder = telemetry / deployment / build / "p"
    owner = ["--project", project, "--deployment", deployment, "--build", build, "--seed", str(seed)]
    _run_oracle(["generate", "--spans", str(spans), "--out", str(folder), *owner])
    return Material(folder, project, spans)


def verify(admin: MastraAdmin, material: Material, rows: Path) -> dict[str, Any]:
    """Compare all that is stored with the truth."""
    with rows.open("w", newline="", encoding="utf-8") as handle:
        table = csv.writer(handle)
        table.writerow(["trace_id", "span_id", "type", "status", "duration_ms", "md5"])
        for digit in "0123456789abcdef":  # in parts: the truth of a million spans fits, their texts do not
            where = "FROM mastra_admin_spans WHERE deployment_id = 'd' AND startsWith(trace_id, %(digit)s)"
            table.writerows(admin.sql(_ANSWER + where, {"digit": digit}).itertuples(index=False))
    answer = _run_oracle(["verify", "--truth", str(material.truth), "--rows", str(rows)], check=False)
    return dict(json.loads(answer))


def stop_merges(admin: MastraAdmin) -> None:
    """Let every part of what is kept stay as it was written; spans that are open still can be tidied up."""
    admin.observability.init()
    clients = admin.observability._open()  # type: ignore[attr-defined]
    with clients.lend(Role.OWNER, "Stopping merges") as client:
        for table in schema.LIVES:
            if table != "mastra_admin_spans_open":
                client.execute(f"SYSTEM STOP MERGES {table}")


def measure_json_loop(files: Sequence[Path]) -> float:
    """Return the seconds that a plain loop of ``json.loads`` takes over all lines."""
    begun = time.perf_counter()
    for path in files:
        with path.open("rb") as lines:
            for line in lines:
                json.loads(line)
    return time.perf_counter() - begun


def measure_engine(files: Sequence[Path], folder: Path) -> dict[str, Any]:
    """Return ``seconds`` and ``spans`` of the same files through the same SQL in chDB, in a process of its own."""
    arguments = [sys.executable, "-m", "tests.bench.direct", "store", str(folder), *map(str, files)]
    return dict(json.loads(_call(arguments)))


def list_direct_batches(files: Sequence[Path]) -> Iterator[list[Path]]:
    """Yield files that are stored together: as much at once as the product stores."""
    batch: list[Path] = []
    size = 0
    for path in files:
        length = path.stat().st_size
        if batch and size + length > inserts.BATCH_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(path)
        size += length
    if batch:
        yield batch


def list_schema() -> list[str]:
    """Return the statements of the schema as the product makes it, for a machine of its own."""
    return [*schema.list_statements(90), *schema.list_ready_changes()]


def read_peak_mb(pid: int | str) -> int:
    """Return the most memory that a process has held so far, in MB."""
    match = _PEAK.search(Path(f"/proc/{pid}/status").read_text(encoding="ascii"))
    return int(match[1]) // 1024 if match else 0


def _run_oracle(arguments: Sequence[str], *, check: bool = True) -> str:
    return _call([sys.executable, str(ORACLE), *arguments], check=check)


def _call(arguments: Sequence[str], *, check: bool = True) -> str:
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=3600, check=False)
    if check and done.returncode:
        raise RuntimeError(f"{arguments[:4]} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout
