"""`Listing`: what methods return that list things. It is a sequence that shows itself as a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from .pages import render_template
from .tables import build_cell, render_table_text
from .text import NOTHING, printable

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")
_MOST_HTML = 50
_MOST_TEXT = 20
MakeFrame = Callable[[Sequence[Any]], "pd.DataFrame"]


class Listing(Sequence[T], Generic[T]):
    """Things in order: a sequence that equals a list or tuple of the same things, and whose slices are listings.

    Parameters:
        items: what is listed.
        of: what one of them is called, such as ``project``.
        plural: what several are called, ``of`` with an s unless given.
        empty: what is said when there is nothing; ``No projects yet.`` unless given.
        frame: makes the DataFrame of `frame`; a row a thing and a column a field of it unless given.
        beside: returns what a row shows before the thing itself, such as whose it is; it must not ask a database.

    Example:
        >>> admin.projects.list()[:3].frame()
    """

    __slots__ = ("_beside", "_empty", "_items", "_make_frame", "_of", "_plural")

    def __init__(
        self,
        items: Iterable[T] = (),
        *,
        of: str = "thing",
        plural: str = "",
        empty: str = "",
        frame: MakeFrame | None = None,
        beside: Callable[[Any], Mapping[str, Any]] | None = None,
    ) -> None:
        self._items = tuple(items)
        self._of, self._plural = of, plural or f"{of}s"
        self._empty, self._make_frame, self._beside = empty or f"No {self._plural} yet.", frame, beside

    def frame(self) -> pd.DataFrame:
        """Return a row a thing of this list, in its order.

        Returns:
            The columns and dtypes of the ``frame()`` beside the method that listed them, where there is one, else a
            column a field. Times are UTC.

        Example:
            >>> admin.builds.list(status="failed").frame().groupby("error").size()
        """
        return self._make_frame(self._items) if self._make_frame else frame_records(self._items)

    @overload
    def __getitem__(self, index: int) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> Listing[T]: ...

    def __getitem__(self, index: int | slice) -> T | Listing[T]:
        return self._with(self._items[index]) if isinstance(index, slice) else self._items[index]

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[T]:
        return iter(self._items)

    def __contains__(self, item: object) -> bool:
        return item in self._items

    def __add__(self, other: Iterable[T]) -> Listing[T]:
        return self._with((*self._items, *other))

    def __radd__(self, other: Iterable[T]) -> Listing[T]:
        return self._with((*other, *self._items))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Listing | list | tuple):
            return len(self) == len(other) and all(mine == its for mine, its in zip(self, other, strict=True))
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self._items)

    def __repr__(self) -> str:
        if not self._items:
            return f"<{self._empty.rstrip('.')}>"
        columns, rows = lay_out(self._items[:_MOST_TEXT], self._beside)
        return "\n".join([self._title, render_table_text(columns, rows), *self._say_rest(_MOST_TEXT)])

    def _repr_html_(self) -> str:
        columns, rows = lay_out(self._items[:_MOST_HTML], self._beside)
        return render_template(
            "table.html.j2",
            styles=True,
            title=self._title,
            columns=columns,
            rows=[[build_cell(value) for value in row] for row in rows],
            empty=self._empty,
            rest=" ".join(self._say_rest(_MOST_HTML)),
        )

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        alone = len(getattr(printer, "stack", ())) <= 1 and not cycle
        printer.text(repr(self) if alone else f"<{self._title}>")

    @property
    def _title(self) -> str:
        return f"{len(self):,} {self._of if len(self) == 1 else self._plural}"

    def _say_rest(self, shown: int) -> list[str]:
        left = len(self) - shown
        return [f"… and {left:,} more: .frame() has all."] if left > 0 else []

    def _with(self, items: Iterable[T]) -> Listing[T]:
        made: Listing[T] = Listing(
            items,
            of=self._of,
            plural=self._plural,
            empty=self._empty,
            frame=self._make_frame,
            beside=self._beside,
        )
        return made


def lay_out(
    items: Sequence[Any], beside: Callable[[Any], Mapping[str, Any]] | None = None
) -> tuple[list[str], list[list[Any]]]:
    """Return columns and rows of things; columns that are empty in all rows are left out."""
    cells = [{**(beside(item) if beside else {}), **_list_cells(item)} for item in items]
    names = list(dict.fromkeys(name for each in cells for name in each))
    told = [name for name in names if any(_says_something(each.get(name)) for each in cells)]
    return list(map(printable, told)), [[each.get(name) for name in told] for each in cells]


def frame_records(items: Sequence[Any]) -> pd.DataFrame:
    """Return a row a record, a column a field that isn't secret (those that its class leaves out of its repr are)."""
    import pandas as pd

    return pd.DataFrame([_read_fields(item) for item in items])


def _list_cells(item: Any) -> Mapping[str, Any]:
    found: Mapping[str, Any] = item._list_cells() if hasattr(item, "_list_cells") else {"value": item}
    return found


def _says_something(value: Any) -> bool:
    return value is not None and str(value) not in ("", NOTHING)


def _read_fields(item: Any) -> dict[str, Any]:
    record = getattr(item, "record", item)
    if not is_dataclass(record):
        return {"value": record}
    return {each.name: _simplify(getattr(record, each.name)) for each in fields(record) if each.repr}


def _simplify(value: Any) -> Any:
    return str(value) if isinstance(value, Enum) else value
