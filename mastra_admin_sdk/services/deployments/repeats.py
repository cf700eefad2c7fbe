"""Requests that are sent again: whoever gives each a key of its own gets one build, however often it arrives."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from mastra_admin_sdk.errors import Conflict, InvalidInput, NotFound, StaleState
from mastra_admin_sdk.models import Build, IdempotencyKey, utc_now
from mastra_admin_sdk.services.parts import Parts

KEPT = timedelta(hours=24)
"""How long a key stands for its request."""

LONGEST_KEY = 500


def queue_once(
    parts: Parts, key: str | None, request: Mapping[str, Any], queue: Callable[[IdempotencyKey | None], Build]
) -> Build:
    """Queue a build unless a request of the same key has done so, and return it.

    Parameters:
        key: what the sender calls this request; without it, it is a new one each time.
        request: what is asked for, as JSON.
        queue: queues the build and stores the key with it.

    Raises:
        Conflict: the key stands for another request, or for a build that was removed.
        InvalidInput: it is no key.
    """
    if key is None:
        return queue(None)
    wanted = _make_key(key, request)
    known = _find(parts, wanted)
    if known is None:
        try:
            return queue(wanted)
        except StaleState:  # another process was asked at the same time
            known = _find(parts, wanted)
            if known is None:
                raise
    return _read_build(parts, key, wanted, known)


def _make_key(key: str, request: Mapping[str, Any]) -> IdempotencyKey:
    if not key.strip() or not key.isprintable() or len(key) > LONGEST_KEY:
        raise InvalidInput(
            "That is no idempotency key.", hint=f"Give up to {LONGEST_KEY} printable characters, such as a UUID."
        )
    text = json.dumps(request, sort_keys=True, ensure_ascii=True)
    return IdempotencyKey(_digest(key), _digest(text), expires_at=utc_now() + KEPT)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _find(parts: Parts, wanted: IdempotencyKey) -> IdempotencyKey | None:
    try:
        return parts.storage.idempotency_keys.get(wanted.digest)
    except NotFound:
        return None


def _read_build(parts: Parts, key: str, wanted: IdempotencyKey, known: IdempotencyKey) -> Build:
    if known.fingerprint != wanted.fingerprint:
        raise Conflict(
            f"The idempotency key {key[:100]!r} was used for another request {_tell_age(known)} ago.",
            hint="Give each request a key of its own; send one again with the very same values.",
        )
    try:
        if known.build_id is not None:
            return parts.storage.builds.get(known.build_id)
    except NotFound:
        pass  # removed in this moment: the same as before
    raise Conflict(
        f"What was queued under the idempotency key {key[:100]!r} {_tell_age(known)} ago was removed since.",
        hint="Use another key to ask for it anew.",
    )


def _tell_age(known: IdempotencyKey) -> str:
    seconds = max(0, int((utc_now() - known.created_at).total_seconds()))
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"
