"""Datasets as files: JSON lines and CSV, to and from."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.services.outputs import write_whole

from .making import ITEM_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

_JSON_COLUMNS = ("input", "expected", "metadata")


def write_items(path: str | Path, rows: Iterable[Mapping[str, Any]], format: str | None) -> Path:
    """Write items to a file, whole or not at all; ``format`` is ``jsonl`` or ``csv``, by the name unless given.

    Raises:
        InvalidInput: there is no such format, or the file can't be written.
    """
    write = _find_writer(path, format)
    with write_whole(path) as draft:
        write(draft, rows)
    return Path(path).expanduser().absolute()


def read_file(path: str | Path) -> pd.DataFrame:
    """Return the items of a file that `write_items` wrote, or one made by hand, as a table.

    Raises:
        InvalidInput: it can't be read; the message names the line.
    """
    import pandas as pd

    source = Path(path).expanduser()
    read = _read_csv if source.suffix == ".csv" else _read_jsonl
    try:
        rows = read(source)
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        raise InvalidInput(f"{source} can't be read: {exc}.", hint="Give a file of JSON lines or CSV.") from exc
    return pd.DataFrame(rows, index=range(1, len(rows) + 1))


def _find_writer(path: str | Path, format: str | None) -> Callable[[Path, Iterable[Mapping[str, Any]]], None]:
    chosen = format or Path(path).suffix.removeprefix(".")
    if chosen not in _WRITERS:
        raise InvalidInput(f"There is no format {chosen!r} for datasets.", hint=f"Formats: {', '.join(_WRITERS)}.")
    return _WRITERS[chosen]


def _write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", errors="replace") as file:
        for row in rows:
            told = {name: row[name] for name in ("id", *ITEM_COLUMNS)}
            file.write(json.dumps(told, ensure_ascii=False) + "\n")


def _write_csv(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", errors="replace", newline="") as file:
        writer = csv.DictWriter(file, ("id", *ITEM_COLUMNS))
        writer.writeheader()
        for row in rows:
            told = {name: row[name] for name in ("id", *ITEM_COLUMNS)}
            told |= {name: json.dumps(row[name], ensure_ascii=False) for name in _JSON_COLUMNS}
            writer.writerow({name: "" if value is None else value for name, value in told.items()})


_WRITERS: Mapping[str, Callable[[Path, Iterable[Mapping[str, Any]]], None]] = {"jsonl": _write_jsonl, "csv": _write_csv}


def _read_jsonl(path: Path) -> list[dict[str, Any]]:
    rows = []
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as exc:
                raise InvalidInput(f"Line {number} of {path} is no JSON: {exc}.") from exc
            if not isinstance(row, dict):
                raise InvalidInput(f"Line {number} of {path} is no JSON object.")
            rows.append(row)
    return rows


def _read_csv(path: Path) -> list[dict[str, Any]]:
    csv.field_size_limit(max(csv.field_size_limit(), 64 * 1024 * 1024))
    with path.open(encoding="utf-8", newline="") as file:
        return [
            {name: _read_cell(value) if name in _JSON_COLUMNS else value for name, value in row.items()}
            for row in csv.DictReader(file)
        ]


def _read_cell(text: str | None) -> Any:
    """Return JSON as what it is; text that somebody typed is text."""
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text
