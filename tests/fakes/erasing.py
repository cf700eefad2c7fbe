"""Removing rows of a telemetry store in memory."""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from typing import Any

from mastra_admin_sdk.ports.observability import Erasure

Rows = MutableMapping[Any, dict[str, Any]]

_TRACE_IN_LINE = re.compile(r'"traceId"\s*:\s*"([^"]+)"')
_TIMES = {"spans": "start_time", "rejects": "time"}
_TEXTS = {"logs": ("data", "message"), "metrics": ("labels",), "scores": ("data",), "feedback": ("data",)}


def erase_rows(tables: Mapping[str, list[Rows]], erasure: Erasure, *, dry_run: bool) -> dict[str, int]:
    """Remove what an erasure names from the tables of each signal, and return how many rows people knew."""
    counts = {}
    for signal, parts in tables.items():
        gone = {key for rows in parts for key, row in rows.items() if _matches(signal, row, erasure)}
        counts[signal] = len(gone)
        for rows in [] if dry_run else parts:
            for key in gone & set(rows):
                del rows[key]
    return counts


def _matches(signal: str, row: dict[str, Any], erasure: Erasure) -> bool:
    if erasure.trace_ids is None:
        return _belongs(signal, row, erasure)
    if signal == "rejects":
        traces = _TRACE_IN_LINE.findall(row["line"])
        return bool(set(traces) & set(erasure.trace_ids)) or any(text in row["line"] for text in erasure.mentions)
    texts = [str(row.get(name) or "") for name in _TEXTS.get(signal, ())]
    return row["trace_id"] in erasure.trace_ids or any(text in held for text in erasure.mentions for held in texts)


def _belongs(signal: str, row: dict[str, Any], erasure: Erasure) -> bool:
    time = row[_TIMES.get(signal, "timestamp")]
    if signal == "rejects" and erasure.build_id is not None:
        return False
    return (
        (erasure.project_id is None or row.get("project_id") == erasure.project_id)
        and (erasure.deployment_ids is None or row.get("deployment_id") in erasure.deployment_ids)
        and (erasure.build_id is None or row.get("build_id") == erasure.build_id)
        and (erasure.since is None or time >= erasure.since)
        and (erasure.until is None or time < erasure.until)
    )
