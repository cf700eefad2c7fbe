"""Which lines of telemetry files an erasure concerns, by their bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from mastra_admin_sdk.ports.observability import Erasure

USER_KEYS = ("resourceId", "resource_id", "userId", "user_id", "user.id", "enduser.id")
THREAD_KEYS = ("threadId", "thread_id", "session.id", "gen_ai.conversation.id")

_TRACE = re.compile(rb'"traceId\\*"\s*:\s*\\*"([^"\\]+)')


class LineMatcher(Protocol):
    """Says of a line, without its line end, whether it goes."""

    def __call__(self, line: bytes) -> bool: ...


def make_matcher(erasure: Erasure) -> LineMatcher:
    """Return what finds in files the lines whose rows an erasure removes."""
    if erasure.trace_ids is not None:
        return _match_traces(erasure.trace_ids, erasure.mentions)
    return _match_owner(erasure)


def list_mentions(keys: Iterable[str], value: str) -> tuple[str, ...]:
    """Return the texts by which JSON says that one of some fields has a value, also JSON inside of a text."""
    plain = dict.fromkeys(json.dumps(value, ensure_ascii=ascii_only) for ascii_only in (False, True))
    texts = [f'"{key}":{space}{told}' for key in keys for told in plain for space in ("", " ")]
    inner = [json.dumps(text, ensure_ascii=ascii_only)[1:-1] for text in texts for ascii_only in (False, True)]
    return tuple(dict.fromkeys([*texts, *inner]))


def _match_traces(trace_ids: Sequence[str], mentions: Sequence[str]) -> LineMatcher:
    wanted = {trace_id.encode() for trace_id in trace_ids}
    texts = [text.encode("utf-8", "replace") for text in mentions]

    def matches(line: bytes) -> bool:
        return any(found[1] in wanted for found in _TRACE.finditer(line)) or any(text in line for text in texts)

    return matches


def _match_owner(erasure: Erasure) -> LineMatcher:
    def matches(line: bytes) -> bool:
        # Whose a line is can only be in it as text; most lines are somebody else's, and need not be read.
        if erasure.project_id is not None and erasure.project_id.encode() not in line:
            return False
        try:
            record = json.loads(line)
        except ValueError:
            return False
        return isinstance(record, dict) and _belongs(record, erasure)

    return matches


def _belongs(record: Mapping[str, Any], erasure: Erasure) -> bool:
    deployments = erasure.deployment_ids
    if erasure.project_id is not None and record.get("projectId") != erasure.project_id:
        return False
    if deployments is not None and record.get("deploymentId") not in deployments:
        return False
    if erasure.build_id is not None and record.get("buildId") != erasure.build_id:
        return False
    moment = _find_time(record)
    if moment is None:
        return erasure.since is None and erasure.until is None
    return (erasure.since is None or moment >= erasure.since) and (erasure.until is None or moment < erasure.until)


def _find_time(record: Mapping[str, Any]) -> datetime | None:
    """Return the time that a line's row has."""
    data = record.get("data")
    told = data.get("startTime" if record.get("type") == "span" else "timestamp") if isinstance(data, dict) else None
    try:
        if isinstance(told, str):
            moment = datetime.fromisoformat(told)
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        return datetime.fromtimestamp(float(record["timestamp"]) / 1000, UTC)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return None
