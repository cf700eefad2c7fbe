"""Any page of a log by its numbers, and searches: over rotations, gaps, and lines that aren't ours."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import pytest

from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.linelog import LineLog, LogFile, LogReader, Query, searching_apart

NUMBERS = [number for number in range(1, 6001) if number % 97]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of four files, in which some numbers are left out and some lines are torn or long."""
    path = tmp_path_factory.mktemp("log") / "x.log"
    chosen = random.Random(4)
    for part, name in enumerate(("x.log.3", "x.log.2", "x.log.1", "x.log")):
        with path.with_name(name).open("wb") as file:
            for number in NUMBERS[part * len(NUMBERS) // 4 : (part + 1) * len(NUMBERS) // 4]:
                text = f"\x1b[3{number % 8}mLine\x1b[0m {number} é " + "x" * chosen.choice([0, 20, 20, 100, 5000])
                file.write(f"{number}\t2026-01-01T00:00:00.000+00:00\tout\t{text}\n".encode())
                if number % 500 == 0:
                    file.write(b"\x00\x00torn\n\n\xff\t\t\t\n")
    with path.open("ab") as file:
        file.write(b"9999\t2026-01-01T00:00:00.000+00:00\tout\thalf")
    return path


def numbers(log: LogFile, **where: int) -> list[int]:
    return [line.number for line in log.read_page(**where).lines]


@pytest.mark.parametrize("limit", [1, 7, 400])
def test_pages_hold_what_a_list_of_all_lines_would(path: Path, limit: int) -> None:
    log = LogFile(path)
    for place in [0, 1, 96, 97, 98, 500, 1484, 1485, 2970, 5999, 6000, 6001, 10**12]:
        assert numbers(log, after=place, limit=limit) == [n for n in NUMBERS if n > place][:limit]
        assert numbers(log, before=place, limit=limit) == [n for n in NUMBERS if n < place][-limit:]
        both = [n for n in NUMBERS if place < n < place + 5][:limit]
        assert numbers(log, after=place, before=place + 5, limit=limit) == both


def test_a_page_says_how_far_the_log_goes(path: Path) -> None:
    page = LogFile(path).read_page(after=10, limit=1)
    assert (page.first, page.last) == (1, NUMBERS[-1])


def test_a_log_that_isnt_there_has_no_lines_and_no_matches(tmp_path: Path) -> None:
    for log in (LogFile(None), LogFile(tmp_path / "none.log")):
        assert log.find_ends() == (0, 0)
        assert log.read_page(before=10).lines == []
        assert log.search(Query("x")).lines == []


@pytest.mark.parametrize("after", [0, 1, 1484, 3000, 5999, 6000, 7000])
def test_a_reader_begins_anywhere(path: Path, after: int) -> None:
    with LogReader(path, after) as reader:
        found = []
        while rows := reader.read():
            found += [row[0] for row in rows]
    assert found == [n for n in NUMBERS if n > after]


def test_a_writer_goes_on_after_the_last_number_without_reading_all(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "x.log"
    copy.write_bytes(path.read_bytes())
    with LineLog(copy) as log:
        log.write("next")
    # The half line was ended, and is one of ours by now.
    assert LogFile(copy).find_ends()[1] >= NUMBERS[-1] + 1


@pytest.mark.parametrize(
    ("query", "matches"),
    [
        pytest.param(Query("line 4242 é"), lambda n: n == 4242, id="over-colours-in-any-case"),
        pytest.param(Query("line 4242", case=True), lambda n: False, id="case"),
        pytest.param(Query("e 12"), lambda n: str(n).startswith("12"), id="many"),
        pytest.param(Query("2026"), lambda n: "2026" in str(n), id="times-arent-searched"),
    ],
)
def test_searches_find_what_is_seen_from_both_ends(path: Path, query: Query, matches: object) -> None:
    log = LogFile(path)
    expected = [n for n in NUMBERS if matches(n)]  # type: ignore[operator]
    assert [line.number for line in log.search(query, limit=5000).lines] == expected
    assert [line.number for line in log.search(query, before=10**9, limit=5000).lines] == expected
    assert [line.number for line in log.search(query, before=5000, limit=3).lines] == [n for n in expected if n < 5000][
        -3:
    ]
    assert [line.number for line in log.search(query, after=1250, before=1255).lines] == [
        n for n in expected if 1250 < n < 1255
    ]


def test_a_search_goes_on_where_it_stopped(path: Path) -> None:
    log, found, after = LogFile(path), [], 0
    while True:
        matches = log.search(Query("line 12"), after=after, limit=10)
        found += [line.number for line in matches.lines]
        if matches.next is None:
            break
        after = matches.next
    assert found == [n for n in NUMBERS if str(n).startswith("12")]


def test_expressions_are_searched_apart(path: Path, tmp_path: Path) -> None:
    found = LogFile(path, home=tmp_path).search(Query("^line 1[23]00 é", regex=True))
    assert [line.number for line in found.lines] == [1200, 1300]
    with pytest.raises(InvalidInput, match="isn't valid"):
        LogFile(path).search(Query("(", regex=True))


@pytest.mark.parametrize("text", ["", "a\nb", "x" * 1001])
def test_what_no_line_can_hold_isnt_looked_for(text: str) -> None:
    with pytest.raises(InvalidInput, match="one to 1000 characters"):
        Query(text)


def test_expressions_take_only_some_processors(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching_apart, "_PLACES", threading.BoundedSemaphore(1))
    monkeypatch.setattr(searching_apart, "_MOST_SECONDS", 0.05)
    with searching_apart._PLACES, pytest.raises(InvalidInput, match="Too many searches"):
        LogFile(path).search(Query("x+", regex=True))
    assert len(LogFile(path).search(Query("line 4242")).lines) == 1
