"""What a request to the collector brings: a token, whose it is, and a body that is read up to a limit."""

from __future__ import annotations

from dataclasses import dataclass

from flask import request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wsgi import get_input_stream

from mastra_admin_sdk.errors import InvalidInput, InvalidToken
from mastra_admin_sdk.services.collector.bodies import too_large, unpack
from mastra_admin_sdk.services.collector.owners import Claim

from ..problems import Refused

JSON = "application/json"
PROTOBUF = "application/x-protobuf"

_STEP = 1 << 16
_MOST_TO_DISCARD = 4
_HINT = "Send Authorization: Bearer <token>; `mastra-admin tokens create <name>` makes one."


def read_token() -> str:
    """Return the token that a request shows.

    Raises:
        InvalidToken: it shows none.
    """
    kind, _, given = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not given.strip():
        raise InvalidToken("This needs a token.", hint=_HINT)
    return given.strip()


def read_claim(project: str | None) -> Claim:
    """Return what path and headers say of whose the telemetry is."""
    headers = request.headers
    return Claim(
        project or headers.get("X-Mastra-Project") or None,
        headers.get("X-Mastra-Deployment") or None,
        headers.get("X-Mastra-Build") or None,
    )


def find_type(*known: str) -> str:
    """Return the type of the body.

    Raises:
        Refused: it is none of the known ones (415).
    """
    if request.mimetype not in known:
        said = request.mimetype[:80] or "no Content-Type"
        raise Refused(415, "unsupported_media_type", f"The body is {said}.", hint=f"Send {' or '.join(known)}.")
    return request.mimetype


@dataclass(frozen=True, slots=True)
class PackedBody:
    """A body as it was sent, and how it is packed."""

    data: bytes
    encoding: str

    def unpack(self, most: int) -> bytes:
        """Return it unpacked.

        Raises:
            BodyTooLarge, EncodingUnknown, InvalidInput: it is larger than ``most`` bytes then, packed in an unknown
                way, or damaged.
        """
        return unpack(self.data, self.encoding, most=most)


def read_body(most: int) -> PackedBody:
    """Return the body as it was sent.

    The application's own limit is that of forms; here a request may be larger.

    Raises:
        BodyTooLarge, InvalidInput: it is larger than ``most`` bytes, or incomplete.
    """
    return PackedBody(_read_raw(most), request.headers.get("Content-Encoding", ""))


def _read_raw(most: int) -> bytes:
    length = request.content_length
    if length is not None and length > most:
        _discard(length, most)
        raise too_large(most)
    try:
        stream = get_input_stream(request.environ, max_content_length=most + 1)
        body = stream.read()
    except RequestEntityTooLarge as exc:
        raise too_large(most) from exc
    except OSError as exc:
        raise InvalidInput("The body wasn't sent completely.") from exc
    if length is not None and len(body) < length:
        raise InvalidInput("The body wasn't sent completely.")
    return bytes(body)


def _discard(length: int, most: int) -> None:
    """Read what is too large to its end, unless it is much too large: who still sends doesn't read the answer."""
    if length > _MOST_TO_DISCARD * most:
        return
    stream = get_input_stream(request.environ)
    while stream.read(_STEP):
        pass
