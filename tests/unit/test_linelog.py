"""Numbered-line files: numbers never repeat, secrets never land, readers miss nothing."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from mastra_admin_sdk.linelog import MAX_LINE, LineLog, clean_text, follow_lines, read_lines
from mastra_admin_sdk.redaction import Redactor


def texts(path: Path, after: int = 0) -> list[str]:
    return [line.text for line in read_lines(path, after)]


def test_lines_are_numbered_from_one_and_carry_stream_and_utc_time(tmp_path: Path) -> None:
    with LineLog(tmp_path / "x.log") as log:
        log.write("one")
        log.write("two\nthree", stream="err")
    lines = list(read_lines(tmp_path / "x.log"))
    assert [(line.number, line.stream, line.text) for line in lines] == [
        (1, "out", "one"),
        (2, "err", "two"),
        (3, "err", "three"),
    ]
    assert lines[0].time.utcoffset() is not None


def test_a_second_writer_continues_the_numbers_also_after_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    with LineLog(path) as log:
        log.write("one")
    with path.open("ab") as file:
        file.write(b"2\t2026-01-01T00")
    with LineLog(path) as log:
        log.write("two")
    assert texts(path) == ["one", "two"]


def test_numbers_go_on_over_rotations_and_only_so_many_files_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    with LineLog(path, max_bytes=200, keep=2) as log:
        for index in range(40):
            log.write(f"line {index}")
    numbers = [line.number for line in read_lines(path)]
    assert numbers == list(range(numbers[0], 41))
    assert sorted(item.name for item in tmp_path.iterdir()) == ["x.log", "x.log.1", "x.log.2"]


def test_readers_resume_after_a_number(tmp_path: Path) -> None:
    with LineLog(tmp_path / "x.log") as log:
        for index in range(5):
            log.write(str(index))
    assert texts(tmp_path / "x.log", after=3) == ["3", "4"]


def test_a_missing_file_has_no_lines(tmp_path: Path) -> None:
    assert texts(tmp_path / "none.log") == []


def test_files_are_private(tmp_path: Path) -> None:
    with LineLog(tmp_path / "x.log") as log:
        log.write("x")
    assert stat.S_IMODE((tmp_path / "x.log").stat().st_mode) == 0o600


def test_followers_get_every_line_while_the_file_is_rotated_under_them(tmp_path: Path) -> None:
    path, done = tmp_path / "x.log", threading.Event()

    def write() -> None:
        with LineLog(path, max_bytes=4000, keep=50) as log:
            for index in range(1000):
                log.write(f"line {index}")
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    got = [line.number for line in follow_lines(path, is_over=done.is_set, poll_seconds=0.001) if line]
    writer.join()
    assert got == list(range(1, 1001))


def test_followers_go_on_in_a_file_that_was_emptied(tmp_path: Path) -> None:
    path, done = tmp_path / "x.log", threading.Event()
    with LineLog(path) as log:
        log.write("a line that is longer than the next one")
        lines = follow_lines(path, is_over=done.is_set, poll_seconds=0.001)
        assert next(lines)
        assert next(lines) is None
        path.write_bytes(b"")
        assert next(lines) is None
        log.write("short")
        done.set()
        assert [line.text for line in lines if line] == ["short"]


def test_secrets_are_masked_where_lines_are_written(tmp_path: Path) -> None:
    with LineLog(tmp_path / "x.log", Redactor(["hunter22"])) as log:
        log.write("password=hunter22 aHVudGVyMjI= done")
    assert texts(tmp_path / "x.log") == ["password=*** *** done"]


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        pytest.param("plain", "plain", id="plain"),
        pytest.param("10%\r50%\r100%", "100%", id="carriage-returns-keep-the-last"),
        pytest.param("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m", id="colours-stay"),
        pytest.param("\x1b[2K\x1b[1Gx", "x", id="cursor-movements-go"),
        pytest.param("a\x00b\x07c", "abc", id="control-characters-go"),
        pytest.param("a\tb", "a    b", id="tabs-become-blanks"),
        pytest.param("\x1b]8;;http://x\x07link\x1b]8;;\x07", "link", id="hyperlinks-go"),
    ],
)
def test_text_is_cleaned(raw: str, clean: str) -> None:
    assert clean_text(raw) == clean


def test_long_lines_are_cut_and_say_so() -> None:
    cut = clean_text("x" * (MAX_LINE + 10))
    assert cut.endswith("[10 characters cut]")


def test_names_of_files_that_are_no_text_are_written_too(tmp_path: Path) -> None:
    with LineLog(tmp_path / "x.log") as log:
        log.write("Left out caf\udce9.txt")
    assert [line.text for line in read_lines(tmp_path / "x.log")] == ["Left out caf?.txt"]


@pytest.mark.parametrize("text", ["s3cr\x003t", "x" * (MAX_LINE - 3) + "s3cr3t"], ids=["made-whole", "cut"])
def test_cleaning_a_line_never_brings_a_secret_back(tmp_path: Path, text: str) -> None:
    with LineLog(tmp_path / "x.log", Redactor(["s3cr3t"])) as log:
        log.write(text)
    (line,) = read_lines(tmp_path / "x.log")
    assert "s3c" not in line.text


def test_following_a_log_that_is_removed_ends(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    with LineLog(path) as log:
        log.write("one")
    over: list[bool] = []
    lines = follow_lines(path, is_over=lambda: bool(over), poll_seconds=0.001)
    first = next(lines)
    assert first is not None
    assert first.text == "one"
    path.unlink()
    assert next(lines) is None
    over.append(True)
    assert list(lines) == []
