"""Lines out of files of every kind: gzip, torn, too long, replaced under the same name and inode."""

from __future__ import annotations

import gzip
import random
import tracemalloc
from pathlib import Path

import pytest

from mastra_admin_sdk.ports.observability import Stream
from mastra_admin_sdk.services.telemetry.chunks import ChunkReader, Piece, find_line, open_reader
from mastra_admin_sdk.services.telemetry.files import TelemetryFile, list_files

MEGABYTE = 1024 * 1024
Result = tuple[list[Piece], ChunkReader]


def make(root: Path, name: str, body: bytes) -> TelemetryFile:
    path = root / "d" / "b" / "p" / "spans" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    return next(file for file in list_files(root) if file.path == path)


def read(file: TelemetryFile, position: int = 0, head: int = 0, size: int = MEGABYTE) -> Result:
    reader = open_reader(file, position, head)
    assert reader is not None
    pieces = []
    try:
        while piece := reader.read(size):
            pieces.append(piece)
    finally:
        reader.close()
    return pieces, reader


def bodies(pieces: list[Piece]) -> bytes:
    return b"".join(piece.chunk.body for piece in pieces)


@pytest.mark.parametrize("size", [1, 7, 100, MEGABYTE])
def test_gzip_of_several_members_reads_as_one_file(tmp_path: Path, size: int) -> None:
    lines = [f"line {number}\n".encode() for number in range(200)]
    packed = gzip.compress(b"".join(lines[:77])) + gzip.compress(b"".join(lines[77:])) + b"\0" * 600
    file = make(tmp_path, "1_a.jsonl.gz", packed)
    assert (file.compressed, file.closed, file.stream) == (True, True, Stream.SPANS)
    pieces, reader = read(file, size=size)
    assert bodies(pieces) == b"".join(lines)
    assert (reader.position, reader.torn, reader.broken) == (len(b"".join(lines)), False, "")


def test_gzip_is_read_on_from_a_position_in_what_is_in_it(tmp_path: Path) -> None:
    file = make(tmp_path, "1_a.jsonl.gz", gzip.compress(b"one\ntwo\nthree\n"))
    pieces, _ = read(file, 4)
    assert bodies(pieces) == b"two\nthree\n"
    assert pieces[0].chunk.position == 4


def test_torn_gzip_gives_what_is_whole_and_says_that_it_is_torn(tmp_path: Path) -> None:
    dice = random.Random(1)
    lines = b"".join(b"%d\n" % dice.getrandbits(64) for _ in range(1000))
    packed = gzip.compress(lines)
    pieces, reader = read(make(tmp_path, "1_a.jsonl.gz", packed[: len(packed) // 2]))
    assert reader.torn
    assert 0 < reader.position < len(lines)
    assert lines.startswith(bodies(pieces))
    refusal = [reader.read_rest(), reader.refuse_rest()][1]
    assert refusal is not None
    assert refusal.chunk.reason == "a gzip file without its end"


def test_broken_gzip_gives_what_comes_before_the_break(tmp_path: Path) -> None:
    body = gzip.compress(b"one\ntwo\n") + b"no gzip at all, but bytes" * 3
    pieces, reader = read(make(tmp_path, "1_a.jsonl.gz", body))
    assert bodies(pieces) == b"one\ntwo\n"
    refusal = reader.refuse_rest()
    assert refusal is not None
    assert (refusal.chunk.reason, refusal.chunk.body) == ("a broken gzip file", b"incorrect header check\n")


def test_a_wrong_checksum_loses_no_line(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(b"one\ntwo\n"))
    packed[-8] ^= 0xFF
    pieces, reader = read(make(tmp_path, "1_a.jsonl.gz", bytes(packed)))
    assert (bodies(pieces), reader.broken) == (b"one\ntwo\n", "incorrect data check")


@pytest.mark.parametrize("name", ["1_a.jsonl", "1_a.jsonl.gz"])
def test_a_line_that_is_too_long_is_refused_in_little_memory_and_the_others_come(tmp_path: Path, name: str) -> None:
    long = b"x" * (40 * MEGABYTE)
    body = b"one\n" + long + b"\ntwo\n"
    file = make(tmp_path, name, gzip.compress(body, 1) if name.endswith("gz") else body)
    del body
    tracemalloc.start()
    try:
        pieces, reader = read(file)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [piece.chunk.reason for piece in pieces] == ["", "a line longer than 16 MB", ""]
    assert [piece.chunk.position for piece in pieces] == [0, 4, 5 + len(long)]
    assert (len(pieces[1].chunk.body), reader.position) == (64 * 1024 + 1, len(long) + 9)
    assert peak < 40 * MEGABYTE


def test_a_long_line_without_its_end_waits_and_is_refused_when_it_stays_so(tmp_path: Path) -> None:
    file = make(tmp_path, "1_a.jsonl", b"one\n" + b"x" * (20 * MEGABYTE))
    pieces, reader = read(file)
    assert (bodies(pieces), reader.unread) == (b"one\n", 20 * MEGABYTE)
    rest = reader.read_rest()
    assert rest is not None
    assert (rest.chunk.reason, rest.end) == ("a line longer than 16 MB", file.size)


def test_another_file_in_its_place_is_read_from_its_start(tmp_path: Path) -> None:
    file = make(tmp_path, "1_a.jsonl", b'{"id":"a-1"}\n{"id":"a-2"}\n')
    _, reader = read(file)
    assert reader.head
    grown = make(tmp_path, "1_a.jsonl", b'{"id":"a-1"}\n{"id":"a-2"}\n{"id":"a-3"}\n')
    assert bodies(read(grown, 26, reader.head)[0]) == b'{"id":"a-3"}\n'
    other = make(tmp_path, "1_a.jsonl", b'{"id":"b-1"}\n{"id":"b-2"}\n{"id":"b-3"}\n')
    assert len(bodies(read(other, 26, reader.head)[0])) == other.size
    no_line_ends_there = make(tmp_path, "1_a.jsonl", b'{"id":"a-1"}\n' + b"y" * 40 + b"\n")
    assert len(bodies(read(no_line_ends_there, 26, reader.head)[0])) == no_line_ends_there.size


def test_the_beginning_of_a_file_counts_once_it_cannot_change_by_growing(tmp_path: Path) -> None:
    assert read(make(tmp_path, "1_a.jsonl.open", b'{"id":'))[1].head == 0
    first = read(make(tmp_path, "1_a.jsonl.open", b'{"id":1}\n'))[1].head
    assert first != 0
    assert read(make(tmp_path, "1_a.jsonl.open", b'{"id":1}\n{"id":2}\n'))[1].head == first


def test_the_first_line_that_waits_is_found(tmp_path: Path) -> None:
    file = make(tmp_path, "1_a.jsonl.open", b"one\n" + b"y" * 200_000 + b"\nhalf")
    assert find_line(file, 0) == b"one\n"
    assert (find_line(file, 4) or b"").startswith(b"yyy")
    assert find_line(file, file.size - 4) is None
