"""What a statement is and which columns it has, remembered: the same questions come again and again."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from .sessions import Column, EngineError, Pool, Session
from .statements import Kind, check_reads_inside, classify, leave_out_format, list_outside, parse_insert

K = TypeVar("K")
T = TypeVar("T")

_REMEMBERED = 256
_LONGEST_VALUES = 10_000


@dataclass(frozen=True, slots=True)
class Plan:
    """A statement that may run: what it does, and its text as ClickHouse prints it (empty for an insert)."""

    kind: Kind
    canonical: str
    sql: str
    """What to run."""


class Planner:
    """Judges statements and finds their columns.

    Parameters:
        pool: the engine's sessions.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._outside = list_outside(pool.list_table_functions())
        self._plans: OrderedDict[str, Plan] = OrderedDict()
        self._columns: OrderedDict[tuple[Any, ...], list[Column]] = OrderedDict()
        self._changes = 0
        self._lock = threading.Lock()

    def plan(self, sql: str) -> Plan:
        """Judge a statement, by its text alone.

        Raises:
            Refused: nobody may run it.
            EngineError: it is no statement, or more than one.
        """
        return self._remember(self._plans, sql, lambda: self._judge(sql))

    def describe(
        self, session: Session, plan: Plan, parameters: Mapping[str, str], *, by_text: bool = False
    ) -> list[Column]:
        """Return names and types of a query's columns.

        Parameters:
            by_text: the client promises that values of parameters don't change types, so they may be remembered.
        """

        def ask() -> list[Column]:
            output = session.run(
                f"DESCRIBE TABLE ({plan.canonical})", format="JSONCompactEachRow", parameters=parameters
            )
            return [Column(row[0], row[1]) for row in map(json.loads, output.decode().splitlines())]

        values = () if by_text else tuple(sorted(parameters.items()))
        if sum(len(value) for _, value in values) > _LONGEST_VALUES:
            return ask()
        # With the number of changes: an answer that was on its way while a table changed is remembered for nobody.
        return self._remember(self._columns, (self._changes, plan.canonical, *values), ask)

    def forget(self) -> None:
        """Forget columns, because tables have changed."""
        with self._lock:
            self._changes += 1
            self._columns.clear()

    def _judge(self, sql: str) -> Plan:
        if parse_insert(sql) is not None:
            return Plan(Kind.INSERT, "", sql)
        canonical = self._pool.parse(sql)
        kind = classify(canonical)
        if kind in {Kind.CHANGE, Kind.KILL}:
            return Plan(kind, canonical, sql)
        check_reads_inside(canonical, self._outside)
        plain = self._leave_out_format(canonical)
        return Plan(kind, plain, sql if plain == canonical else plain)

    def _leave_out_format(self, canonical: str) -> str:
        plain = leave_out_format(canonical)
        try:
            return plain if plain == canonical else self._pool.parse(plain)
        except EngineError:  # it was somebody's column
            return canonical

    def _remember(self, known: OrderedDict[K, T], key: K, make: Callable[[], T]) -> T:
        with self._lock:
            if key in known:
                known.move_to_end(key)
                return known[key]
        made = make()
        with self._lock:
            known[key] = made
            while len(known) > _REMEMBERED:
                known.popitem(last=False)
        return made
