"""ClickHouse's native protocol, as far as the engine speaks it: bytes to messages and back, no sockets.

The server announces revision 54429. From there on settings travel as text, and what later revisions add to blocks and
to the handshake isn't there yet, so a result block is what chDB writes as ``FORMAT Native`` behind a short head.

A client's packet: hello 0, query 1, data 2, cancel 3, ping 4. A server's: hello 0, data 1, exception 2, pong 4, end 5.
What stands in data packets is in `blocks`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol

REVISION = 54429
SERVER_NAME = "ClickHouse"
MAX_TEXT = 64 * 1024 * 1024
"""No name, setting or query text is longer; a longer one means that the peer doesn't speak this protocol."""

_PIECE = 1 << 20

_WITH_CLIENT_INFO = 54032
_WITH_TIME_ZONE = 54058
_WITH_QUOTA_KEY = 54060
_WITH_DISPLAY_NAME = 54372
_WITH_VERSION_PATCH = 54401
_WITH_TEXT_SETTINGS = 54429

_NUMBERS = frozenset({"readonly", "max_execution_time"})
"""Settings of clients older than text settings that can be read: their value is a number."""


class ClientPacket(IntEnum):
    """What a client's packet begins with."""

    HELLO = 0
    QUERY = 1
    DATA = 2
    CANCEL = 3
    PING = 4


class ServerPacket(IntEnum):
    """What a server's packet begins with."""

    HELLO = 0
    DATA = 1
    EXCEPTION = 2
    PONG = 4
    END_OF_STREAM = 5


class ProtocolError(Exception):
    """Raised when a peer sends what this protocol doesn't have; the connection can't be used any more."""


class Source(Protocol):
    """Where bytes come from: exactly ``n`` of them, or `EOFError`."""

    def __call__(self, n: int, /) -> bytes:
        """Return exactly ``n`` bytes."""
        ...


@dataclass(frozen=True, slots=True)
class Hello:
    """How a client introduces itself."""

    client: str
    revision: int
    database: str
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Query:
    """One query as a client sent it."""

    id: str
    sql: str
    settings: dict[str, str]
    is_compressed: bool


class Reader:
    """Reads the parts of messages from a source of bytes."""

    def __init__(self, source: Source) -> None:
        self.raw = source

    def varint(self) -> int:
        """Read an unsigned number, seven bits a byte, lowest first."""
        value = shift = 0
        while True:
            byte = self.raw(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
            if shift > 63:
                raise ProtocolError("A number is longer than 64 bits.")

    def copy(self, n: int, write: Callable[[bytes], object]) -> None:
        """Pass ``n`` bytes on, a piece at a time: they may be more than fit into memory."""
        while n:
            piece = self.raw(min(n, _PIECE))
            write(piece)
            n -= len(piece)

    def text(self) -> str:
        """Read a length and that many bytes of UTF-8."""
        length = self.varint()
        if length > MAX_TEXT:
            raise ProtocolError(f"A text of {length} bytes was announced; at most {MAX_TEXT} are allowed.")
        return self.raw(length).decode("utf-8", errors="replace")


def read_hello(reader: Reader) -> Hello:
    """Read a client's first packet, whose kind has been read already."""
    client = reader.text()
    reader.varint()
    reader.varint()
    revision = reader.varint()
    return Hello(client, revision, reader.text(), reader.text(), reader.text())


def read_query(reader: Reader, revision: int) -> Query:
    """Read a query packet, whose kind has been read already."""
    query_id = reader.text()
    if revision >= _WITH_CLIENT_INFO:
        _skip_client_info(reader, revision)
    settings = _read_settings(reader, revision)
    reader.varint()  # the stage, which is always "complete" for a client that isn't a server itself
    is_compressed = bool(reader.varint())
    return Query(query_id, reader.text(), settings, is_compressed)


def encode_varint(value: int) -> bytes:
    """Return an unsigned number, seven bits a byte, lowest first."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def encode_text(text: str | bytes) -> bytes:
    """Return a text with its length before it."""
    raw = text.encode() if isinstance(text, str) else text
    return encode_varint(len(raw)) + raw


def encode_hello(revision: int, version: tuple[int, int, int]) -> bytes:
    """Return the server's answer to a hello; ``revision`` is the lower one of both sides."""
    parts = [encode_varint(ServerPacket.HELLO), encode_text(SERVER_NAME)]
    parts += [encode_varint(version[0]), encode_varint(version[1]), encode_varint(REVISION)]
    if revision >= _WITH_TIME_ZONE:
        parts.append(encode_text("UTC"))
    if revision >= _WITH_DISPLAY_NAME:
        parts.append(encode_text("embedded"))
    if revision >= _WITH_VERSION_PATCH:
        parts.append(encode_varint(version[2]))
    return b"".join(parts)


def encode_exception(code: int, message: str) -> bytes:
    """Return an exception packet, in ClickHouse's own form; clients show the code and the message."""
    text = encode_text(f"DB::Exception: {message.rstrip('.')}")
    body = struct.pack("<i", code) + encode_text("DB::Exception") + text + encode_text("") + b"\0"
    return encode_varint(ServerPacket.EXCEPTION) + body


def encode_packet(packet: ServerPacket) -> bytes:
    """Return a packet that has nothing but its kind: pong or end of stream."""
    return encode_varint(packet)


def _skip_client_info(reader: Reader, revision: int) -> None:
    if not reader.raw(1)[0]:
        return
    for _ in range(3):  # initial user, query id and address
        reader.text()
    interface = reader.raw(1)[0]
    if interface != 1:
        raise ProtocolError("Only clients of the native protocol over TCP are served.")
    for _ in range(3):  # user of the operating system, host, client
        reader.text()
    for _ in range(3):  # version and revision
        reader.varint()
    if revision >= _WITH_QUOTA_KEY:
        reader.text()
    if revision >= _WITH_VERSION_PATCH:
        reader.varint()


def _read_settings(reader: Reader, revision: int) -> dict[str, str]:
    settings: dict[str, str] = {}
    while name := reader.text():
        if revision >= _WITH_TEXT_SETTINGS:
            reader.raw(1)
            settings[name] = reader.text()
        elif name in _NUMBERS:
            settings[name] = str(reader.varint())
        else:
            # Older clients send values in binary, in a form that depends on the name: it can't even be skipped.
            raise ProtocolError(f"The setting {name} can't be read: it needs a client of revision 54429 or newer.")
    return settings
