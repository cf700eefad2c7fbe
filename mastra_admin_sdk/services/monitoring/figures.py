"""Everything that is counted and measured, at one moment: what programs that watch machines collect."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from mastra_admin_sdk.errors import RouterError
from mastra_admin_sdk.models import AlertStatus, Build, BuildStatus, DeliveryStatus, utc_now
from mastra_admin_sdk.ports.router import Traffic
from mastra_admin_sdk.services.overview import Overview, look_around
from mastra_admin_sdk.services.parts import Parts
from mastra_admin_sdk.services.telemetry.ingestion import Ingester

from .health import HealthService
from .measures import Activity

_DAY = timedelta(hours=24)
RECENT_SECONDS = 300.0
"""What counts as lately."""


@dataclass(frozen=True, slots=True)
class BuildCount:
    """Builds of a deployment with one status that were queued in the last 24 hours, and the seconds they took."""

    deployment_id: str
    status: BuildStatus
    count: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Figures:
    """All figures of one moment.

    Attributes:
        overview: what runs and what doesn't.
        health: a row a deployment, as in ``admin.health()``, by the deployment's id.
        activities: traces that ended in the last five minutes, by the deployment's id; ``None`` when the store is away.
        traffic: what the router answered, by the deployment's id and the status; ``host`` is empty.
        builds: of the last 24 hours.
        firing: by the name and kind of the alert, for how many subjects it fires; all that are switched on are in it.
        undelivered: messages of alerts that wait for their webhook.
    """

    overview: Overview
    health: Mapping[str, Mapping[str, Any]]
    activities: Mapping[str, Activity] | None
    traffic: Mapping[str, Sequence[Traffic]]
    builds: Sequence[BuildCount]
    firing: Mapping[tuple[str, str], int]
    undelivered: int


class FigureService:
    """Collects the figures, without starting or storing anything."""

    def __init__(self, parts: Parts, ingester: Ingester, health: HealthService) -> None:
        self._parts, self._ingester, self._health = parts, ingester, health

    def collect(self) -> Figures:
        """Return the figures of this moment."""
        overview = look_around(self._parts, self._ingester)
        activities = self._health.find_activities(RECENT_SECONDS)
        return Figures(
            overview=overview,
            health={row["deployment_id"]: row for row in self._health.describe(overview, activities)},
            activities=activities,
            traffic=self._read_traffic(),
            builds=_count_builds(self._parts.storage.builds.list(since=utc_now() - _DAY)),
            firing=self._count_firing(),
            undelivered=len(self._parts.storage.alert_messages.list(statuses=[DeliveryStatus.QUEUED])),
        )

    def _read_traffic(self) -> Mapping[str, Sequence[Traffic]]:
        """What was answered on all hosts of each deployment; nothing while the router is away."""
        owners = {route.host: route.deployment_id for route in self._parts.storage.routes.list()}
        try:
            found = self._parts.router.read_traffic()
        except RouterError:
            return {}
        sums: dict[str, dict[int, Traffic]] = {}
        for one in found:
            if one.host in owners:
                own = sums.setdefault(owners[one.host], {})
                before = own.get(one.status, Traffic("", one.status, 0, 0.0))
                own[one.status] = Traffic("", one.status, before.requests + one.requests, before.seconds + one.seconds)
        return {owner: list(own.values()) for owner, own in sums.items()}

    def _count_firing(self) -> Mapping[tuple[str, str], int]:
        states = self._parts.storage.alert_states.list(statuses=[AlertStatus.FIRING])
        counts = Counter(state.rule_id for state in states)
        rules = self._parts.storage.alert_rules.list(enabled=True)
        return {(rule.name, rule.kind.value): counts[rule.id] for rule in rules}


def _count_builds(builds: Sequence[Build]) -> Sequence[BuildCount]:
    groups: dict[tuple[str, BuildStatus], list[float]] = {}
    for build in builds:
        groups.setdefault((build.deployment_id, build.status), []).append(_measure(build))
    return [BuildCount(owner, status, len(all_), sum(all_)) for (owner, status), all_ in sorted(groups.items())]


def _measure(build: Build) -> float:
    if build.started_at is None:
        return 0.0
    return ((build.completed_at or utc_now()) - build.started_at).total_seconds()
