"""From spans to what is compared (pure): a row for each call of an agent, tool, workflow or model, and each trace.

Times and tokens of a call include all that it called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from mastra_admin_sdk.ports.observability import Price
from mastra_admin_sdk.services.telemetry.pricing import price_spans

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

SPAN_FIELDS = (
    *("trace_id", "span_id", "parent_span_id", "name", "type", "status", "start_time", "duration_ms"),
    *("entity_id", "entity_name", "model", "provider", "input_tokens", "output_tokens"),
)
"""The columns of spans that are needed."""

KINDS: Mapping[str, tuple[str, ...]] = {
    "agent": ("agent_run",),
    "workflow": ("workflow_run",),
    "tool": ("tool_call", "mcp_tool_call", "client_tool_call", "provider_tool_call"),
    "model": ("model_generation",),
}
"""What is compared, by the types of span that it is told from; ``trace`` comes on top."""

EVERYTHING = "all"
"""The name under which traces as wholes are compared."""

NO_TOOLS = "(no tools)"

_MOST_LEVELS = 10_000


def observe(spans: pd.DataFrame, prices: Sequence[Price] = ()) -> pd.DataFrame:
    """Return the finished calls among spans.

    Parameters:
        spans: with the columns `SPAN_FIELDS`, in any order; whole traces, or their later parts.
        prices: what tokens cost.

    Returns:
        A row a call: ``kind`` (`KINDS` or ``trace``), ``name`` (of the agent, tool, workflow or model), ``trace_id``,
        ``duration_ms``, ``failed`` (0.0 or 1.0), ``input_tokens``, ``output_tokens``, ``cost`` (null where nothing
        tells it), ``sequence`` (the tools that an agent called, in order; null for others).
    """
    import numpy as np
    import pandas as pd

    spans = spans.sort_values(["start_time", "span_id"], kind="stable", ignore_index=True)
    parents = _find_parents(spans)
    types = spans["type"].astype(object).to_numpy()
    sums = _sum_below(spans, parents, types, prices)
    sequences = _list_sequences(spans, parents, types)
    roots = np.flatnonzero((parents < 0) & ~_has_text(spans["parent_span_id"]))
    parts = [("trace", roots, np.full(len(roots), EVERYTHING, dtype=object))]
    for kind, wanted in KINDS.items():
        places = np.flatnonzero(np.isin(types, wanted))
        parts.append((kind, places, _name_calls(spans, places, kind)))
    rows = pd.concat([_make_rows(spans, *part, sums, sequences) for part in parts], ignore_index=True)
    return rows[rows.pop("status") != "running"].reset_index(drop=True)


def _make_rows(
    spans: pd.DataFrame,
    kind: str,
    places: NDArray[np.int64],
    names: NDArray[np.object_],
    sums: Mapping[str, NDArray[np.float64]],
    sequences: Mapping[int, str],
) -> pd.DataFrame:
    import pandas as pd

    picked = spans.iloc[places]
    return pd.DataFrame(
        {
            "kind": kind,
            "name": names,
            "trace_id": picked["trace_id"].to_numpy(),
            "duration_ms": picked["duration_ms"].to_numpy(dtype="float64"),
            "failed": (picked["status"] == "error").to_numpy(dtype="float64"),
            "status": picked["status"].astype(object).to_numpy(),
            **{name: values[places] for name, values in sums.items()},
            "sequence": [sequences.get(int(place), NO_TOOLS) if kind == "agent" else None for place in places],
        }
    )


def _name_calls(spans: pd.DataFrame, places: NDArray[np.int64], kind: str) -> NDArray[np.object_]:
    picked = spans.iloc[places]
    names = picked["model" if kind == "model" else "entity_id"].astype(object)
    for other in ("entity_name", "name") if kind != "model" else ("name",):
        names = names.where(_has_text(names), picked[other].astype(object))
    return names.where(_has_text(names), "?").to_numpy(dtype=object)


def _find_parents(spans: pd.DataFrame) -> NDArray[np.int64]:
    """Return for each span where its parent stands; -1 where that isn't among them."""
    import numpy as np
    import pandas as pd

    keys = pd.MultiIndex.from_arrays([spans["trace_id"].astype(object), spans["span_id"].astype(object)])
    places = pd.Series(range(len(spans)), index=keys)
    places = places[~places.index.duplicated()]
    wanted = pd.MultiIndex.from_arrays([spans["trace_id"].astype(object), spans["parent_span_id"].astype(object)])
    return np.asarray(places.reindex(wanted).fillna(-1), dtype=np.int64)


def _sum_below(
    spans: pd.DataFrame, parents: NDArray[np.int64], types: NDArray[np.object_], prices: Sequence[Price]
) -> dict[str, NDArray[np.float64]]:
    """Return tokens and cost of each span with all below it; not a number where there is nothing to count."""
    import numpy as np

    is_counted = _find_counted(spans, types)
    own = {
        "input_tokens": spans["input_tokens"].to_numpy(dtype="float64", na_value=np.nan),
        "output_tokens": spans["output_tokens"].to_numpy(dtype="float64", na_value=np.nan),
        "cost": np.asarray(price_spans(spans, prices), dtype="float64"),
    }
    sources = {name: np.flatnonzero(is_counted & np.isfinite(values)) for name, values in own.items()}
    return {name: _add_up(values, sources[name], parents) for name, values in own.items()}


def _find_counted(spans: pd.DataFrame, types: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Return which spans tell their tokens: steps repeat those of a generation, so those count where there are any."""
    import pandas as pd

    generates = pd.Series(types == KINDS["model"][0])
    has_any = generates.groupby(spans["trace_id"].astype(object).to_numpy()).transform("any")
    return (generates | ~has_any).to_numpy(dtype=bool)


def _add_up(values: NDArray[np.float64], sources: NDArray[np.int64], parents: NDArray[np.int64]) -> NDArray[np.float64]:
    import numpy as np

    totals, touched = np.zeros(len(parents)), np.zeros(len(parents), dtype=bool)
    current, carried = sources, values[sources]
    for _ in range(_MOST_LEVELS):  # parents that go in a circle have no end
        np.add.at(totals, current, carried)
        touched[current] = True
        above = parents[current]
        current, carried = above[above >= 0], carried[above >= 0]
        if not len(current):
            break
    return np.where(touched, totals, np.nan)


def _list_sequences(spans: pd.DataFrame, parents: NDArray[np.int64], types: NDArray[np.object_]) -> dict[int, str]:
    """Return for each agent run that called tools which ones, in order: ``search x2 → answer``."""
    import numpy as np

    tools = np.flatnonzero(np.isin(types, KINDS["tool"]))
    is_agent = types == KINDS["agent"][0]
    owners, pending = parents[tools], np.arange(len(tools))
    for _ in range(_MOST_LEVELS):
        pending = pending[(owners[pending] >= 0) & ~is_agent[owners[pending]]]
        if not len(pending):
            break
        owners[pending] = parents[owners[pending]]
    names = _name_calls(spans, tools, "tool")
    called: dict[int, list[str]] = {}
    for owner, name in zip(owners.tolist(), names.tolist(), strict=True):
        if owner >= 0 and is_agent[owner]:
            called.setdefault(owner, []).append(str(name))
    return {owner: describe_sequence(listed) for owner, listed in called.items()}


def describe_sequence(names: Sequence[str]) -> str:
    """Return names in order, repeated ones once: ``search x2 → answer``."""
    runs = [(name, len(list(same))) for name, same in groupby(names)]
    return " → ".join(f"{name} x{times}" if times > 1 else name for name, times in runs)


def _has_text(column: Any) -> Any:
    return column.notna() & (column != "")
