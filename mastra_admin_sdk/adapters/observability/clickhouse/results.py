"""Results of queries of somebody's own, of whatever types."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .frames import fits_arrow, make_any_frame, make_plain_frame, read_type

if TYPE_CHECKING:
    import pandas as pd

_BUFFERED = re.compile(
    r"LowCardinality\(String\)|(?:Nullable\()?"
    r"(?:U?Int(?:8|16|32|64)|Float(?:32|64)|Bool|String|Date|DateTime(?:64)?(?:\([^()]*\))?)\)?"
)
"""Types that the driver reads into buffers, without an object for every value."""


def read_any(client: Any, call: dict[str, Any]) -> pd.DataFrame:
    """Run a query and return its result; quickly over Arrow where every type allows it, else as Python objects."""
    import pyarrow as pa

    try:
        reader = client.query_arrow_stream(**call)
        types = [read_type(field) for field in reader.schema]
        if all(map(fits_arrow, types)):
            if all(map(_BUFFERED.fullmatch, types)):
                _read_into_buffers(client.connection.context)
            return make_any_frame(reader.read_all())
    except (pa.ArrowInvalid, ValueError, OverflowError):
        # Text that isn't UTF-8, JSON, which has no Arrow type, numbers and times of more bits than Arrow's: all told
        # only after the query has begun.
        client.disconnect()
    data, columns = client.execute(**call, columnar=True, with_column_types=True)
    return make_plain_frame(data, columns)


def _read_into_buffers(context: Any) -> None:
    # The types are known from here on. The driver has no support for the others, and warns of each.
    context.client_settings = {**context.client_settings, "use_numpy": True}
