"""The first page: what fails and why, what is being built, what is slow, and whether all that runs it does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mastra_admin_sdk.models import Build
from mastra_admin_sdk.services.monitoring.measures import Activity

from .builds import BuildRow, describe_build

Document = Mapping[str, Any]
"""What ``/api/overview`` answers."""

_MOST_SLOW = 8
_MOST_RUNNING = 12
_BAD_SHARE = 0.05
_LAGGING_SECONDS = 30.0
_TONES = {"running": "good", "building": "busy", "pending": "wait"}


@dataclass(frozen=True, slots=True)
class Figure:
    """One number at the top; ``anchor`` is where on the page it is told more about."""

    label: str
    value: int
    tone: str = ""
    note: str = ""
    anchor: str | None = None


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that needs a look: what, since when, why, and where to look."""

    deployment_id: str
    place: str
    word: str
    tone: str
    reason: str
    at: str | None = None
    build_id: str | None = None
    build: int | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """How the traces of a deployment went in the last hour; times are milliseconds."""

    deployment_id: str
    place: str
    traces: int
    errors: int
    error_rate: float
    p50_ms: float | None
    p95_ms: float | None
    is_failing: bool


@dataclass(frozen=True, slots=True)
class Part:
    """One of the parts that run it all, and how it does; ``command`` is what mends it."""

    name: str
    word: str
    tone: str
    note: str = ""
    command: str | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """One deployment in the list of what there is; ``word`` is what was observed."""

    deployment_id: str
    place: str
    type: str
    word: str
    tone: str
    url: str | None
    build_id: str | None
    build: int | None
    changed_at: str | None


@dataclass(frozen=True, slots=True)
class OverviewPage:
    """All of the first page. ``paces`` is ``None`` where the store can't be asked at the moment.

    ``alerts`` are the names of those that fire; ``running`` are deployments, those that changed last first.
    """

    figures: tuple[Figure, ...]
    troubles: tuple[Trouble, ...]
    building: tuple[BuildRow, ...]
    recent: tuple[BuildRow, ...]
    paces: tuple[Pace, ...] | None
    parts: tuple[Part, ...]
    alerts: tuple[str, ...]
    running: tuple[Running, ...]
    teams: int
    projects: int
    deployments: int


@dataclass(frozen=True, slots=True)
class Place:
    """One deployment of the document with the slugs that name it."""

    team: Document
    project: Document
    deployment: Document

    @property
    def name(self) -> str:
        """``team/project/slug``."""
        return f"{self.team['slug']}/{self.project['slug']}/{self.deployment['slug']}"


def describe_overview(
    document: Document,
    *,
    recent: Sequence[Build],
    failed: Sequence[Build] = (),
    active: Sequence[tuple[Build, Mapping[str, float]]] = (),
    activities: Mapping[str, Activity] | None = None,
) -> OverviewPage:
    """Return the page.

    Parameters:
        document: what is there, already limited to what may be seen.
        recent: the newest builds.
        failed: builds that failed lately, newest first.
        active: builds under way or waiting, with the seconds that their phases are likely to take.
        activities: what the store says of traces, by deployment; ``None`` when it can't be asked.
    """
    places = list(list_places(document))
    names = {place.deployment["id"]: place.name for place in places}
    troubles = [*find_troubles(places), *find_failed_builds(places, failed)]
    building = tuple(describe_build(build, names.get(build.deployment_id), expected) for build, expected in active)
    return OverviewPage(
        figures=_count(places, troubles, building, [build for build in recent if build.deployment_id in names]),
        troubles=tuple(troubles),
        building=building,
        recent=tuple(describe_build(build, names.get(build.deployment_id)) for build in recent),
        paces=None if activities is None else rank_paces(names, activities),
        parts=describe_parts(document),
        alerts=tuple(document.get("firing", ())),
        running=list_running(places),
        teams=len(document["teams"]),
        projects=sum(len(team["projects"]) for team in document["teams"]),
        deployments=len(places),
    )


def list_places(document: Document) -> Iterator[Place]:
    """Yield every deployment of a document."""
    for team in document["teams"]:
        for project in team["projects"]:
            for deployment in project["deployments"]:
                yield Place(team, project, deployment)


def find_troubles(places: Iterable[Place]) -> Iterator[Trouble]:
    """Yield what is wrong with deployments: what is down before what is only impaired."""
    found = [trouble for place in places for trouble in _judge(place)]
    yield from sorted(found, key=lambda trouble: (trouble.tone != "bad", trouble.place))


def find_failed_builds(places: Iterable[Place], failed: Iterable[Build]) -> Iterator[Trouble]:
    """Yield the builds that failed after the one that serves, the newest of each deployment.

    Of a deployment that is down itself nothing is yielded: why is told there.
    """
    known = {place.deployment["id"]: place for place in places}
    seen: set[str] = set()
    for build in failed:
        place = known.get(build.deployment_id)
        if place is None or build.deployment_id in seen or place.deployment["status"] == "failed":
            continue
        seen.add(build.deployment_id)
        serving = (place.deployment.get("build") or {}).get("number") or 0
        newest = (place.deployment.get("active_build") or {}).get("number") or 0
        if build.number > max(serving, newest):
            yield _describe_failed(place, build, serving)


def rank_paces(names: Mapping[str, str], activities: Mapping[str, Activity]) -> tuple[Pace, ...]:
    """Return how deployments do, those that fail first, then the slowest."""
    found = [_describe_pace(key, names[key], item) for key, item in activities.items() if key in names and item.traces]
    found.sort(key=lambda pace: (not pace.is_failing, -(pace.p95_ms or 0.0), pace.place))
    return tuple(found[:_MOST_SLOW])


def list_running(places: Iterable[Place], limit: int = _MOST_RUNNING) -> tuple[Running, ...]:
    """Return the deployments that changed last."""
    newest = sorted(places, key=lambda place: place.deployment["updated_at"] or "", reverse=True)
    return tuple(_describe_running(place) for place in newest[:limit])


def describe_parts(document: Document) -> tuple[Part, ...]:
    """Return how background work, router, engine and storing of telemetry do."""
    engine = document["engine"]
    return (
        Part("Background work", "running", "good")
        if document["is_supervised"]
        else Part(
            "Background work",
            "not running",
            "bad",
            "Nothing restarts servers that end, and no schedule fires.",
            "mastra-admin up",
        ),
        Part("Router", "running", "good")
        if document["router"]["running"]
        else Part("Router", "stopped", "idle", "It starts with the first deployment."),
        _describe_engine(engine),
        _describe_storing(document),
    )


def _describe_running(place: Place) -> Running:
    item, build = place.deployment, place.deployment.get("build") or {}
    trouble = next(_judge(place), None)
    word = trouble.word if trouble else item["status"]
    return Running(
        item["id"],
        place.name,
        item["type"],
        word,
        trouble.tone if trouble else _TONES.get(word, "idle"),
        item["url"],
        build.get("id"),
        build.get("number"),
        item["updated_at"],
    )


def _judge(place: Place) -> Iterator[Trouble]:
    item, status = place.deployment, place.deployment["status"]
    word, tone, reason = None, "bad", item.get("status_reason") or ""
    answering = [server["answers"] for server in item.get("servers", ())]
    if status == "failed":
        word, reason = "failed", reason or "It isn't known why; its log may tell."
    elif status == "running" and item.get("answers") is False:
        word, reason = "not answering", reason or "Its health check isn't answered."
    elif status == "running" and not all(answering):
        word, tone = "partly answering", "wait"
        reason = f"{sum(answering)} of {len(answering)} servers answer."
    elif status == "pending" and item.get("current_build_id"):
        word, tone, reason = "restarting", "wait", reason or "Its server ended by itself."
    if word:
        yield Trouble(item["id"], place.name, word, tone, reason, item.get("updated_at"))
    if item.get("watch_error"):
        yield Trouble(item["id"], place.name, "can't be watched", "wait", item["watch_error"])


def _describe_failed(place: Place, build: Build, serving: int) -> Trouble:
    still = f" Build #{serving} still serves." if serving else ""
    return Trouble(
        build.deployment_id,
        place.name,
        "build failed",
        "wait" if serving else "bad",
        f"{(build.error_message or 'It failed.').rstrip('.')}.{still}",
        build.completed_at.isoformat(timespec="milliseconds") if build.completed_at else None,
        build.id,
        build.number,
    )


def _describe_pace(deployment_id: str, name: str, found: Activity) -> Pace:
    times = found.percentiles or {}
    rate = found.error_rate or 0.0
    return Pace(
        deployment_id,
        name,
        found.traces,
        found.errors,
        rate,
        times.get(50),
        times.get(95),
        rate >= _BAD_SHARE,
    )


def _describe_engine(engine: Mapping[str, Any]) -> Part:
    if engine.get("running"):
        return Part("Telemetry store", "running", "good")
    if engine.get("error"):
        return Part("Telemetry store", "not reachable", "bad", str(engine["error"]))
    return Part("Telemetry store", "asleep", "idle", "It starts when it is asked.")


def _describe_storing(document: Document) -> Part:
    ingestion, lag = document["ingestion"], document["lag"]
    if ingestion.get("trouble"):
        return Part("Storing telemetry", "held up", "bad", str(ingestion["trouble"]))
    refused = ingestion.get("rejected") or 0
    note = f"{refused:,} lines were refused since the start." if refused else ""
    if lag["seconds"] >= _LAGGING_SECONDS:
        return Part("Storing telemetry", f"{_round_lag(lag['seconds'])} behind", "wait", note)
    return Part("Storing telemetry", "up to date", "good", note)


def _round_lag(seconds: float) -> str:
    """A lag as people say it; coarse, as it moves all the time."""
    return f"{seconds // 60:.0f} min" if seconds >= 60 else f"{seconds // 10 * 10:.0f} s"


def _count(
    places: Sequence[Place],
    troubles: Sequence[Trouble],
    building: Sequence[BuildRow],
    recent: Sequence[Build],
) -> tuple[Figure, ...]:
    states = Counter(place.deployment["status"] for place in places)
    down = len({trouble.deployment_id for trouble in troubles if trouble.tone == "bad"})
    impaired = len({trouble.deployment_id for trouble in troubles}) - down
    outcomes = Counter(build.status.value for build in recent)
    return (
        Figure("Running", states["running"], "good" if states["running"] else "", f"of {len(places)}"),
        Figure("Failing", down, "bad" if down else "", f"{impaired} to look at" if impaired else "", "#attention"),
        Figure("Building now", len(building), "busy" if building else "", "", "#building"),
        Figure("Stopped", states["stopped"]),
        Figure(
            "Last builds",
            outcomes["succeeded"],
            "",
            f"succeeded, {outcomes['failed']} failed" if recent else "none yet",
            "#recent",
        ),
    )
