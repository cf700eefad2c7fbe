"""The native protocol as bytes: what is written can be read, and what makes no sense is said."""

from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra_admin_sdk.adapters.observability.clickhouse.embedded.blocks import (
    copy_block,
    encode_block_head,
    encode_empty_block,
)
from mastra_admin_sdk.adapters.observability.clickhouse.embedded.protocol import (
    REVISION,
    Hello,
    ProtocolError,
    Query,
    Reader,
    ServerPacket,
    encode_exception,
    encode_hello,
    encode_packet,
    encode_text,
    encode_varint,
    read_hello,
    read_query,
)


def read_from(data: bytes) -> Reader:
    file = io.BytesIO(data)

    def read(n: int) -> bytes:
        found = file.read(n)
        if len(found) < n:
            raise EOFError
        return found

    return Reader(read)


def make_query(sql: str, settings: dict[str, str], *, revision: int = REVISION, compressed: int = 0) -> bytes:
    info = b"\x01" + encode_text("") * 3 + b"\x01" + encode_text("u") * 3 + encode_varint(20) * 2
    info += encode_varint(revision) + encode_text("") + encode_varint(2)
    pairs = b"".join(encode_text(name) + b"\x00" + encode_text(value) for name, value in settings.items())
    return (
        encode_text("id")
        + info
        + pairs
        + encode_text("")
        + encode_varint(2)
        + encode_varint(compressed)
        + encode_text(sql)
    )


@given(st.integers(min_value=0, max_value=2**63 - 1))
def test_numbers_come_back(number: int) -> None:
    assert read_from(encode_varint(number)).varint() == number


@given(st.text())
def test_texts_come_back(text: str) -> None:
    assert read_from(encode_text(text)).text() == text.encode("utf-8", "replace").decode("utf-8", "replace")


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_a_hello_comes_back(client: str, database: str, user: str, password: str) -> None:
    numbers = encode_varint(20) + encode_varint(10) + encode_varint(54468)
    data = encode_text(client) + numbers + encode_text(database) + encode_text(user) + encode_text(password)
    assert read_hello(read_from(data)) == Hello(client, 54468, database, user, password)


@given(st.text(max_size=50), st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=8), max_size=4))
def test_a_query_comes_back_with_its_settings(sql: str, settings: dict[str, str]) -> None:
    assert read_query(read_from(make_query(sql, settings)), REVISION) == Query("id", sql, settings, False)


def test_compression_is_noticed() -> None:
    assert read_query(read_from(make_query("SELECT 1", {}, compressed=1)), REVISION).is_compressed


def test_settings_of_an_older_client_are_refused_in_words() -> None:
    with pytest.raises(ProtocolError, match="max_threads can't be read"):
        read_query(read_from(make_query("SELECT 1", {"max_threads": "1"})), 54412)


def test_a_password_is_not_in_a_repr() -> None:
    assert "hunter2" not in repr(Hello("c", 1, "d", "u", "hunter2"))


def test_a_number_without_end_is_refused() -> None:
    with pytest.raises(ProtocolError):
        read_from(b"\xff" * 12).varint()


def test_a_text_of_absurd_length_is_refused_before_it_is_read() -> None:
    with pytest.raises(ProtocolError, match="at most"):
        read_from(encode_varint(1 << 40)).text()


# --- blocks -----------------------------------------------------------------------------------------------------------

INFO = encode_varint(1) + b"\x00" + encode_varint(2) + struct.pack("<i", -1) + encode_varint(0)


def make_block(*columns: tuple[str, str, bytes], rows: int) -> bytes:
    parts = [encode_varint(len(columns)), encode_varint(rows)]
    parts += [encode_text(name) + encode_text(kind) + data for name, kind, data in columns]
    return b"".join(parts)


def copy(data: bytes, revision: int = REVISION) -> tuple[int, bytes]:
    copied = bytearray()
    rows = copy_block(read_from(data), revision, copied.extend)
    return rows, bytes(copied)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=8))
def test_a_block_is_passed_on_as_it_came(texts: list[bytes]) -> None:
    strings = b"".join(map(encode_text, texts))
    numbers = struct.pack(f"<{len(texts)}Q", *range(len(texts)))
    nulls = bytes(len(texts)) + strings
    block = make_block(
        ("a", "String", strings), ("b", "UInt64", numbers), ("c", "Nullable(String)", nulls), rows=len(texts)
    )
    assert copy(encode_text("") + INFO + block) == (len(texts), block)


@pytest.mark.parametrize(
    ("kind", "width"),
    [
        ("UInt8", 1),
        ("Int16", 2),
        ("Float32", 4),
        ("DateTime", 4),
        ("DateTime64(3, 'UTC')", 8),
        ("UUID", 16),
        ("Bool", 1),
    ],
)
def test_columns_of_fixed_width_are_passed_on(kind: str, width: int) -> None:
    block = make_block(("n", kind, bytes(range(width * 2))), rows=2)
    assert copy(encode_text("") + INFO + block) == (2, block)


def test_an_empty_block_ends_the_data() -> None:
    assert copy(encode_text("") + INFO + encode_varint(0) * 2) == (0, b"")


@pytest.mark.parametrize("kind", ["LowCardinality(String)", "Array(String)", "JSON", "Tuple(String, String)"])
def test_a_column_whose_size_can_not_be_told_is_refused(kind: str) -> None:
    with pytest.raises(ProtocolError, match="can't be inserted"):
        copy(encode_text("") + INFO + make_block(("x", kind, b""), rows=1))


def test_external_tables_are_refused() -> None:
    with pytest.raises(ProtocolError, match="External tables"):
        copy(encode_text("table") + INFO + encode_varint(0) * 2)


def test_a_torn_block_is_the_end_of_the_connection() -> None:
    with pytest.raises(EOFError):
        copy(encode_text("") + INFO + make_block(("a", "String", encode_varint(10) + b"abc"), rows=1))


# --- answers ----------------------------------------------------------------------------------------------------------


def test_a_hello_has_what_the_revision_of_the_client_expects() -> None:
    new, old = (read_from(encode_hello(revision, (26, 9, 2))) for revision in (REVISION, 54000))
    for reader in (new, old):
        assert (reader.varint(), reader.text()) == (ServerPacket.HELLO, "ClickHouse")
        assert (reader.varint(), reader.varint(), reader.varint()) == (26, 9, REVISION)
    assert (new.text(), new.text(), new.varint()) == ("UTC", "embedded", 2)
    with pytest.raises(EOFError):
        old.varint()


def test_an_exception_has_code_and_message() -> None:
    reader = read_from(encode_exception(241, "memory é"))
    assert reader.varint() == ServerPacket.EXCEPTION
    assert struct.unpack("<i", reader.raw(4)) == (241,)
    assert (reader.text(), reader.text(), reader.text(), reader.raw(1)) == (
        "DB::Exception",
        "DB::Exception: memory é",
        "",
        b"\x00",
    )


def test_an_empty_block_has_names_and_types() -> None:
    reader = read_from(encode_block_head(REVISION) + encode_empty_block([("a", "UInt8"), ("b", "String")]))
    assert (reader.varint(), reader.text()) == (ServerPacket.DATA, "")
    assert reader.raw(len(INFO)) == INFO
    assert (reader.varint(), reader.varint()) == (2, 0)
    assert [reader.text() for _ in range(4)] == ["a", "UInt8", "b", "String"]


def test_packets_without_content_are_one_byte() -> None:
    assert (encode_packet(ServerPacket.PONG), encode_packet(ServerPacket.END_OF_STREAM)) == (b"\x04", b"\x05")
