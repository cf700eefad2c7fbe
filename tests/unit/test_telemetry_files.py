"""Telemetry files: complete lines only, from where the last read ended."""

from __future__ import annotations

from pathlib import Path

from mastra_admin_sdk.models import Offset
from mastra_admin_sdk.ports.observability import Stream
from mastra_admin_sdk.services.telemetry.chunks import read_chunks
from mastra_admin_sdk.services.telemetry.files import list_files, start_position
from mastra_admin_sdk.services.telemetry.lag import has_passed


def make(root: Path, name: str, body: bytes) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    return path


def read(root: Path, position: int = 0, size: int = 1 << 20) -> list[bytes]:
    return [piece.chunk.body for piece in read_chunks(list_files(root)[0], position, size=size)]


def test_only_telemetry_files_are_found_and_open_ones_keep_their_name(tmp_path: Path) -> None:
    make(tmp_path, "d/b/p/spans/2_b.jsonl.open", b"")
    make(tmp_path, "d/b/p/logs/1_a.jsonl", b"")
    make(tmp_path, "d/b/p/status.json", b"")
    make(tmp_path, "d/b/p/spans/notes.txt", b"")
    found = list_files(tmp_path)
    assert [(file.key, file.stream, file.closed) for file in found] == [
        ("d/b/p/logs/1_a.jsonl", Stream.LOGS, True),
        ("d/b/p/spans/2_b.jsonl", Stream.SPANS, False),
    ]


def test_an_incomplete_last_line_waits(tmp_path: Path) -> None:
    make(tmp_path, "spans/1_a.jsonl.open", b"one\ntwo\nthr")
    assert read(tmp_path) == [b"one\ntwo\n"]
    assert read(tmp_path, position=8) == []


def test_chunks_end_at_line_ends(tmp_path: Path) -> None:
    make(tmp_path, "spans/1_a.jsonl", b"1111\n2222\n3333\n")
    assert read(tmp_path, size=11) == [b"1111\n2222\n", b"3333\n"]


def test_a_line_longer_than_a_chunk_comes_whole(tmp_path: Path) -> None:
    make(tmp_path, "spans/1_a.jsonl", b"x" * 50 + b"\nshort\n" + b"y" * 30)
    assert read(tmp_path, size=10) == [b"x" * 50 + b"\nshort\n"]


def test_reading_goes_on_after_what_was_stored(tmp_path: Path) -> None:
    make(tmp_path, "spans/1_a.jsonl", b"1111\n2222\n")
    file = list_files(tmp_path)[0]
    assert start_position(file, {file.key: Offset(file.key, 5, file.inode)}) == 5


def test_a_replaced_or_shortened_file_is_read_from_its_start(tmp_path: Path) -> None:
    make(tmp_path, "spans/1_a.jsonl", b"1111\n")
    file = list_files(tmp_path)[0]
    assert start_position(file, {file.key: Offset(file.key, 5, file.inode + 1)}) == 0
    assert start_position(file, {file.key: Offset(file.key, 500, file.inode)}) == 0


def test_a_file_that_has_gone_has_no_chunks(tmp_path: Path) -> None:
    path = make(tmp_path, "spans/1_a.jsonl", b"1111\n")
    file = list_files(tmp_path)[0]
    path.unlink()
    assert list(read_chunks(file, 0)) == []


def test_a_file_that_grew_and_was_stored_further_counts_as_stored(tmp_path: Path) -> None:
    make(tmp_path, "spans/1_a.jsonl.open", b"1111\n")
    seen = list_files(tmp_path)[0]
    assert has_passed(seen, {seen.key: Offset(seen.key, 500, seen.inode)})
    assert has_passed(seen, {seen.key: Offset(seen.key, 5, seen.inode)})
    assert not has_passed(seen, {seen.key: Offset(seen.key, 4, seen.inode)})
    assert not has_passed(seen, {seen.key: Offset(seen.key, 500, seen.inode + 1)})
