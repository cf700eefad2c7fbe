"""What people ask for, as filters for the store: names of things become ids, ages become times."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from mastra_admin_sdk.errors import InvalidInput, NotFound
from mastra_admin_sdk.ports.observability import Grouping, Listing, Price, TelemetryFilter, Values
from mastra_admin_sdk.services.parts import Parts
from mastra_admin_sdk.services.references import Resolver

from .moments import parse_length, parse_moment
from .places import Place, read_place
from .wording import DEFAULT_HOURS

EVERYTHING = "all"
"""As ``since``: no beginning."""

_OF_ALL = ("team", "project", "deployment", "build", "branch", "since", "until", "text", "attributes", "trace_id")
_SHAPE = ("limit", "order", "after", "columns", "count", "chunks")
_OF_SPANS = ("type", "status", "name", "agent", "model", "thread", "user")
_KNOWN: Mapping[str, tuple[str, ...]] = {
    Listing.SPANS: (*_OF_SPANS, "roots"),
    Listing.TRACES: _OF_SPANS,
    Listing.LOGS: ("level",),
    Listing.METRICS: ("name", "model"),
    Listing.SCORES: ("name",),
    Listing.FEEDBACK: ("name",),
    "latency": (*_OF_SPANS, "roots", "by", "bucket", "timezone"),
    "usage": (*_OF_SPANS, "roots", "by", "bucket", "timezone"),
    "errors": (*(name for name in _OF_SPANS if name != "status"), "roots"),
    "threads": _OF_SPANS,
}
_PAGED = frozenset(Listing)
_RECORD_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SUMMARIES = ("latency", "usage", "errors", "threads")
"""Questions that read all of a time: they have a default one."""

_FIELDS = {"agent": "entity_id", "thread": "thread_id", "user": "resource_id"}
_ALIASES = {**{field: name for name, field in _FIELDS.items()}, "trace": "trace_id", "limits": "limit"}
_CHOICES = {"status": ("ok", "error", "running"), "level": ("debug", "info", "warn", "error", "fatal")}
_PLAIN = ("type", "status", "level", "name", "trace_id", "model", *_FIELDS)


@dataclass(frozen=True, slots=True)
class Asked:
    """One question: which, about what, and in what shape the answer is wanted."""

    question: str
    filters: TelemetryFilter
    grouping: Grouping
    default_since: bool = False
    count: bool = False
    chunks: int | None = None

    def list_facts(self, frame_order: str | None = None) -> dict[str, Any]:
        """Return what an answer says of itself, as JSON can hold it."""
        filters = self.filters
        return {
            "question": self.question,
            "limit": filters.limit,
            "order": filters.order or frame_order,
            "since": filters.since.isoformat() if filters.since else None,
            "until": filters.until.isoformat() if filters.until else None,
            "default_since": self.default_since,
        }


class Asker:
    """Understands questions; a misspelt name is answered with the near ones."""

    def __init__(self, parts: Parts, resolver: Resolver, prices: tuple[Price, ...]) -> None:
        self._parts, self._resolver, self._prices = parts, resolver, prices

    def understand(self, question: str, given: Mapping[str, Any]) -> Asked:
        """Return what is meant.

        Raises:
            InvalidInput: there is no such filter, or it can't have that value.
            NotFound: there is no such project, deployment, build or branch.
        """
        words = {_ALIASES.get(name, name): value for name, value in given.items() if value is not None}
        check_names(question, words)
        check_unicode(words)
        chunks = _check_chunks(words.get("chunks"))
        limit = given.get("limit", None if chunks else 1000)
        plain: dict[str, Any] = {
            _FIELDS.get(name, name): _read_values(name, words[name]) for name in _PLAIN if name in words
        }
        filters = TelemetryFilter(
            **self._find_owners(words),
            **plain,
            text=_check_text(words.get("text")),
            attributes=_read_attributes(words.get("attributes")),
            limit=_check_limit(limit),
            order=words.get("order"),
            after=_read_after(question, words),
            columns=_read_names("columns", words["columns"]) if "columns" in words else None,
            prices=self._prices,
            roots=bool(words.get("roots")),
        )
        filters, is_default = _limit_time(filters, words, question)
        grouping = _read_grouping(words)
        return Asked(question, filters, grouping, is_default, bool(words.get("count")), chunks)

    def _find_owners(self, words: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if "team" in words or "project" in words:
            found["project_id"] = _take_alone(self._find_projects(words))
        if "deployment" in words:
            found["deployment_ids"] = _find_ids(self._resolver.deployment, words["deployment"])
        if "build" in words:
            found["build_id"] = _take_alone(_find_ids(self._resolver.build, words["build"]))
        if "branch" in words:
            branches = self._find_branches(_list(words["branch"]), found.get("project_id"))
            chosen = found.get("deployment_ids")
            found["deployment_ids"] = tuple(each for each in branches if chosen is None or each in chosen)
        return found

    def _find_projects(self, words: Mapping[str, Any]) -> tuple[str, ...]:
        chosen = _find_ids(self._resolver.project, words["project"]) if "project" in words else None
        if "team" not in words:
            return chosen or ()
        teams = [self._resolver.team(each).id for each in _list(words["team"])]
        own = [project.id for team in teams for project in self._parts.storage.projects.list(team)]
        return tuple(each for each in own if chosen is None or each in chosen)

    def _find_branches(self, wanted: list[Any], project_id: Values | None) -> tuple[str, ...]:
        projects = None if project_id is None else _list(project_id)
        known = [
            deployment
            for deployment in self._parts.storage.deployments.list()
            if projects is None or deployment.project_id in projects
        ]
        branches = sorted({deployment.branch for deployment in known})
        for branch in wanted:
            if branch not in branches:
                near = difflib.get_close_matches(str(branch), branches, n=3)
                raise NotFound(
                    f"Nothing is deployed of a branch {branch!r}.",
                    hint=_name_near(near, branches) if branches else "There is no deployment yet.",
                )
        return tuple(deployment.id for deployment in known if deployment.branch in wanted)


def check_unicode(value: Any) -> None:
    """Refuse text that no store can hold, wherever in a question it is: halves of a cut emoji and the like."""
    if isinstance(value, Mapping):
        value = [*value.keys(), *value.values()]
    if isinstance(value, str):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError as exc:
            raise InvalidInput(
                f"{value[:100]!r} is no text: the character at {exc.start + 1} is half of one.",
                hint="Leave it out, or give the whole character.",
            ) from exc
    elif isinstance(value, list | tuple | set | frozenset):
        for each in value:
            check_unicode(each)


def check_names(question: str, given: Iterable[str]) -> None:
    """Refuse names that a question doesn't know."""
    known = (*_OF_ALL, *_KNOWN[question], *_SHAPE)
    everywhere = {*_OF_ALL, *_SHAPE, *(name for names in _KNOWN.values() for name in names)}
    for name in given:
        if name in known:
            continue
        if name in everywhere:
            raise InvalidInput(
                f"{question.capitalize()} can't be filtered by {name}.", hint=f"Filters: {', '.join(known)}."
            )
        near = difflib.get_close_matches(name, known, n=3)
        raise InvalidInput(f"There is no filter {name!r}.", hint=_name_near(near, known))


def _name_near(near: list[str], known: Iterable[str]) -> str:
    if near:
        return f"Did you mean {' or '.join(repr(name) for name in near)}?"
    return f"There are: {', '.join(known)}."


def _limit_time(filters: TelemetryFilter, words: Mapping[str, Any], question: str) -> tuple[TelemetryFilter, bool]:
    since, until = words.get("since"), words.get("until")
    moment = parse_moment(until) if until is not None else None
    filters = replace(filters, until=moment)
    if since == EVERYTHING:
        return filters, False
    if since is not None:
        return replace(filters, since=_check_range(parse_moment(since), moment)), False
    takes_long = question in _SUMMARIES or filters.text or filters.attributes
    if not takes_long or filters.trace_id is not None:
        return filters, False
    day = timedelta(hours=DEFAULT_HOURS)
    return replace(filters, since=(moment or parse_moment("0s")) - day), True


def _check_range(since: datetime, until: datetime | None) -> datetime:
    if until is not None and since >= until:
        raise InvalidInput(
            f"The time ends ({until.isoformat()}) before it begins ({since.isoformat()}).", hint="since comes first."
        )
    return since


def _find_ids(find: Callable[[Any], Any], given: Any) -> tuple[str, ...]:
    """Return the ids that are meant. An id of something that was deleted stands for itself: its telemetry stays."""
    return tuple(_find_id(find, each) for each in _list(given))


def _find_id(find: Callable[[Any], Any], reference: Any) -> str:
    try:
        return str(find(reference).id)
    except NotFound:
        wanted = getattr(reference, "id", reference)
        if not is_record_id(wanted):
            raise
        return str(wanted)


def is_record_id(text: object) -> bool:
    """True for what can be the id of a record, whether or not there is one."""
    return isinstance(text, str) and _RECORD_ID.fullmatch(text) is not None


def _take_alone(ids: tuple[str, ...]) -> Values:
    return ids[0] if len(ids) == 1 else ids


def _read_after(question: str, words: Mapping[str, Any]) -> Place | None:
    if "after" not in words:
        return None
    if question not in _PAGED:
        raise InvalidInput(f"The {question} come in one answer.", hint="Leave after out.")
    return read_place(question, words.get("order"), words["after"])


def _read_values(name: str, value: Any) -> str | tuple[str, ...]:
    values = tuple(_check_value(name, each) for each in _list(value))
    return values[0] if len(values) == 1 else values


def _check_value(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidInput(f"{value!r} is no {name}.", hint="Give text, or a list of texts.")
    known = _CHOICES.get(name)
    if known and value not in known:
        near = difflib.get_close_matches(value, known, n=1)
        raise InvalidInput(f"{value!r} is no {name}.", hint=_name_near(near, known))
    return str(value)


def _list(value: Any) -> list[Any]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        return [value]
    return list(value)


def _check_text(text: Any) -> str | None:
    if text is not None and not isinstance(text, str):
        raise InvalidInput(f"{text!r} is no text to look for.")
    return text or None


def _read_attributes(given: Any) -> dict[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise InvalidInput(
            f"{given!r} names no attributes.", hint='Give paths and values: attributes={"usage.inputTokens": 12}.'
        )
    return {str(path): _read_scalars(str(path), value) for path, value in given.items()}


def _read_scalars(path: str, value: Any) -> Any:
    if isinstance(value, list | tuple | set | frozenset):
        return tuple(_read_scalars(path, each) for each in value)
    if hasattr(value, "item"):  # a number of NumPy
        value = value.item()
    if not isinstance(value, str | int | float):
        raise InvalidInput(f"{path} can't be compared with {value!r}.", hint="Give text, a number, True or False.")
    return value


def _read_names(what: str, value: Any) -> tuple[str, ...]:
    names = tuple(_list(value))
    if not names or not all(isinstance(name, str) for name in names):
        raise InvalidInput(f"{value!r} names no {what}.", hint="Give a list of names.")
    return names


def _read_grouping(words: Mapping[str, Any]) -> Grouping:
    by = _read_names("by", words["by"]) if "by" in words and _list(words["by"]) else ()
    bucket = parse_length(words["bucket"]) if "bucket" in words else None
    return Grouping(by=by, bucket=bucket, timezone=str(words.get("timezone") or "UTC"))


def _check_limit(limit: Any) -> int | None:
    if limit is None:
        return None
    if isinstance(limit, bool) or not hasattr(limit, "__index__") or int(limit) < 0:
        raise InvalidInput(f"{limit!r} is no limit.", hint="Give a number of rows, or None for all.")
    return int(limit)


def _check_chunks(chunks: Any) -> int | None:
    if chunks is None:
        return None
    if isinstance(chunks, bool) or not hasattr(chunks, "__index__") or int(chunks) < 1:
        raise InvalidInput(f"{chunks!r} is no number of rows for a chunk.", hint="Such as chunks=50_000.")
    return int(chunks)
