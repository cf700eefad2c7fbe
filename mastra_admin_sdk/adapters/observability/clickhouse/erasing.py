"""What an erasure removes, as statements: a count and a mutation for each table that keeps rows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from mastra_admin_sdk.ports.observability import Erasure

from .addresses import Role
from .clients import Clients
from .retention import Signal
from .schema import LIVES, TRACE_TIMES
from .topology import ONE_MACHINE, Topology

_WHAT = "Erasing telemetry"
_SETTINGS: Mapping[str, Any] = {"mutations_sync": 2}  # wait until parts are rewritten, on all replicas

_IDS_AT_ONCE = 1_500  # in hexadecimal digits they stay below the 256 KB that a statement may have
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TRACES_IN_LINE = 'extractAll(line, \'"traceId"\\\\s*:\\\\s*"([^"]+)"\')'
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
    held: str
    shown: str | None
    delete: str


def erase_tables(
    clients: Clients, erasure: Erasure, topology: Topology = ONE_MACHINE, *, dry_run: bool = False
) -> dict[str, int]:
    """Remove rows from all tables and return how many by signal; see `ObservabilityStore.erase`."""
    total: Counter[str] = Counter({signal.value: 0 for signal in Signal})
    for part in list_erasures(erasure, topology):
        with clients.lend(Role.OWNER, _WHAT, f"{part.table}, {part.signal}") as client:
            held = _count(client, part.held)
            total[part.signal] += _count(client, part.shown) if held and part.shown else 0
            if held and not dry_run:
                client.execute(part.delete, settings=dict(_SETTINGS))
    return dict(total)


def _count(client: Any, sql: str) -> int:
    ((count,),) = client.execute(sql)
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


_Match = Callable[[Erasure, str], str | None]


def _erase_tables(erasure: Erasure, topology: Topology, match: _Match) -> Iterator[TableErasure]:
    for table, (signal, _) in LIVES.items():
        where = match(erasure, table)
        if where is None:
            continue
        source = _SHOWN.get(table)
        yield TableErasure(
            signal,
            table,
            held=f"SELECT count() FROM {table} WHERE {where}",
            shown=f"SELECT count() FROM {source} WHERE {where}" if source else None,
            delete=f"ALTER TABLE {topology.find_kept(table)} DELETE WHERE {where}",
        )


def _match_traces(erasure: Erasure, table: str) -> str | None:
    is_reject = LIVES[table][0] is Signal.REJECTS
    conditions = []
    if erasure.trace_ids:
        ids = _write_texts(erasure.trace_ids)
        conditions.append(f"hasAny({_TRACES_IN_LINE}, {ids})" if is_reject else f"trace_id IN {ids}")
    for column in _JSON_COLUMNS.get(table, ()) if erasure.mentions else ():
        conditions.append(f"multiSearchAny({column}, {_write_texts(erasure.mentions)})")
    return " OR ".join(conditions) or None


def _match_owner(erasure: Erasure, table: str) -> str | None:
    signal, time = LIVES[table]
    if table == TRACE_TIMES:
        return None  # it tells no owner, and leads to spans only as long as they are there
    if signal is Signal.REJECTS and erasure.build_id is not None:
        return None  # nobody knows of which build a line is that could not be read
    conditions = [
        f"{column} IN {_write_texts(values)}"
        for column, values in (
            ("project_id", None if erasure.project_id is None else [erasure.project_id]),
            ("deployment_id", erasure.deployment_ids),
            ("build_id", None if erasure.build_id is None else [erasure.build_id]),
        )
        if values is not None
    ]
    conditions += [
        f"{time} {sign} fromUnixTimestamp64Micro({_count_microseconds(moment)}, 'UTC')"
        for sign, moment in ((">=", erasure.since), ("<", erasure.until))
        if moment is not None
    ]
    return " AND ".join(conditions) or "1"


def _write_texts(values: Sequence[str]) -> str:
    """Return a list of texts as SQL in which only hexadecimal digits come from outside.

    They can't be bound: a mutation on a cluster is sent on without the values of its placeholders.
    """
    return f"JSONExtract(unhex('{json.dumps(list(values)).encode().hex()}'), 'Array(String)')"


def _count_microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
