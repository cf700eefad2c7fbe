"""The tables of docs/compatibility.md: written from findings, and read back for tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "compatibility.md"

_COLUMNS = (
    "builds",
    "runs",
    "on loopback only",
    "a workflow runs",
    "traced",
    "console lines kept",
)
_FIELDS = ("builds", "runs", "loopback_only", "workflow", "traced", "console")


def write_tables(document: Path, versions: Sequence[Mapping[str, Any]], managers: Sequence[Mapping[str, Any]]) -> None:
    """Replace the tables between their marks; one without findings stays."""
    text = document.read_text(encoding="utf-8")
    for name, column, field, findings in (
        ("versions", "`@mastra/core`", "mastra", versions),
        ("managers", "package manager", "manager", managers),
    ):
        if findings:
            head, _, rest = text.partition(f"<!-- {name} -->\n")
            _, _, tail = rest.partition(f"<!-- end of {name} -->")
            text = f"{head}<!-- {name} -->\n{_make_table(column, field, findings)}<!-- end of {name} -->{tail}"
    document.write_text(text, encoding="utf-8")


def read_table(document: Path, name: str) -> dict[str, dict[str, str]]:
    """Return the rows of a table by their first cell: each maps columns to cells."""
    text = document.read_text(encoding="utf-8")
    body = text.partition(f"<!-- {name} -->\n")[2].partition(f"<!-- end of {name} -->")[0]
    rows = [
        [cell.strip() for cell in line.strip("| ").split("|")] for line in body.splitlines() if line.startswith("|")
    ]
    return {row[0]: dict(zip(rows[0], row, strict=True)) for row in rows[2:]}


def make_cells(finding: Mapping[str, Any]) -> dict[str, str]:
    """Return what a finding says in the columns that don't change from one run to the next."""
    return {column: _show(finding[field]) for column, field in zip(_COLUMNS, _FIELDS, strict=True)}


def _make_table(column: str, field: str, findings: Iterable[Mapping[str, Any]]) -> str:
    lines = [_join([column, "built by", *_COLUMNS]), _join(["---"] * (2 + len(_COLUMNS)))]
    for finding in findings:
        lines.append(_join([finding[field], f"mastra {finding['cli'] or '?'}", *make_cells(finding).values()]))
    return "".join(f"{line}\n" for line in lines)


def _join(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _show(value: Any) -> str:
    """Of counts only matters whether there is any."""
    return "yes" if value else "no"
