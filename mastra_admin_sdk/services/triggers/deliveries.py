"""What webhooks of GitHub, GitLab, Gitea, Forgejo, Gogs and plain programs send, checked and read. Pure functions.

Header names are lower case here.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from mastra_admin_sdk.errors import InvalidInput

_SIGNATURES = ("x-hub-signature-256", "x-forgejo-signature", "x-gitea-signature", "x-gogs-signature")
_EVENTS = ("x-github-event", "x-forgejo-event", "x-gitea-event", "x-gogs-event", "x-gitlab-event")
_IDS = ("x-github-delivery", "x-forgejo-delivery", "x-gitea-delivery", "x-gogs-delivery", "x-gitlab-event-uuid")
_PUSHES = frozenset({"push", "push hook", "tag push hook"})
_FORM = "application/x-www-form-urlencoded"
_LONGEST_NAME = 80
_LONGEST_REF = 250
_LONGEST_COMMIT = 64


@dataclass(frozen=True, slots=True)
class Push:
    """What was pushed: a branch or tag by its short name, the commit it is at now, and by whom."""

    branch: str
    commit: str | None = None
    deleted: bool = False
    sender: str | None = None


def is_genuine(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """True when a request proves that its sender knows the secret.

    By an HMAC-SHA256 of the body in one of the headers of GitHub, Forgejo, Gitea and Gogs; else by the secret itself
    in ``X-Gitlab-Token`` or as a Bearer token. The first of them that is there decides.
    """
    for name in _SIGNATURES:
        if name in headers:
            expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
            return _is_equal(headers[name].strip().lower().removeprefix("sha256="), expected)
    if "x-gitlab-token" in headers:
        return _is_equal(headers["x-gitlab-token"], secret)
    kind, _, given = headers.get("authorization", "").partition(" ")
    return kind.lower() == "bearer" and _is_equal(given.strip(), secret)


def read_id(headers: Mapping[str, str]) -> str | None:
    """Return the id under which a service delivers, and delivers again; ``None`` for one that sends none."""
    return next((headers[name][:200] for name in _IDS if headers.get(name)), None)


def read_push(headers: Mapping[str, str], body: bytes) -> Push | None:
    """Return what was pushed; ``None`` for an event that is no push, such as a ping.

    Raises:
        InvalidInput: the body is no JSON object, or names no branch or tag.
    """
    event = next((headers[name].lower() for name in _EVENTS if headers.get(name)), "push")
    if event not in _PUSHES:
        return None
    payload = _read_payload(headers, body)
    after = payload.get("after")
    commit = after[:_LONGEST_COMMIT] if isinstance(after, str) and after else None
    gone = payload.get("deleted") is True or (commit is not None and not commit.strip("0"))
    return Push(_read_branch(payload), None if gone else commit, gone, _read_sender(payload))


def _read_payload(headers: Mapping[str, str], body: bytes) -> Mapping[str, Any]:
    kind = headers.get("content-type", "")
    try:
        text = body.decode("utf-8")
        # curl names a form whatever it sends: what looks like JSON is taken for that.
        if kind.lower().startswith(_FORM) and not text.lstrip().startswith(("{", "[")):
            text = parse_qs(text, max_num_fields=100).get("payload", [""])[0]
        payload = json.loads(text)
    except (ValueError, RecursionError) as exc:
        named = f"content type {kind[:_LONGEST_NAME]!r}" if kind else "without a content type"
        raise InvalidInput(
            f"The body of the webhook is no JSON ({named}).",
            hint="Send JSON, or a form that has it as its payload: in the service, choose application/json.",
        ) from exc
    if not isinstance(payload, dict):
        raise InvalidInput("The body of the webhook is no JSON object.")
    return payload


def _read_branch(payload: Mapping[str, Any]) -> str:
    ref = payload.get("ref")
    if not isinstance(ref, str) or not ref or len(ref) > _LONGEST_REF:
        raise InvalidInput('The webhook names no branch or tag: its body needs "ref", such as "refs/heads/main".')
    for prefix in ("refs/heads/", "refs/tags/"):
        if ref.startswith(prefix):
            return ref.removeprefix(prefix)
    return ref


def _read_sender(payload: Mapping[str, Any]) -> str | None:
    """Whoever pushed, as far as the payload says so: only a name for the record, nothing is allowed because of it."""
    pusher = payload.get("pusher")
    named = pusher if isinstance(pusher, dict) else {}
    found = (payload.get("user_username"), named.get("login"), named.get("username"), named.get("name"))
    name = next((item for item in found if isinstance(item, str) and item), "")
    return "".join(char for char in name if char.isprintable())[:_LONGEST_NAME] or None


def _is_equal(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), expected.encode())
