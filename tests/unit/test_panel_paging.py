"""Pages and their cursors."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

import pytest

from mastra_admin_panel.paging import cut_page, decode_place, encode_place, read_cursor, write_cursor
from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.models import Cursor

NOON = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)


@dataclass(frozen=True)
class Item:
    id: str
    created_at: datetime = NOON


def pack(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def test_a_cursor_comes_back_as_it_was() -> None:
    cursor = Cursor(NOON, "b5d5")
    assert read_cursor(write_cursor(cursor)) == cursor
    assert read_cursor(None) is None


def test_a_cursor_is_utc_whatever_zone_its_time_had() -> None:
    there = NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert read_cursor(write_cursor(Cursor(there, "x"))) == Cursor(NOON, "x")


def test_a_cursor_fits_into_a_query() -> None:
    text = write_cursor(Cursor(NOON, "ü?&=/+"))
    assert set(text) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


def test_the_last_page_has_no_next() -> None:
    assert cut_page([Item("c"), Item("b")], 2) == ([Item("c"), Item("b")], None)
    assert cut_page([], 2) == ([], None)


def test_a_page_with_more_behind_it_says_where_that_begins() -> None:
    kept, following = cut_page([Item("c"), Item("b"), Item("a")], 2)
    assert kept == [Item("c"), Item("b")]
    assert read_cursor(following) == Cursor(NOON, "b")


def test_places_may_be_of_other_things() -> None:
    text = encode_place(1.5, None, "x")
    assert decode_place(text, float, (str, type(None)), str) == (1.5, None, "x")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("x", id="short"),
        pytest.param("!!!!", id="no-base64"),
        pytest.param("é", id="not-ascii"),
        pytest.param(base64.urlsafe_b64encode(b"\xff\xfe").decode(), id="binary"),
        pytest.param(pack({}), id="object"),
        pytest.param(pack([]), id="nothing"),
        pytest.param(pack(["2026-11-23T12:00:00+00:00"]), id="too-few"),
        pytest.param(pack(["2026-11-23T12:00:00+00:00", "a", "b"]), id="too-many"),
        pytest.param(pack(["2026-11-23T12:00:00", "a"]), id="no-zone"),
        pytest.param(pack(["0001-01-01T00:00:00+00:00", "a"]), id="first-year"),
        pytest.param(pack(["9999-12-31T23:59:59-12:00", "a"]), id="last-year"),
        pytest.param(pack(["yesterday", "a"]), id="no-time"),
        pytest.param(pack(["2026-11-23T12:00:00+00:00", ""]), id="no-id"),
        pytest.param(pack(["2026-11-23T12:00:00+00:00", "a\0"]), id="nul"),
        pytest.param(pack(["2026-11-23T12:00:00+00:00", "\ud800"]), id="surrogate"),
        pytest.param(pack(["2026-11-23T12:00:00+00:00", 1]), id="number"),
        pytest.param(pack([True, "a"]), id="boolean"),
        pytest.param(pack(["2026-11-23T12:00:00+00:00", "a" * 400]), id="long-id"),
        pytest.param("A" * 100_000, id="long"),
        pytest.param(base64.urlsafe_b64encode(b"[" * 700).decode(), id="deep"),
    ],
)
def test_a_cursor_that_nobody_made_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidInput, match="cursor") as caught:
        read_cursor(text)
    assert list(caught.value.evidence["fields"]) == ["cursor"]


@pytest.mark.parametrize("raw", [b"[NaN]", b"[1e999]", b"[true]", b"[99999999999999999999]"])
def test_a_place_has_numbers_that_can_be_compared(raw: bytes) -> None:
    with pytest.raises(InvalidInput):
        decode_place(base64.urlsafe_b64encode(raw).decode(), (int, float))
