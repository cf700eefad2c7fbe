"""Tables in memory for the storage fake: rules of uniqueness, parents, cascades and compare-and-set, under one lock."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import threading
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Generic, TypeVar

from mastra_admin_sdk.errors import Conflict, ForkedProcess, InvalidInput, NotFound, StaleState, StorageError
from mastra_admin_sdk.models import Cursor, EnvVar, utc_now

Record = TypeVar("Record")


class Memory:
    """All tables, their lock, and the order in which records came."""

    def __init__(self, clock: Callable[[], datetime] = utc_now) -> None:
        self.clock = clock
        self.tables: dict[type, MemoryTable[Any]] = {}
        self.closed = False
        self._lock = threading.RLock()
        self._pid = os.getpid()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock that makes each call one transaction."""
        self.check_process()
        if self.closed:
            raise StorageError("The storage in memory is closed.")
        with self._lock:
            yield

    def owns(self, record: Any, *, project_id: str | None = None, team_id: str | None = None) -> bool:
        """True when a record's deployment is of all the owners that are given."""
        by_name = {kind.__name__: table.records for kind, table in self.tables.items()}
        project = by_name["Project"][by_name["Deployment"][record.deployment_id].project_id]
        return project_id in (None, project.id) and team_id in (None, project.team_id)

    def check_process(self) -> None:
        """Raise `ForkedProcess` in a fork."""
        if os.getpid() != self._pid:
            raise ForkedProcess("The storage in memory is used in a fork.")


@dataclasses.dataclass(frozen=True)
class Rule:
    """Values of ``fields`` are unique among the records that ``applies`` to."""

    fields: tuple[str, ...]
    message: str
    applies: Callable[[Any], bool] = lambda record: True


class MemoryTable(Generic[Record]):
    """Records of one dataclass by id.

    ``parents`` maps a field to the class it points to (deleting cascades), ``links`` the same for fields that are
    emptied instead. ``ties`` order what has the same time: ids, numbers, or ``sequence``, in which they came.
    """

    def __init__(
        self,
        memory: Memory,
        kind: type[Record],
        *,
        frozen: Sequence[str] = (),
        rules: Sequence[Rule] = (),
        parents: Mapping[str, type] | None = None,
        links: Mapping[str, type] | None = None,
        ties: tuple[str, ...] = ("id",),
    ) -> None:
        self.memory, self.kind, self.frozen, self.rules = memory, kind, frozen, rules
        self.parents, self.links = dict(parents or {}), dict(links or {})
        self.ties = ties
        self.records: dict[str, Any] = {}
        self.noun = kind.__name__.lower()
        memory.tables[kind] = self

    def insert(self, record: Record, **changes: Any) -> Record:
        """Store a new record as a database would hold it."""
        with self.memory.locked():
            values = {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}  # type: ignore[arg-type]
            new = self.kind(**conform(self.kind, values | changes))
            if new.id in self.records:  # type: ignore[attr-defined]
                raise Conflict(f"There is a {self.noun} with that id already.")
            self._store(new)
            return new

    def get(self, record_id: str) -> Record:
        """Return a record or raise `NotFound`."""
        with self.memory.locked():
            if record_id not in self.records:
                raise NotFound(f"There is no {self.noun} with the id {record_id!r}.")
            return self.records[record_id]

    def find(self, **values: Any) -> Record:
        """Return the one record with these values or raise `NotFound`."""
        found = self.select(lambda record: all(getattr(record, name) == value for name, value in values.items()))
        if not found:
            raise NotFound(f"There is no {self.noun} with {values}.")
        return found[0]

    def select(
        self,
        where: Callable[[Any], bool] = lambda record: True,
        *,
        limit: int | None = None,
        after: Cursor | None = None,
        key: str = "created_at",
    ) -> list[Record]:
        """Return records newest first and, of the same time, by ``ties``; ``after`` a place in that order."""
        if limit is not None and limit < 0:
            raise InvalidInput("A limit can't be negative.")
        with self.memory.locked():
            places = {
                record.id: self._place(number, record, key) for number, record in enumerate(self.records.values())
            }
            newest = sorted(self.records.values(), key=lambda record: places[record.id], reverse=True)
            if after is not None:
                gone = (after.at, *(after.id if name == "id" else math.inf for name in self.ties))
                place = (after.at, *places.get(after.id, gone)[1:])
                newest = [record for record in newest if places[record.id] < place]
            return [record for record in newest if where(record)][:limit]

    def _place(self, number: int, record: Any, key: str) -> tuple[Any, ...]:
        return (getattr(record, key), *(number if name == "sequence" else getattr(record, name) for name in self.ties))

    def update(
        self, record_id: str, changes: Mapping[str, Any], guard: Callable[[Any], None] = lambda record: None
    ) -> Record:
        """Change fields that an update may change, if ``guard`` doesn't object."""
        values = conform(self.kind, changes)
        for name in values:
            if name in self.frozen:
                raise InvalidInput(f"The field {name!r} of a {self.noun} can't be changed by an update.")
        with self.memory.locked():
            current = self.get(record_id)
            if not values:
                return current
            guard(current)
            return self.put(current, **values)

    def put(self, current: Any, **values: Any) -> Record:
        """Replace a record, with ``updated_at`` moved."""
        if hasattr(current, "updated_at"):
            after = current.updated_at + timedelta(microseconds=1)
            values["updated_at"] = max(utc_now(), after)
        new = dataclasses.replace(current, **values)
        self._store(new)
        return new

    def transition(
        self,
        record_id: str,
        to: Any,
        expected: Iterable[Any],
        table: Mapping[Any, frozenset[Any]],
        changes: Mapping[str, Any],
        *,
        consequences: Mapping[str, Any] | None = None,
        may_stay: bool = False,
        guard: Callable[[Any], None] = lambda record: None,
    ) -> Record:
        """Compare and set a status."""
        kind = type(next(iter(table)))
        [target], states = list_statuses(kind, [to]), list_statuses(kind, expected)
        good = [state for state in states if target in table[state] or (may_stay and state == target)]
        values = conform(self.kind, changes)
        if not good or any(name in self.frozen for name in values):
            raise InvalidInput(f"A {self.noun} can't go from {states} to {target} with {sorted(values)}.")
        with self.memory.locked():
            current: Any = self.get(record_id)
            if current.status not in states:
                raise StaleState(f"The {self.noun} is {current.status}.", evidence={"current": current.status.value})
            if current.status not in good:
                raise InvalidInput(f"A {self.noun} can't go from {current.status} to {target}.")
            guard(current)
            return self.put(current, **{**(consequences or {}), **values, "status": target})

    def delete(self, record_id: str) -> None:
        """Remove a record and what points to it."""
        with self.memory.locked():
            self.get(record_id)
            del self.records[record_id]
            for table in self.memory.tables.values():
                table.forget(self.kind, record_id)

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """Undo what happened to this table meanwhile when something fails."""
        kept = dict(self.records)
        try:
            yield
        except BaseException:
            self.records = kept
            raise

    def forget(self, parent: type, parent_id: str) -> None:
        """Cascade a delete into this table."""
        for record in [*self.records.values()]:
            if any(kind is parent and getattr(record, name) == parent_id for name, kind in self.parents.items()):
                if record.id in self.records:
                    self.delete(record.id)
                continue
            lost = [n for n, kind in self.links.items() if kind is parent and getattr(record, n) == parent_id]
            if lost and record.id in self.records:
                self.records[record.id] = dataclasses.replace(record, **dict.fromkeys(lost))

    def _store(self, new: Any) -> None:
        for name, kind in (self.parents | self.links).items():
            target = getattr(new, name)
            if target is not None and target not in self.memory.tables[kind].records:
                raise NotFound(f"There is no {kind.__name__.lower()} with the id {target!r}.")
        for rule in self.rules:
            same = [getattr(new, name) for name in rule.fields]
            for other in self.records.values():
                clash = rule.applies(new) and rule.applies(other) and other.id != new.id
                if clash and [getattr(other, name) for name in rule.fields] == same:
                    raise Conflict(rule.message.format(new))
        self.records[new.id] = new


def list_statuses(kind: type[StrEnum], statuses: Iterable[Any]) -> list[Any]:
    """Return statuses of one kind; `InvalidInput` for a stranger."""
    try:
        return [kind(status) for status in statuses]
    except (TypeError, ValueError) as exc:
        raise InvalidInput(f"{statuses!r} isn't a list of {kind.__name__}.") from exc


def conform(kind: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as a database gives them back; `InvalidInput` for fields and values that don't fit."""
    hints = typing.get_type_hints(kind)
    unknown = values.keys() - hints.keys()
    if unknown:
        raise InvalidInput(f"A {kind.__name__.lower()} has no field {sorted(unknown)}.")
    try:
        return {name: _conform_value(hints[name], value) for name, value in values.items()}
    except (TypeError, ValueError, AttributeError) as exc:
        raise InvalidInput(f"A value of a {kind.__name__.lower()} has the wrong form: {exc}.") from exc


def _conform_value(hint: Any, value: Any) -> Any:
    if hint is Any:
        return _copy_json(value)
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if value is None and type(None) in options:
        return None
    wanted = options[0]
    if typing.get_origin(wanted) is tuple:
        item = typing.get_args(wanted)[0]
        if isinstance(value, str):
            raise TypeError("a list is needed")
        return tuple(_conform_env(one) if item is EnvVar else _conform_value(item, one) for one in value)
    if typing.get_origin(wanted) is Mapping:
        return _copy_json({**value})
    if issubclass(wanted, StrEnum):
        return wanted(value)
    if wanted is float and isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    if not isinstance(value, wanted) or wanted is float or (wanted is int and isinstance(value, bool)):
        raise TypeError(f"{wanted.__name__} is needed")
    if wanted is datetime and value.tzinfo is None:
        raise ValueError("no time zone")
    if wanted is datetime:
        return value.astimezone(UTC)
    return clean(value) if wanted is str else value


def _conform_env(value: EnvVar) -> EnvVar:
    return EnvVar(clean(value.key), clean(value.encrypted_value), bool(value.is_secret))


def _copy_json(value: Any) -> Any:
    """Return what comes back when a value is written and read as JSON."""

    def prepare(part: Any) -> Any:
        if isinstance(part, float) and not math.isfinite(part):
            raise ValueError("not a number that JSON knows")
        if isinstance(part, Mapping):
            return {clean(str(key)): prepare(item) for key, item in part.items()}
        if isinstance(part, list | tuple):
            return [prepare(item) for item in part]
        return clean(part) if isinstance(part, str) else part

    return json.loads(json.dumps(prepare(value)))


def clean(text: str) -> str:
    """Return text without NUL and lone surrogates."""
    return "".join("\ufffd" if char == "\0" or "\ud800" <= char <= "\udfff" else char for char in text)
