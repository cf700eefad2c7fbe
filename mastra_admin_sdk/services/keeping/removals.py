"""What was removed to free space, and how many bytes that frees."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, overload

from mastra_admin_sdk.display.tables import render_table_html, render_table_text
from mastra_admin_sdk.display.text import format_bytes
from mastra_admin_sdk.models import Removal

if TYPE_CHECKING:
    import pandas as pd

_BLOCK = 512
_SHOWN = 20
_COLUMNS = ("what", "size", "reason", "path")


class Removals(Sequence[Removal]):
    """What a collection removed, or would remove: a sequence of `Removal` that shows itself as a table.

    ``problems`` says what could not be removed and why.
    """

    def __init__(self, items: Iterable[Removal] = (), *, problems: Iterable[str] = (), dry_run: bool = False) -> None:
        self._items = tuple(items)
        self.problems = tuple(problems)
        self.dry_run = dry_run

    @property
    def bytes(self) -> int:
        """Bytes that all of it frees."""
        return sum(item.bytes for item in self._items)

    @property
    def title(self) -> str:
        """A line such as ``Removed 3 things, 1.2 GB``."""
        if not self._items:
            return "Nothing to remove"
        count = f"{len(self._items)} thing{'s' if len(self._items) > 1 else ''}"
        return f"{'Would remove' if self.dry_run else 'Removed'} {count}, {format_bytes(self.bytes)}"

    def frame(self) -> pd.DataFrame:
        """Return a row a removal: ``what``, ``reason``, ``path`` (text) and ``bytes`` (int64)."""
        import pandas as pd

        rows = [(item.what, item.reason, item.path, item.bytes) for item in self._items]
        return pd.DataFrame(rows, columns=["what", "reason", "path", "bytes"]).astype({"bytes": "int64"})

    @overload
    def __getitem__(self, index: int) -> Removal: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Removal]: ...

    def __getitem__(self, index: int | slice) -> Removal | Sequence[Removal]:
        return self._items[index]

    def __len__(self) -> int:
        return len(self._items)

    def __add__(self, other: Removals) -> Removals:
        problems = (*self.problems, *other.problems)
        return Removals((*self, *other), problems=problems, dry_run=self.dry_run or other.dry_run)

    def __repr__(self) -> str:
        if not self._items:
            return f"<{self.title}>"
        rest = [f"and {len(self) - _SHOWN} more: see .frame()"] if len(self) > _SHOWN else []
        table = render_table_text(_COLUMNS, self._list_rows(), width=120)
        return "\n".join([f"{self.title}:", table, *rest])

    def _repr_html_(self) -> str:
        return f"<p>{self.title}</p>{render_table_html(_COLUMNS, self._list_rows(), empty='')}"

    def _list_rows(self) -> list[tuple[str, str, str, str]]:
        return [(item.what, format_bytes(item.bytes), item.reason, item.path) for item in self._items[:_SHOWN]]


class DiskMeter:
    """Tells how many bytes on disk come free when files go, one after another.

    A file with several names (hard links, as a build cache makes them) frees nothing before its last name goes.
    """

    def __init__(self) -> None:
        self._names: dict[tuple[int, int], int] = {}

    def measure(self, *paths: Path) -> int:
        """Return the bytes that removing files and folders frees, given all that was measured before."""
        return sum(self._measure_one(path) for path in paths)

    def _measure_one(self, path: Path) -> int:
        if path.is_dir() and not path.is_symlink():
            total = self._count(path)
            for place, folders, names in os.walk(path):
                total += sum(self._count(Path(place, name)) for name in (*folders, *names))
            return total
        return self._count(path)

    def _count(self, path: Path) -> int:
        with suppress(FileNotFoundError):  # it has gone meanwhile
            found = path.lstat()
            if found.st_nlink > 1 and not path.is_dir():
                key = (found.st_dev, found.st_ino)
                self._names[key] = self._names.get(key, 0) + 1
                if self._names[key] < found.st_nlink:
                    return 0
            return found.st_blocks * _BLOCK
        return 0
