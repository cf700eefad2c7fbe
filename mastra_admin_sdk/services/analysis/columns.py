"""Columns and dtypes of comparisons and replays: fixed, also when they are empty."""

from __future__ import annotations

from collections.abc import Mapping

COMPARISON_COLUMNS: Mapping[str, str] = {
    "kind": "category",
    "name": "category",
    "metric": "category",
    "unit": "category",
    "n_a": "int64",
    "n_b": "int64",
    "a": "float64",
    "b": "float64",
    "difference": "float64",
    "low": "float64",
    "high": "float64",
    "change": "float64",
    "significant": "boolean",
    "verdict": "category",
}
"""A row for each figure. ``kind`` is ``trace``, ``agent``, ``workflow``, ``tool`` or ``model``; ``metric`` is one of
`METRICS`, in ``unit``. ``a`` and ``b`` are the figure on each side, told from ``n_a`` and ``n_b`` calls;
``difference`` is b less a, ``low`` and ``high`` the ends of its confidence interval, ``change`` the difference as a
part of a. ``significant``: the interval doesn't hold zero. ``verdict`` is ``better``, ``worse``, ``unclear`` (no
difference was seen), ``too few`` (no interval is given), ``new`` (only in b) or ``gone`` (only in a)."""

METRICS: Mapping[str, str] = {
    "latency_p50": "ms",
    "latency_p95": "ms",
    "error_rate": "ratio",
    "input_tokens": "tokens",
    "output_tokens": "tokens",
    "total_tokens": "tokens",
    "cost": "USD",
}
"""Figures and their units. Tokens and cost are means of a call, with all that it called; a ratio is between 0 and 1.
The cost is in the currency of the price table, US dollars unless that says otherwise."""

SEQUENCE_COLUMNS: Mapping[str, str] = {
    "agent": "category",
    "sequence": "object",
    "n_a": "int64",
    "n_b": "int64",
    "a": "float64",
    "b": "float64",
    "difference": "float64",
    "low": "float64",
    "high": "float64",
    "significant": "boolean",
    "verdict": "category",
}
"""A row for each order in which an agent called tools: ``n_a`` and ``n_b`` runs did so, ``a`` and ``b`` as a part of
all runs of the agent. ``verdict`` is ``more``, ``less``, ``unclear`` or ``too few``."""

_TIME = "datetime64[ms, UTC]"

REPLAY_COLUMNS: Mapping[str, str] = {
    "case": "object",
    "kind": "category",
    "target": "category",
    "status": "category",
    "reason": "object",
    "input": "object",
    "expected": "object",
    "old_output": "object",
    "new_output": "object",
    "equal": "boolean",
    "as_expected": "boolean",
    "diff": "object",
    "old_status": "category",
    "new_status": "category",
    "old_duration_ms": "float64",
    "new_duration_ms": "float64",
    "difference_ms": "float64",
    "old_input_tokens": "Int64",
    "new_input_tokens": "Int64",
    "old_output_tokens": "Int64",
    "new_output_tokens": "Int64",
    "old_trace_id": "object",
    "new_trace_id": "object",
    "sent_at": _TIME,
}
"""A row for each input. ``case`` is the id of the trace or of the dataset's item; ``kind`` is ``agent`` or
``workflow``, ``target`` its id. ``status`` is ``replayed``, ``failed`` (it was sent, and no usable answer came),
``skipped`` (it can't be sent; nothing was), ``interrupted`` (before it was sent or answered) or ``planned`` (of a dry
run); ``reason`` says why. ``equal`` compares the outputs, ``as_expected`` the new one with ``expected``; ``diff`` shows
lines that differ, from ``expected`` where there is one, else from the old output."""
