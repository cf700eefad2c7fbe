"""Another program that writes telemetry from Python: records the lines of a folder that telemetry_truth.py made.

    python -m tests.faults.writer <telemetry folder> <folder> <project> <deployment> <build> <seconds>

Says on stdout how many lines are on the disk by its word. What could not be written it writes again, as those do who
were told so by the collector.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from mastra_admin_sdk.errors import WriteFailed
from mastra_admin_sdk.services.telemetry.writing import LineOwner, LineType, TelemetryLine, TelemetryWriter

_BATCH = 20


def main() -> None:
    """Write them all."""
    root, folder, project, deployment, build, seconds = sys.argv[1:]
    batches = [*_read_batches(Path(folder))]
    done = 0
    with TelemetryWriter(Path(root)) as writer:
        for batch in batches:
            done += _write(writer, LineOwner(project, deployment, build, "python"), batch)
            print(done, flush=True)
            time.sleep(float(seconds) / len(batches))
    print(f"ended {done}", flush=True)


def _write(writer: TelemetryWriter, owner: LineOwner, batch: list[TelemetryLine]) -> int:
    while True:
        try:
            return writer.write(owner, batch)
        except WriteFailed:
            time.sleep(0.1)


def _read_batches(folder: Path) -> Iterator[list[TelemetryLine]]:
    for stream in ("spans", "logs"):
        files = sorted((folder / stream).iterdir())
        lines = [_make_line(text) for file in files for text in file.read_text().splitlines()]
        for start in range(0, len(lines), _BATCH):
            yield lines[start : start + _BATCH]


def _make_line(text: str) -> TelemetryLine:
    line = json.loads(text)
    event, timestamp = line.get("event"), int(time.time() * 1000)
    return TelemetryLine(LineType(line["type"]), event, timestamp, line["data"], id=line["id"])


if __name__ == "__main__":
    main()
