"""Bodies of requests, unpacked up to a limit: a small one may unpack to any size."""

from __future__ import annotations

import zlib

from mastra_admin_sdk.errors import InvalidInput

# zlib finds out by itself whether it is gzip or zlib, which HTTP calls deflate.
_ANY_HEADER = 32 + zlib.MAX_WBITS
_PACKED = frozenset({"gzip", "x-gzip", "deflate"})
_STEP = 1 << 20


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
    size, rest = 0, body
    while rest:  # gzip may hold several members, one behind the other
        stream = zlib.decompressobj(_ANY_HEADER)
        while not stream.eof:
            part = stream.decompress(rest, min(_STEP, most - size + 1))
            size += len(part)
            parts.append(part)
            if size > most:
                raise too_large(most)
            rest = stream.unconsumed_tail
            if not part and not rest and not stream.eof:
                raise zlib.error("it ends too early")
        rest = stream.unused_data
    return b"".join(parts)
