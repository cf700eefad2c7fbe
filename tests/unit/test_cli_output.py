"""Words for people: tables that fit, look-alikes for poor terminals, JSON that can always be read."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime

import pytest

from mastra_admin_sdk.cli.output import dump_json, encodable, paint_state, shorten_path, wrap
from mastra_admin_sdk.cli.tables import Column, render_table


def make_stream(encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding)


def test_a_table_that_fits_is_not_cut() -> None:
    columns = (Column("NAME", shrink=True), Column("N", right=True))
    assert render_table(columns, [("a", 1), ("bcd", 22)], width=80) == ["NAME   N", "a      1", "bcd   22"]


def test_only_columns_that_may_shrink_are_cut() -> None:
    columns = (Column("ID"), Column("NAME", shrink=True))
    lines = render_table(columns, [("0123456789abcdef", "a rather long name")], width=26)
    assert lines[1] == "0123456789abcdef  a rathe…"


def test_wide_characters_take_two_columns() -> None:
    lines = render_table((Column("NAME"), Column("X")), [("天気", "x"), ("ab", "x")], width=80)
    assert lines[1:] == ["天気  x", "ab    x"]


def test_nothing_shows_as_a_dash_and_controls_as_blanks() -> None:
    lines = render_table((Column("A"), Column("B")), [(None, ""), ("x\ny", "\x1b[2J")], width=80)
    assert lines[1].split() == ["—", "—"]
    assert "\x1b" not in lines[2]
    assert "\n" not in lines[2]


def test_lines_below_a_row_are_never_cut() -> None:
    address = "http://" + "x" * 100
    assert render_table((Column("A"),), [("a",), ("b",)], width=10, below=[[address], []])[2] == address


def test_states_are_coloured_without_moving_columns() -> None:
    columns = (Column("STATE", state=True), Column("X"))
    lines = render_table(columns, [("running", "x"), ("failed", "x")], width=80)
    assert lines[1] == "\x1b[32mrunning\x1b[0m  x"
    assert lines[2] == "\x1b[31mfailed\x1b[0m   x"
    assert paint_state("stopped") == "stopped"


def test_a_poor_terminal_gets_look_alikes() -> None:
    assert encodable("✓ a → b … ü 天", make_stream("ascii")) == "+ a -> b ... ? ?"
    assert encodable("✓ a → b … ü 天", make_stream("latin-1")) == "+ a -> b ... ü ?"
    assert encodable("✓ 天", make_stream("utf-8")) == "✓ 天"


def test_json_holds_times_and_is_ascii_for_a_poor_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    value = {"at": datetime(2026, 1, 2, tzinfo=UTC), "text": "ü…"}
    monkeypatch.setattr("sys.stdout", make_stream("ascii"))
    text = dump_json(value)
    assert text.isascii()
    assert json.loads(text) == {"at": "2026-01-02T00:00:00+00:00", "text": "ü…"}


def test_words_are_wrapped_and_addresses_never_cut() -> None:
    address = "http://" + "x" * 30
    assert list(wrap(f"look at {address} now", 20, indent="  ")) == ["  look at", f"  {address}", "  now"]


@pytest.mark.parametrize(
    ("path", "width", "expected"),
    [
        ("/home/me/agents/x", 80, "~/agents/x"),
        ("/home/meadow/x", 80, "/home/meadow/x"),
        ("/srv/a/long/path/agent", 12, "…/path/agent"),
    ],
    ids=["own folder", "a namesake", "too wide"],
)
def test_paths_are_shortened_at_their_start(
    monkeypatch: pytest.MonkeyPatch, path: str, width: int, expected: str
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert shorten_path(path, width) == expected
