"""One build as its page shows it: phases as bars, what it made, and what is new in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mastra_admin_sdk.display.text import printable
from mastra_admin_sdk.models import Build
from mastra_admin_sdk.models.entities import PHASES

_MARKS = {"added": "+", "removed": "\N{MINUS SIGN}", "changed": "~"}
_TITLES = {
    "files": "Files",
    "packages": "Packages",
    "env": "Variables",
    "agents": "Agents",
    "tools": "Tools",
    "workflows": "Workflows",
}
_MOST_ROWS = 50


@dataclass(frozen=True, slots=True)
class PhaseBar:
    """One phase: ``share`` and ``offset`` of the time of all of them in percent, ``state`` is ``done``, ``running``,
    ``ended`` (the build ended in it) or ``expected``."""

    name: str
    seconds: float
    share: float
    offset: float
    state: str


@dataclass(frozen=True, slots=True)
class DiffPart:
    """What differs of one kind: rows of mark, name, details; ``more`` are left out. ``unknown`` says why it isn't
    known."""

    title: str
    summary: str
    rows: Sequence[tuple[str, str, str, str]]
    more: int = 0
    unknown: str = ""


def describe_phases(build: Build, expected: Mapping[str, float]) -> list[PhaseBar]:
    """Return the phases that a build went through and, while it goes on, those that are likely to come."""
    entered = dict(build.phases)
    coming = {} if build.is_final else {name: expected[name] for name in PHASES if name in expected}
    lengths = {name: entered.get(name) or coming.get(name, 0.0) for name in {**entered, **coming}}
    ordered = sorted(lengths, key=lambda name: PHASES.index(name) if name in PHASES else len(PHASES))
    total = sum(lengths.values()) or 1.0
    bars, begun = [], 0.0
    for name in ordered:
        share = lengths[name] / total
        bars.append(
            PhaseBar(name, lengths[name], round(100 * share, 2), round(100 * begun, 2), _find_state(build, name))
        )
        begun += share
    return bars


def describe_diff(diff: Mapping[str, Any]) -> list[DiffPart]:
    """Return what differs between two builds, of each kind, from `BuildDiff.to_dict`."""
    missing = diff["missing"]
    return [
        DiffPart(title, "not known", (), unknown=printable(missing[kind]))
        if kind in missing
        else _describe_part(title, diff[kind])
        for kind, title in _TITLES.items()
    ]


def describe_artifact(owner: Build, inventory: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what a build's server runs: sizes, versions, and what it has; ``None`` before there is an artifact."""
    made, stats = owner.artifact, owner.stats
    if not made:
        return None
    return {
        "owner": {"id": owner.id, "number": owner.number},
        "bytes": stats.get("artifact_bytes"),
        "source_bytes": stats.get("source_bytes"),
        "source_files": stats.get("source_files"),
        "peak_memory_bytes": stats.get("peak_memory_bytes"),
        "node": made.get("node_version"),
        "mastra": made.get("mastra_version"),
        "packages": len(made.get("packages") or {}),
        "caches": {name: stats[name] for name in ("dependencies", "output", "artifact") if stats.get(name)},
        "has": {kind: sorted(found) for kind, found in inventory.items() if found},
    }


def _find_state(build: Build, name: str) -> str:
    if name not in build.phases:
        return "expected"
    is_last = name == list(build.phases)[-1]
    if build.is_final:
        return "ended" if is_last and build.status != "succeeded" else "done"
    return "done" if build.phases[name] or not is_last else "running"


def _describe_part(title: str, rows: Sequence[Mapping[str, Any]]) -> DiffPart:
    counts = {change: sum(row["change"] == change for row in rows) for change in _MARKS}
    summary = ", ".join(f"{count} {change}" for change, count in counts.items() if count) or "the same"
    shown = tuple(_describe_row(row) for row in rows[:_MOST_ROWS])
    return DiffPart(title, summary, shown, more=max(0, len(rows) - _MOST_ROWS))


def _describe_row(row: Mapping[str, Any]) -> tuple[str, str, str, str]:
    name = str(row.get("path") or row.get("name") or row.get("key") or row.get("id"))
    if "before" in row:
        details = " \N{RIGHTWARDS ARROW} ".join(str(row[side]) for side in ("before", "after") if row[side])
    elif "is_secret" in row:
        details = "secret" if row["is_secret"] else "plain"
    else:
        details = str(row.get("details") or "")
    return str(row["change"]), _MARKS[row["change"]], printable(name), printable(details)
