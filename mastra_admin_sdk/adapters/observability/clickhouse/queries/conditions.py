"""Filters as conditions: each subject says which filters it knows and in which column each is looked up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from mastra_admin_sdk.adapters.observability.clickhouse.parameters import normalize
from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.ports.columns import (
    ANNOTATION_PREFIX,
    FEEDBACK_COLUMNS,
    LOG_COLUMNS,
    METRIC_COLUMNS,
    SCORE_COLUMNS,
    SPAN_COLUMNS,
)
from mastra_admin_sdk.ports.observability import Scalar, TelemetryFilter

FINISHED = "mastra_admin_spans_finished"
RUNNING = "mastra_admin_spans_running"
OPEN = "mastra_admin_spans_open"


@dataclass(frozen=True, slots=True)
class Subject:
    """A kind of row: where it is stored, and what it can be asked.

    Parameters:
        fields: filters that compare a column, and that column.
        texts: columns in which ``text`` is looked for.
        documents: columns with JSON; paths that name none of them are looked up in the first.
        key: what tells rows of one time apart.
        is_revised: whether a later row can take the place of an earlier one with its id (see `ANNOTATION_PREFIX`).
    """

    name: str
    table: str
    columns: tuple[str, ...]
    time: str
    fields: Mapping[str, str]
    texts: tuple[str, ...]
    documents: tuple[str, ...]
    key: tuple[str, ...]
    is_revised: bool = False


@dataclass(frozen=True, slots=True)
class Conditions:
    """What rows must fulfil, with the values that stand for its placeholders."""

    parts: tuple[str, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)

    def __add__(self, other: Conditions) -> Conditions:
        return Conditions((*self.parts, *other.parts), {**self.values, **other.values})

    @property
    def where(self) -> str:
        """Return the clause, or nothing."""
        return f" WHERE {' AND '.join(self.parts)}" if self.parts else ""


_COMMON = {
    "project_id": "project_id",
    "deployment_ids": "deployment_id",
    "build_id": "build_id",
    "trace_id": "trace_id",
}
SPANS = Subject(
    name="spans",
    table=FINISHED,
    columns=SPAN_COLUMNS,
    time="start_time",
    fields={
        **_COMMON,
        **{name: name for name in ("type", "status", "name", "model", "thread_id", "resource_id", "entity_id")},
    },
    texts=("name", "input", "output", "error"),
    documents=("attributes", "metadata", "input", "output"),
    key=("span_id", "trace_id"),
)
LISTS: Mapping[str, Subject] = {
    "logs": Subject(
        name="logs",
        table="mastra_admin_logs",
        columns=LOG_COLUMNS,
        time="timestamp",
        fields={**_COMMON, "level": "level"},
        texts=("message",),
        documents=("data",),
        key=("id",),
    ),
    "metrics": Subject(
        name="metrics",
        table="mastra_admin_metrics",
        columns=METRIC_COLUMNS,
        time="timestamp",
        fields={**_COMMON, "name": "name", "model": "model"},
        texts=("name",),
        documents=("labels",),
        key=("id",),
    ),
    "scores": Subject(
        name="scores",
        table="mastra_admin_scores",
        columns=SCORE_COLUMNS,
        time="timestamp",
        fields={**_COMMON, "name": "name"},
        texts=("reason",),
        documents=("data",),
        key=("id",),
        is_revised=True,
    ),
    "feedback": Subject(
        name="feedback",
        table="mastra_admin_feedback",
        columns=FEEDBACK_COLUMNS,
        time="timestamp",
        fields={**_COMMON, "name": "name"},
        texts=("comment", "value"),
        documents=("data",),
        key=("id",),
        is_revised=True,
    ),
}
_BY_PEOPLE = f"startsWith(id, '{ANNOTATION_PREFIX}')"
_OPTIONAL = ("type", "status", "level", "name", "entity_id", "model", "thread_id", "resource_id")


def match(subject: Subject, filters: TelemetryFilter) -> Conditions:
    """Return all that a filter asks of the rows of a subject.

    Raises:
        InvalidInput: the subject doesn't know one of the filters.
    """
    refuse_unknown(subject.name, filters, subject.fields)
    found = match_fields(subject.fields, filters) + match_time(filters, subject.time) + match_roots(subject, filters)
    return found + match_text(subject, filters) + match_attributes(subject, filters) + match_standing(subject)


def match_roots(subject: Subject, filters: TelemetryFilter) -> Conditions:
    """Return what leaves out spans that are inside of others, where that is asked for."""
    if not filters.roots:
        return Conditions()
    if subject is not SPANS:
        raise InvalidInput(f"The {subject.name} can't be filtered by roots.", hint="Spans can.")
    return Conditions(("(is_root OR parent_span_id = '')",))


def match_standing(subject: Subject) -> Conditions:
    """Return what leaves out of scores and feedback those that their author has replaced or taken back since."""
    if not subject.is_revised:
        return Conditions()
    newest = f"SELECT id, max(timestamp) FROM {subject.table} WHERE {_BY_PEOPLE} GROUP BY id"
    standing = f"((id, timestamp) IN ({newest}) AND NOT JSONExtractBool(data, 'removed'))"
    return Conditions((f"(NOT {_BY_PEOPLE} OR {standing})",))


def refuse_unknown(what: str, filters: TelemetryFilter, known: Iterable[str]) -> None:
    """Refuse a filter that a subject doesn't know."""
    for name in _OPTIONAL:
        if getattr(filters, name) is not None and name not in known:
            usable = [other for other in (*_OPTIONAL, "text", "attributes") if other in {*known, "text", "attributes"}]
            raise InvalidInput(f"The {what} can't be filtered by {name}.", hint=f"Use {', '.join(usable)}.")


def match_fields(fields: Mapping[str, str], filters: TelemetryFilter, prefix: str = "") -> Conditions:
    """Return comparisons of columns; ``prefix`` stands before each of them."""
    parts: list[str] = []
    values: dict[str, Any] = {}
    for name, column in fields.items():
        wanted = getattr(filters, name)
        if wanted is None:
            continue
        columns = ("entity_id", "entity_name") if name == "entity_id" else (column,)
        parts.append(_either(_compare(prefix + each, name, wanted) for each in columns))
        values[name] = wanted if isinstance(wanted, str) else list(wanted)
    return Conditions(tuple(parts), values)


def match_time(filters: TelemetryFilter, column: str) -> Conditions:
    """Return the limits of a time."""
    parts = [
        *([f"{column} >= {{since:DateTime64(3, 'UTC')}}"] if filters.since else []),
        *([f"{column} < {{until:DateTime64(3, 'UTC')}}"] if filters.until else []),
    ]
    return Conditions(tuple(parts), list_times(filters))


def match_around(filters: TelemetryFilter, column: str, margin: timedelta) -> Conditions:
    """Return the limits of a time with room before and behind."""
    parts, values = [], {}
    if filters.since:
        parts, values = [f"{column} >= {{early:DateTime64(3, 'UTC')}}"], {"early": format_time(filters.since - margin)}
    if filters.until:
        parts.append(f"{column} < {{late:DateTime64(3, 'UTC')}}")
        values["late"] = format_time(filters.until + margin)
    return Conditions(tuple(parts), values)


def match_text(subject: Subject, filters: TelemetryFilter) -> Conditions:
    """Return the search for a text, in any case."""
    if not filters.text:
        return Conditions()
    part = _either(f"positionCaseInsensitiveUTF8({column}, {{text:String}}) > 0" for column in subject.texts)
    return Conditions((part,), {"text": filters.text})


def match_attributes(subject: Subject, filters: TelemetryFilter) -> Conditions:
    """Return comparisons of what stands at paths in JSON."""
    parts: list[str] = []
    values: dict[str, Any] = {}
    for number, (path, wanted) in enumerate(filters.attributes.items()):
        column, keys = split_path(path, subject.documents)
        wanteds = wanted if isinstance(wanted, tuple) else (wanted,)
        routes = [keys] if len(keys) == 1 else [keys, (".".join(keys),)]
        tests = []
        for route, names in enumerate(routes):
            steps = [f"path_{number}_{route}_{place}" for place in range(len(names))]
            values |= dict(zip(steps, names, strict=True))
            for place, value in enumerate(wanteds):
                values[f"at_{number}_{place}"] = normalize(value)
                tests.append(_compare_json(column, steps, f"at_{number}_{place}", value))
        parts.append(_either(tests) if tests else "0")
    return Conditions(tuple(parts), values)


def split_path(path: str, documents: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Return the JSON column that a path leads into, and the keys from there."""
    keys = tuple(path.split("."))
    if not all(keys):
        raise InvalidInput(f"{path!r} is no path of an attribute.", hint='Write keys with dots: "usage.inputTokens".')
    if keys[0] in documents and len(keys) > 1:
        return keys[0], keys[1:]
    return documents[0], keys


def list_times(filters: TelemetryFilter) -> dict[str, str]:
    """Return the values of the limits of a time."""
    return {name: format_time(moment) for name in ("since", "until") if (moment := getattr(filters, name))}


def format_time(moment: datetime) -> str:
    """Return a time as ClickHouse reads it."""
    if moment.tzinfo is None:
        raise InvalidInput(f"The time {moment.isoformat()} has no time zone.", hint="Add one, such as tzinfo=UTC.")
    # Stored times have milliseconds: what is at or after this moment is at or after the next whole one.
    up = timedelta(microseconds=-moment.microsecond % 1000)
    return (moment.astimezone(UTC) + up).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def _compare(column: str, name: str, wanted: str | tuple[str, ...]) -> str:
    return f"{column} = {{{name}:String}}" if isinstance(wanted, str) else f"{column} IN {{{name}:Array(String)}}"


def _compare_json(column: str, steps: list[str], name: str, value: Scalar) -> str:
    keys = ", ".join(f"{{{step}:String}}" for step in steps)
    if isinstance(value, bool):
        return f"(JSONType({column}, {keys}) = 'Bool' AND JSONExtractBool({column}, {keys}) = {{{name}:Bool}})"
    if isinstance(value, str):
        return f"(JSONType({column}, {keys}) = 'String' AND JSONExtractString({column}, {keys}) = {{{name}:String}})"
    kinds = "('Int64', 'UInt64', 'Double')"
    return f"(JSONType({column}, {keys}) IN {kinds} AND JSONExtractFloat({column}, {keys}) = {{{name}:Float64}})"


def _either(tests: Iterable[str]) -> str:
    listed = list(tests)
    return listed[0] if len(listed) == 1 else f"({' OR '.join(listed)})"
