"""Traces counted by deployment, for stores that can't count them themselves."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from .columns import ACTIVITY_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

LONGEST_TRACE = timedelta(days=1)
_PERCENTILES = (50, 90, 95, 99)


def summarize(traces: pd.DataFrame, since: datetime, until: datetime) -> pd.DataFrame:
    """Return a row a deployment for traces that ended in a range of time: `columns.ACTIVITY_COLUMNS`."""
    import pandas as pd

    ended = traces[(traces["end_time"] >= since) & (traces["end_time"] < until) & (traces["status"] != "running")]
    rows = [
        (str(owner), len(group), int((group["status"] == "error").sum()), *_measure(group["duration_ms"]))
        for owner, group in ended.groupby(ended["deployment_id"].astype("object"))
    ]
    frame = pd.DataFrame(rows, columns=list(ACTIVITY_COLUMNS))
    kinds = {name: "int64" if name in {"traces", "errors"} else "float64" for name in ACTIVITY_COLUMNS[1:]}
    return frame.astype({**kinds, "deployment_id": "object"})


def _measure(durations: pd.Series[float]) -> list[float]:
    return [float(durations.astype("float64").quantile(part / 100)) for part in _PERCENTILES]
