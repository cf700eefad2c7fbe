"""Telemetry whose truth is known, and everything that files of it can be like."""

from __future__ import annotations

import csv
import gzip
import json
import os
import random
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

ORACLE = Path(__file__).parents[1] / "oracle" / "telemetry_truth.py"
Key = tuple[str, str]

_MONTH = timedelta(days=30.4375)
_LONG_LINE = 40 * 1024 * 1024
_BAD_LINES = (
    b"",
    b"{broken",
    b"42",
    b'"text"',
    b"[{}]",
    b"{}",
    b'{"type":"spam"}',
    b'{"type":"span"}',
    b'{"type":"log","data":{"message":"in the wrong stream"}}',
    b'{"type":"span","event":"ended","data":{"id":"","traceId":"t"}}',
    b'{"type":"span","event":"paused","data":{"id":"s","traceId":"t","startTime":"2026-01-01T00:00:00Z"}}',
    b'{"type":"span","event":"ended","data":{"id":"s1","traceId":"t1","startTime":"yesterday"}}',
    b'{"type":"span","event":"ended","data":{"id":"s2","traceId":"t2","startTime":"0001-01-01T00:00:00Z"}}',
    b'{"type":"span","event":"ended","data":{"id":"s3","traceId":"t3","startTime":"2999-01-01T00:00:00Z"}}',
    b'{"type":"span","event":"ended","data":{"id":"s4","traceId":"t4"}}',
    b'{"type":"metric","data":{"name":"m"}}',
    b"\0\0\0\0\0\0\0\0",
    b'{"type":"span","event":"ended","data":{"id":"nul\0","traceId":"t5"}}',
    b'{"type":"span","event":"ended","data":{"id":"\xff\xfe","traceId":"\xc3\x28"}}',
    b'\xff\xfe{\0"\0t\0',
    b"{" * 20_000,
    b'{"type":"span","event":"ended","data":[1,2,3]}',
    b'{"type":"span","event":"ended","data":{"id":"s6","traceId":"t6","startTime":"2026-01-01T00:00:00Z","endTime":"later"}}',
)


@dataclass
class Material:
    """Lines of finished spans, and their truth by trace and span id."""

    folder: Path
    spans: list[bytes] = field(default_factory=list)
    logs: list[bytes] = field(default_factory=list)
    truth: dict[Key, list[str]] = field(default_factory=dict)


def generate(folder: Path, count: int, owner: Sequence[str], seed: int) -> Material:
    """Let the oracle make so many spans of an owner (project, deployment, build)."""
    project, deployment, build = owner
    command = [sys.executable, str(ORACLE), "generate", "--out", str(folder), "--spans", str(count)]
    names = ["--project", project, "--deployment", deployment, "--build", build, "--seed", str(seed)]
    subprocess.run([*command, *names], check=True, capture_output=True, timeout=120)
    with (folder / "truth.csv").open(newline="", encoding="utf-8") as file:
        truth = {(row[0], row[1]): row for row in [*csv.reader(file)][1:]}
    return Material(folder, _read(folder / "spans"), _read(folder / "logs"), truth)


def shift(material: Material, months: int) -> list[bytes]:
    """Return the lines of spans, spread over so many months; how long a span took stays."""
    steps: dict[str, int] = {}
    return [_shift(line, months, steps) for line in material.spans]


def list_bad_lines() -> list[bytes]:
    """Return lines of every kind that can't become a row."""
    return [*_BAD_LINES]


def make_long_line() -> bytes:
    """Return a line that is longer than any writer makes one."""
    return b'{"type":"span","event":"ended","data":{"id":"long","input":"' + b"x" * _LONG_LINE + b'"}}'


def mix(lines: Sequence[bytes], bad: Sequence[bytes], dice: random.Random) -> list[bytes]:
    """Return lines with bad ones at random places between them."""
    mixed = [*lines]
    for line in bad:
        mixed.insert(dice.randrange(len(mixed) + 1), line)
    return mixed


# --- files, as a writer, a copy or a vandal leaves them ---------------------------------------------------------------


def name_file(folder: Path) -> Path:
    """Return a name for a new file in a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{int(time.time() * 1000)}_{uuid.uuid4()}.jsonl"


def write_in_pieces(path: Path, lines: Sequence[bytes], dice: random.Random) -> None:
    """Write a file that ends in half a line again and again, and is renamed in the end."""
    body = join(lines)
    draft = path.with_name(f"{path.name}.open")
    with draft.open("wb", buffering=0) as file:
        for piece in cut(body, dice, 8):
            file.write(piece)
            time.sleep(dice.random() * 0.2)
    draft.rename(path)


def write_and_truncate(path: Path, lines: Sequence[bytes], dice: random.Random) -> None:
    """Write a file, cut it in the middle of a line when some of it may be stored, and write the rest again."""
    whole, middle = join(lines), join(lines[: len(lines) // 2])
    path.write_bytes(whole)
    time.sleep(dice.random())
    place = len(middle) - dice.randrange(1, 200)
    with path.open("r+b", buffering=0) as file:
        file.truncate(place)
        time.sleep(dice.random() * 0.7)
        file.seek(place)
        file.write(whole[place:])


def write_and_replace(path: Path, lines: Sequence[bytes], dice: random.Random) -> None:
    """Write half of the lines, then another file of the same name that begins with the other half."""
    middle = len(lines) // 2
    path.write_bytes(join(lines[:middle]))
    time.sleep(dice.random())
    other = join([*lines[middle:], *lines[:middle]])
    if dice.random() < 0.5:
        path.unlink()  # its inode's number may be given out again
        path.write_bytes(other)
    elif dice.random() < 0.5:
        path.write_bytes(other)  # the same inode, cut to nothing and written anew
    else:
        draft = path.with_name("draft")
        draft.write_bytes(other)
        draft.replace(path)


def write_gzip(path: Path, lines: Sequence[bytes], dice: random.Random) -> None:
    """Write gzip of two members, in pieces."""
    middle = len(lines) // 2
    body = gzip.compress(join(lines[:middle])) + gzip.compress(join(lines[middle:])) + b"\0" * dice.choice([0, 512])
    with path.with_name(f"{path.name}.gz").open("wb", buffering=0) as file:
        for piece in cut(body, dice, 5):
            file.write(piece)
            time.sleep(dice.random() * 0.3)


def write_torn_gzip(path: Path, lines: Sequence[bytes], dice: random.Random) -> None:
    """Write gzip that ends too early, or has something else in its middle."""
    middle = len(lines) // 2
    first, second = gzip.compress(join(lines[:middle])), gzip.compress(join(lines[middle:]))
    torn = second[: dice.randrange(len(second) // 4, len(second) - 20)]
    body = first + (torn if dice.random() < 0.5 else b"\xff" * 20 + second)
    file = path.with_name(f"{path.name}.gz")
    file.write_bytes(body)
    rest(file)


def compress_later(path: Path, lines: Sequence[bytes], dice: random.Random) -> None:
    """Write a file, and put gzip of it in its place when some of it may be stored."""
    path.write_bytes(join(lines))
    time.sleep(dice.random())
    draft = path.with_name("draft")
    draft.write_bytes(gzip.compress(join(lines)))
    draft.rename(path.with_name(f"{path.name}.gz"))
    path.unlink()


def write_copies(path: Path, lines: Sequence[bytes], dice: random.Random) -> None:
    """Write a file, and copies of it under other names and in another folder."""
    path.write_bytes(join(lines))
    time.sleep(dice.random() * 0.5)
    shutil.copy(path, name_file(path.parent))
    shutil.copy(path, name_file(path.parents[2] / "copy" / path.parent.name))


def write_with_wrong_clock(path: Path, lines: Sequence[bytes], dice: random.Random) -> None:
    """Write a file whose times are from the future or from long ago."""
    path.write_bytes(join(lines))
    moment = time.time() + dice.choice([-20 * 365, -2, 3, 400]) * 86400
    os.utime(path, (moment, moment))


def rest(path: Path) -> None:
    """Let a file look as if nobody had touched it for a minute."""
    then = time.time() - 60
    os.utime(path, (then, then))


def join(lines: Sequence[bytes]) -> bytes:
    """Return lines with their ends."""
    return b"".join(line + b"\n" for line in lines)


def cut(body: bytes, dice: random.Random, pieces: int) -> Iterator[bytes]:
    """Yield a text in pieces of random size."""
    places = sorted(dice.randrange(len(body)) for _ in range(pieces - 1))
    for start, end in zip([0, *places], [*places, len(body)], strict=True):
        yield body[start:end]


def _read(folder: Path) -> list[bytes]:
    return [line for file in sorted(folder.iterdir()) for line in file.read_bytes().splitlines()]


def _shift(line: bytes, months: int, steps: dict[str, int]) -> bytes:
    record = json.loads(line)
    data = record["data"]
    # A trace has about ten spans, a chunk some hundred: every span goes to a month of its own.
    back = _MONTH * (steps.setdefault(data["id"], len(steps)) % months)
    for name in ("startTime", "endTime"):
        if name in data:
            moment = datetime.fromisoformat(data[name].replace("Z", "+00:00")) - back
            data[name] = moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps(record, separators=(",", ":")).encode()
