"""Cutting output into lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra_admin_sdk.adapters.runner.local.lines import MAX_LINE_BYTES, LineSplitter


def split(*chunks: bytes) -> list[str]:
    splitter = LineSplitter()
    return [line for chunk in chunks for line in splitter.feed(chunk)] + list(splitter.finish())


@pytest.mark.parametrize(
    ("chunks", "lines"),
    [
        pytest.param([b"one\ntwo\n"], ["one", "two"], id="whole"),
        pytest.param([b"o", b"ne\nt", b"wo"], ["one", "two"], id="torn"),
        pytest.param([b"\n\n"], ["", ""], id="empty-lines"),
        pytest.param([b"dos\r\n"], ["dos"], id="carriage-return"),
        pytest.param(["ü".encode()[:1], "ü".encode()[1:] + b"\n"], ["ü"], id="torn-character"),
        pytest.param([b"\xff\xfe\n"], ["��"], id="binary"),
        pytest.param([], [], id="nothing"),
    ],
)
def test_chunks_become_lines(chunks: list[bytes], lines: list[str]) -> None:
    assert split(*chunks) == lines


def test_an_endless_line_is_cut_and_says_so_and_the_next_is_whole() -> None:
    chunks = [b"x" * 100_000] * 20 + [b"\nnext\n"]
    first, second = split(*chunks)
    assert first == "x" * MAX_LINE_BYTES + f" … [{2_000_000 - MAX_LINE_BYTES} bytes cut]"
    assert second == "next"


@given(st.lists(st.binary(max_size=50), max_size=20))
def test_how_output_is_torn_makes_no_difference(chunks: list[bytes]) -> None:
    assert split(*chunks) == split(b"".join(chunks))
