"""Results as DataFrames: Arrow comes from the driver, columns with fixed dtypes go out, also without rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from mastra_admin_sdk.ports.columns import BUCKET, PERIODS

if TYPE_CHECKING:
    import pandas as pd

Maker = Callable[[Any], Any]
"""Makes what a pandas column is made of, an array or a Series, from a ``pyarrow.ChunkedArray``."""


class Dtype(StrEnum):
    """The dtypes of our own columns."""

    TEXT = "object"
    CATEGORY = "category"
    TIME = "datetime64[ms, UTC]"
    NUMBER = "float64"
    COUNT = "Int64"


_CATEGORIES = frozenset(
    {
        *("name", "type", "status", "level", "source", "stream", "model", "provider"),
        *("project_id", "deployment_id", "build_id", "process_id", "agent", "entity_id", "entity_name"),
    }
)
_TIMES = frozenset({"timestamp", "start_time", "end_time", "time", "first_seen", "last_seen", BUCKET, *PERIODS})
_NUMBERS = frozenset(
    {
        *("duration_ms", "value", "score", "cost"),
        *("error_rate", "mean_ms", "p50_ms", "p95_ms", "p99_ms", "max_ms"),
    }
)
_COUNTS = frozenset({"count", "traces", "spans", "errors", "input_tokens", "output_tokens", "total_tokens"})


TRAVELLING = "_travelling"
"""Ends the name of a column that comes in another form than it has: times as milliseconds, categories as plain text."""


def find_dtype(column: str) -> Dtype:
    """Return the dtype of a column of ours; one name has one dtype everywhere."""
    if column in _CATEGORIES:
        return Dtype.CATEGORY
    if column in _TIMES:
        return Dtype.TIME
    if column in _NUMBERS:
        return Dtype.NUMBER
    return Dtype.COUNT if column in _COUNTS else Dtype.TEXT


def make_frame(table: Any, columns: Sequence[str]) -> pd.DataFrame:
    """Return columns of ours from an Arrow table; empty text becomes ``None``, "not there"."""
    import pandas as pd

    names = {name.removesuffix(TRAVELLING): name for name in table.column_names}
    index = pd.RangeIndex(table.num_rows)

    def make(name: str) -> pd.Series[Any]:
        values = _make_column(table.column(names[name]), find_dtype(name))
        return pd.Series(values, index=index, dtype=object if values.dtype == object else None, copy=False)

    # One index for all, and no copy: else pandas compares and copies, and a small frame takes as long as its query.
    return pd.DataFrame({name: make(name) for name in columns}, index=index, copy=False)


def make_any_frame(table: Any) -> pd.DataFrame:
    """Return the result of a query of somebody's own, from an Arrow table; what is in it stays as it is."""
    types = [read_type(field) for field in table.schema]
    series = [_find_maker(kind)(table.column(place)) for place, kind in enumerate(types)]
    return _put_together(series, [field.name for field in table.schema])


def make_plain_frame(data: Sequence[Sequence[Any]], columns: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """Return a result of which a part has types that Arrow doesn't know, such as tuples: those stay Python objects."""
    values = data or [() for _ in columns]
    series = [_make_of_cells(list(cells), kind) for cells, (_, kind) in zip(values, columns, strict=True)]
    return _put_together(series, [name for name, _ in columns])


def fits_arrow(kind: str) -> bool:
    """True when a column of this ClickHouse type can come as Arrow."""
    return any(pattern.fullmatch(kind) for pattern, _ in _MAKERS_BY_TYPE)


def read_type(field: Any) -> str:
    """Return the ClickHouse type of a ``pyarrow.Field``, which the driver left in its metadata."""
    return str((field.metadata or {}).get(b"clickhouse_type", b"").decode())


def _put_together(series: Sequence[Any], names: Sequence[str]) -> pd.DataFrame:
    import pandas as pd

    frame = pd.DataFrame(dict(enumerate(series)))  # by place: two columns may have one name
    frame.columns = pd.Index(names, dtype=object)
    return frame


def _make_of_cells(cells: list[Any], kind: str) -> Any:
    import pandas as pd
    import pyarrow as pa

    if fits_arrow(kind):
        try:
            array = pa.array(cells)
            if moment := _MOMENT.fullmatch(kind):
                array = _round_moments(array, int(moment[1] or 0))
            return _find_maker(kind)(pa.chunked_array([array]))
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
            # Text that isn't UTF-8, or no rows to tell a type from.
            return pd.Series(cells, dtype=object)
    return pd.Series(cells, dtype=object)


def _round_moments(array: Any, digits: int) -> Any:
    # The driver goes through floating point: 0.678 s comes as 677,999 µs.
    import pyarrow as pa
    import pyarrow.compute as pc

    unit = "ms" if digits <= 3 else "us"
    rounded = pc.round_temporal(array, 1, "millisecond") if unit == "ms" else array
    return rounded.cast(pa.timestamp(unit, tz=array.type.tz))


def _make_column(column: Any, dtype: Dtype) -> Any:
    if dtype is Dtype.TEXT:
        return _make_text(column)
    if dtype is Dtype.CATEGORY:
        return _make_category(column, without_empty=True)
    return _MAKERS[dtype](column)


def _make_text(column: Any) -> Any:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    text = column.cast(pa.string())
    is_empty = pc.fill_null(pc.equal(pc.binary_length(text), 0), True)
    if pc.all(is_empty).as_py() is not False:
        return np.full(len(text), None, dtype=object)
    values = np.array(text.to_numpy(), dtype=object, copy=False)
    values[is_empty.to_numpy()] = None
    return values


def _make_category(column: Any, *, without_empty: bool = False) -> Any:
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    encoded = column.cast(pa.string()).combine_chunks().dictionary_encode()
    encoded = encoded.combine_chunks() if hasattr(encoded, "combine_chunks") else encoded
    names = encoded.dictionary.to_pylist()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    if without_empty and "" in names:
        place = names.index("")
        del names[place]
        codes = np.where(codes == place, -1, codes - (codes > place)).astype(codes.dtype)
    return pd.Categorical.from_codes(codes, categories=pd.Index(names, dtype=object))


def _make_object(column: Any) -> Any:
    import pandas as pd

    return pd.Series(column.to_numpy(), dtype=object, copy=False)


def _make_time(column: Any) -> Any:
    import pandas as pd
    import pyarrow as pa

    moments = column.cast(pa.int64()).fill_null(_NO_TIME).to_numpy().view("datetime64[ms]")
    return pd.DatetimeIndex(moments).tz_localize("UTC").array


def _make_number(column: Any) -> Any:
    import pyarrow as pa

    return column.cast(pa.float64(), safe=False).to_numpy()


def _make_count(column: Any) -> Any:
    import pandas as pd
    import pyarrow as pa

    whole = column.cast(pa.int64(), safe=False)
    return pd.arrays.IntegerArray(_copy(whole.fill_null(0)), _copy(whole.is_null()))


def _copy(column: Any) -> Any:
    # What Arrow lends can't be written to.
    return column.to_numpy().copy()


def _make_plain(column: Any) -> Any:
    return column.to_pandas()


def _make_nullable(column: Any) -> Any:
    import pandas as pd
    import pyarrow as pa

    known: dict[Any, Any] = {pa.bool_(): pd.BooleanDtype()}
    for bits in (8, 16, 32, 64):
        known[getattr(pa, f"int{bits}")()] = getattr(pd, f"Int{bits}Dtype")()
        known[getattr(pa, f"uint{bits}")()] = getattr(pd, f"UInt{bits}Dtype")()
    return column.to_pandas(types_mapper=known.get)


def _make_date(column: Any) -> Any:
    import pyarrow as pa

    return column.cast(pa.timestamp("ms")).to_pandas()


def _make_moment(column: Any) -> Any:
    import pyarrow as pa

    # Whole seconds become milliseconds, like all times here; finer ones keep their unit. Servers are asked in UTC.
    unit = "ms" if column.type.unit == "s" else column.type.unit
    return column.cast(pa.timestamp(unit, tz=column.type.tz or "UTC")).to_pandas()


_NO_TIME = -(2**63)
"""numpy's number for "not a time"."""

_MAKERS: Mapping[Dtype, Maker] = {Dtype.TIME: _make_time, Dtype.NUMBER: _make_number, Dtype.COUNT: _make_count}

_MOMENT = re.compile(r"(?:Nullable\()?DateTime(?:64\((\d))?.*")
_INT = r"U?Int(?:8|16|32|64)"
_FLOAT = r"Float(?:32|64)"
_MAKERS_BY_TYPE: tuple[tuple[re.Pattern[str], Maker], ...] = tuple(
    (re.compile(pattern), maker)
    for pattern, maker in (
        (r"LowCardinality\((?:Nullable\()?(?:String|FixedString\(\d+\))\)+", _make_category),
        (r"(?:Nullable\()?Enum(?:8|16)\(.*", _make_category),
        (r"(?:Nullable\()?(?:String|FixedString\(\d+\)|UUID|IPv4|IPv6)\)?", _make_object),
        (rf"Nullable\((?:{_INT}|Bool)\)", _make_nullable),
        (rf"{_INT}|Bool|{_FLOAT}|Nullable\({_FLOAT}\)", _make_plain),
        (r"(?:Nullable\()?DateTime(?:64)?(?:\(.*)?\)?", _make_moment),
        (r"(?:Nullable\()?Date(?:32)?\)?", _make_date),
        (r"(?:Nullable\()?Decimal\(.*", _make_object),
        (rf"Array\((?:String|LowCardinality\(String\)|{_INT}|{_FLOAT})\)", _make_plain),
    )
)


def _find_maker(kind: str) -> Maker:
    return next((maker for pattern, maker in _MAKERS_BY_TYPE if pattern.fullmatch(kind)), _make_plain)
