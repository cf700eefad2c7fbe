"""Bodies of requests, unpacked up to a limit: a small one may unpack to any size."""

from __future__ import annotations

import zlib

from mastra_admin_sdk.errors import InvalidInput

# zlib finds out by itself whether it is gzip or zlib, which HTTP calls deflate.
_ANY_HEADER = 32 + zlib.MAX_WBITS
_PACKED = frozenset({"gzip", "x-gzip", "deflate"})
_STEP = 1 << 20
_PIECE = 1 << 16
_MOST_MEMBERS = 10_000


class BodyTooLarge(InvalidInput):
    """Raised when a body is larger than what is taken."""


class EncodingUnknown(InvalidInput):
    """Raised when a body is packed in a way that isn't known here."""


def unpack(body: bytes, encoding: str, *, most: int) -> bytes:
    """Return a body as it was before it was packed.

    Parameters:
        body: as it was sent.
        encoding: the header ``Content-Encoding``; empty or ``identity`` when it wasn't packed.
        most: how many bytes it may have when it is unpacked.

    Raises:
        EncodingUnknown: it is packed in another way than gzip or deflate.
        BodyTooLarge: it is larger than that.
        InvalidInput: what was packed is damaged or incomplete.
    """
    way = encoding.strip().lower()
    if way in {"", "identity"}:
        if len(body) > most:
            raise too_large(most)
        return body
    if way not in _PACKED:
        raise EncodingUnknown(f"The encoding {way[:40]!r} isn't known.", hint="Send gzip, deflate or no encoding.")
    try:
        return _inflate(body, most)
    except zlib.error as exc:
        raise InvalidInput(f"The body isn't {way}: {exc}.", hint="See that it is sent completely.") from exc


def too_large(most: int) -> BodyTooLarge:
    """Return the error for a body of more than ``most`` bytes."""
    return BodyTooLarge(
        f"The body is larger than {most / 1e6:.0f} MB.",
        hint="Send smaller batches, or raise the setting collector_body_mb.",
    )


def _inflate(body: bytes, most: int) -> bytes:
    parts: list[bytes] = []
    size, members, stream = 0, 0, None
    # In pieces, because what zlib leaves over is a copy each time.
    for start in range(0, len(body), _PIECE):
        rest = body[start : start + _PIECE]
        while rest:
            if stream is None or stream.eof:  # gzip may hold several members, one behind the other
                members, stream = members + 1, zlib.decompressobj(_ANY_HEADER)
                if members > _MOST_MEMBERS:
                    raise zlib.error(f"it is in more than {_MOST_MEMBERS:,} parts")
            parts.append(stream.decompress(rest, min(_STEP, most - size + 1)))
            size += len(parts[-1])
            if size > most:
                raise too_large(most)
            rest = stream.unused_data if stream.eof else stream.unconsumed_tail
    while stream is not None and not stream.eof:  # what was read, but had no room in the last part
        parts.append(stream.decompress(b"", min(_STEP, most - size + 1)))
        size += len(parts[-1])
        if size > most:
            raise too_large(most)
        if not parts[-1] and not stream.eof:
            raise zlib.error("it ends too early")
    return b"".join(parts)
