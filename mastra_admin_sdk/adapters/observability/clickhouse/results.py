"""Results of queries of somebody's own, of whatever types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .frames import fits_arrow, make_any_frame, make_plain_frame, read_type

if TYPE_CHECKING:
    import pandas as pd


def read_any(client: Any, call: dict[str, Any]) -> pd.DataFrame:
    """Run a query and return its result; quickly over Arrow where every type allows it, else as Python objects."""
    import pyarrow as pa

    try:
        reader = client.query_arrow_stream(**call)
        types = [read_type(field) for field in reader.schema]
        if all(map(fits_arrow, types)):
            return make_any_frame(reader.read_all())
    except (pa.ArrowInvalid, ValueError):
        # Text that isn't UTF-8, or JSON, which has no Arrow type: both are told only after the query has begun.
        client.disconnect()
    data, columns = client.execute(**call, columnar=True, with_column_types=True)
    return make_plain_frame(data, columns)
