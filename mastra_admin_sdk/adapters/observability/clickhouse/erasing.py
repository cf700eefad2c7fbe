"""What an erasure removes, as statements: a count and a mutation for each table that keeps rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mastra_admin_sdk.ports.observability import Erasure

from .addresses import Role
from .clients import Clients, make_call
from .parameters import Statement, normalize
from .retention import Signal
from .schema import LIVES
from .topology import ONE_MACHINE, Topology

_WHAT = "Erasing telemetry"
_SETTINGS: Mapping[str, Any] = {"mutations_sync": 2}  # wait until parts are rewritten, on all replicas

_IDS_AT_ONCE = 10_000
_TRACES_IN_LINE = "extractAll(line, '\"traceId\"\\\\s*:\\\\s*\"([^\"]+)\"')"
_SHOWN: Mapping[str, str] = {
    "mastra_admin_spans_finished": "mastra_admin_spans_finished",
    "mastra_admin_spans_open": "mastra_admin_spans_running",
    **{f"mastra_admin_{name}": f"mastra_admin_{name}" for name in ("logs", "metrics", "scores", "feedback", "rejects")},
}
"""What people know of a table's rows; of a table that isn't here all are copies."""

_JSON_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "mastra_admin_logs": ("data", "message"),
    "mastra_admin_metrics": ("labels",),
    "mastra_admin_scores": ("data",),
    "mastra_admin_feedback": ("data",),
    "mastra_admin_rejects": ("line",),
}
"""Where what is mentioned can stand, beside the columns of spans, which an erasure's traces are found by."""


@dataclass(frozen=True, slots=True)
class TableErasure:
    """What is removed from one table: ``held`` counts its rows, ``shown`` those that people know, if it has such."""

    signal: Signal
    table: str
    held: Statement
    shown: Statement | None
    delete: Statement


def erase_tables(
    clients: Clients, erasure: Erasure, topology: Topology = ONE_MACHINE, *, dry_run: bool = False
) -> dict[str, int]:
    """Remove rows from all tables and return how many by signal; see `ObservabilityStore.erase`."""
    total: Counter[str] = Counter({signal.value: 0 for signal in Signal})
    for part in list_erasures(erasure, topology):
        with clients.lend(Role.OWNER, _WHAT, part.held.sql) as client:
            held = _count(client, part.held)
            total[part.signal] += _count(client, part.shown) if held and part.shown else 0
            if held and not dry_run:
                client.execute(**make_call(client, part.delete, _SETTINGS))
    return dict(total)


def _count(client: Any, statement: Statement) -> int:
    ((count,),) = client.execute(**make_call(client, statement, {}))
    return int(count)


def list_erasures(erasure: Erasure, topology: Topology = ONE_MACHINE) -> Iterator[TableErasure]:
    """Yield what to remove, traces in batches; a table comes once for each batch."""
    if erasure.trace_ids is None:
        yield from _erase_tables(erasure, topology, _match_owner)
        return
    for start in range(0, max(1, len(erasure.trace_ids)), _IDS_AT_ONCE):
        batch = erasure.trace_ids[start : start + _IDS_AT_ONCE]
        mentions = erasure.mentions if start == 0 else ()
        part = Erasure(trace_ids=batch, mentions=mentions)
        yield from _erase_tables(part, topology, _match_traces)


_Match = Callable[[Erasure, str], tuple[str, dict[str, Any]] | None]


def _erase_tables(erasure: Erasure, topology: Topology, match: _Match) -> Iterator[TableErasure]:
    for table, (signal, _) in LIVES.items():
        found = match(erasure, table)
        if found is None:
            continue
        where, values = found
        source = _SHOWN.get(table)
        yield TableErasure(
            signal,
            table,
            held=Statement(f"SELECT count() FROM {table} WHERE {where}", values),
            shown=Statement(f"SELECT count() FROM {source} WHERE {where}", values) if source else None,
            delete=Statement(f"ALTER TABLE {topology.find_kept(table)} DELETE WHERE {where}", values),
        )


def _match_traces(erasure: Erasure, table: str) -> tuple[str, dict[str, Any]] | None:
    is_reject = LIVES[table][0] is Signal.REJECTS
    conditions, values = [], {}
    if erasure.trace_ids:
        ids = "{trace_ids:Array(String)}"
        conditions.append(f"hasAny({_TRACES_IN_LINE}, {ids})" if is_reject else f"trace_id IN {ids}")
        values["trace_ids"] = list(erasure.trace_ids)
    for column in _JSON_COLUMNS.get(table, ()) if erasure.mentions else ():
        conditions.append(f"multiSearchAny({column}, {{mentions:Array(String)}})")
        values["mentions"] = list(erasure.mentions)
    return (" OR ".join(conditions), values) if conditions else None


def _match_owner(erasure: Erasure, table: str) -> tuple[str, dict[str, Any]] | None:
    signal, time = LIVES[table]
    conditions, values = [], dict[str, Any]()
    if erasure.build_id is not None:
        if signal is Signal.REJECTS:
            return None  # nobody knows of which build a line is that could not be read
        conditions.append("build_id = {build_id:String}")
        values["build_id"] = erasure.build_id
    if erasure.project_id is not None:
        conditions.append("project_id = {project_id:String}")
        values["project_id"] = erasure.project_id
    if erasure.deployment_ids is not None:
        conditions.append("deployment_id IN {deployment_ids:Array(String)}")
        values["deployment_ids"] = list(erasure.deployment_ids)
    for name, sign, moment in (("since", ">=", erasure.since), ("until", "<", erasure.until)):
        if moment is not None:
            conditions.append(f"{time} {sign} {{{name}:DateTime64(6, 'UTC')}}")
            values[name] = normalize(moment)
    return " AND ".join(conditions) or "1", values
