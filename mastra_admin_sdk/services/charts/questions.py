"""Which spans a chart is about, and how they are grouped: pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mastra_admin_sdk.errors import InvalidInput

GROUPS: Mapping[str, str] = {
    "project": "project_id",
    "deployment": "deployment_id",
    "build": "build_id",
    "agent": "agent",
    "model": "model",
    "provider": "provider",
    "type": "type",
    "name": "name",
    "entity": "entity_name",
    "user": "resource_id",
    "thread": "thread_id",
}
"""What charts can be split by, and the column of an answer that has it."""

_OWN_KINDS: Mapping[str, tuple[str, str]] = {
    "model": ("model_generation", "model calls"),
    "provider": ("model_generation", "model calls"),
    "agent": ("agent_run", "agent runs"),
}
_SAID = frozenset({"type", "name", "model", "agent", "trace_id", "roots", "text", "attributes"})
_ANY_SPAN = frozenset({"type", "name", "entity"})


@dataclass(frozen=True, slots=True)
class Subject:
    """Which spans are counted, as filters, and what one calls them."""

    filters: Mapping[str, Any]
    name: str


def find_subject(by: str | None, filters: Mapping[str, Any]) -> Subject:
    """Return which spans a chart of latency, requests or errors counts.

    What was asked of the servers, unless a filter says otherwise, or what it is split by is found in other spans:
    models in model calls, agents in agent runs.
    """
    if _SAID & {name for name, value in filters.items() if value is not None}:
        return Subject({}, _name_type(filters.get("type")))
    if by is not None and by in _OWN_KINDS:
        kind, name = _OWN_KINDS[by]
        return Subject({"type": kind}, name)
    return Subject({}, "spans") if by in _ANY_SPAN else Subject({"roots": True}, "requests")


def find_group(by: str | None, *, also: Sequence[str] = ()) -> str | None:
    """Return the column for what something is split by; `InvalidInput` when it can't be.

    Parameters:
        also: further columns that can be named.
    """
    if by is None or by in also:
        return by
    if by not in GROUPS:
        raise InvalidInput(f"This can't be split by {by!r}.", hint=f"There are: {', '.join([*GROUPS, *also])}.")
    return GROUPS[by]


def _name_type(kind: Any) -> str:
    return {"agent_run": "agent runs", "model_generation": "model calls", "tool_call": "tool calls"}.get(
        kind if isinstance(kind, str) else "", "spans"
    )
