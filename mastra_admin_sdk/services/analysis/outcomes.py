"""What came of a run, and how two outcomes differ (pure)."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mastra_admin_sdk.services.telemetry.values import read_value

_MOST_LINES = 2_000
_LONGEST_DIFF = 4_000
_EMPTY: tuple[Any, ...] = (None, "", [], {})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one run. ``output`` is any JSON value; what isn't known is ``None``."""

    output: Any = None
    status: str | None = None
    duration_ms: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    trace_id: str | None = None


def simplify_output(value: Any) -> Any:
    """Return what an answer is about: the object or the text of an agent's answer, the result of a workflow's."""
    value = read_value(value)
    if not isinstance(value, Mapping):
        return value
    if value.get("object") not in _EMPTY:
        return value["object"]
    if isinstance(value.get("text"), str) and all(
        other in _EMPTY for key, other in value.items() if key not in ("text", "object")
    ):
        return value["text"]
    return value


def show_value(value: Any) -> str | None:
    """Return a value as text: as it is, or as JSON."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def describe_difference(before: Any, after: Any) -> str | None:
    """Return lines that differ, those of ``before`` with ``-`` and those of ``after`` with ``+``; ``None`` if equal."""
    if before == after:
        return None
    old, new = (_list_lines(value) for value in (before, after))
    if max(len(old), len(new)) > _MOST_LINES:
        return f"They differ, and are too long to be compared by lines: {len(old):,} and {len(new):,}."
    lines = [line for line in difflib.unified_diff(old, new, lineterm="", n=1) if not line.startswith(("---", "+++"))]
    text = "\n".join(lines) or "They differ only in how they are written."
    if len(text) <= _LONGEST_DIFF:
        return text
    return f"{text[:_LONGEST_DIFF]}\n… {len(text) - _LONGEST_DIFF:,} characters more"


def _list_lines(value: Any) -> list[str]:
    if isinstance(value, str):
        return value.splitlines()
    return json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True, default=str).splitlines()
