"""``admin.health()``: a row a deployment, as observed just now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mastra_admin_sdk.errors import ObservabilityError, RouterError
from mastra_admin_sdk.models import AlertStatus, Build, Process, ServerUsage, utc_now
from mastra_admin_sdk.services.history.frames import make_frame
from mastra_admin_sdk.services.overview import DeploymentView, Overview, ServerView, look_around
from mastra_admin_sdk.services.parts import Parts
from mastra_admin_sdk.services.telemetry.ingestion import Ingester

from .columns import HEALTH_COLUMNS
from .measures import MEGABYTE, Activity, Measures

if TYPE_CHECKING:
    import pandas as pd

_LEAST_SECONDS = 0.5


class HealthService:
    """Looks at everything."""

    def __init__(self, parts: Parts, ingester: Ingester) -> None:
        self._parts, self._ingester = parts, ingester

    def frame(self, window_seconds: float) -> pd.DataFrame:
        """Return a row a deployment (`HEALTH_COLUMNS`), by team, project and name."""
        overview = look_around(self._parts, self._ingester)
        rows = self.describe(overview, self.find_activities(window_seconds, fresh=True))
        frame = make_frame(
            HEALTH_COLUMNS, sorted(rows, key=lambda row: (row["team"], row["project"], row["deployment"]))
        )
        frame.attrs.update(
            window_s=window_seconds,
            lag_s=overview.lag.seconds,
            supervised=overview.is_supervised,
            router=overview.router_running,
            engine=bool(overview.engine.get("running")),
        )
        return frame

    def describe(self, overview: Overview, activities: Mapping[str, Activity] | None) -> list[dict[str, Any]]:
        """Return the rows for what was seen."""
        lags, firing, last = self._ingester.measure_lags(), self._count_firing(), self._find_last_builds()
        return [
            {
                **_describe_deployment(view),
                **_describe_servers(view),
                **_describe_activity(activities, view.deployment.id),
                "requests": self._count_requests(view),
                **_describe_build(view.build, last.get(view.deployment.id)),
                "lag_s": lags[view.deployment.id].seconds if view.deployment.id in lags else 0.0,
                "alerts": firing[view.deployment.id],
            }
            for view in overview.deployments
        ]

    def measure_activities(self, seconds: float) -> Mapping[str, Activity]:
        """Return what the store says of traces that ended in the last seconds, by the id of the deployment.

        Raises:
            ObservabilityError: the store can't be asked.
        """
        return Measures(self._parts, self._ingester, utc_now()).activity(seconds)

    def find_activities(self, seconds: float, *, fresh: bool = False) -> Mapping[str, Activity] | None:
        """Return what the store says of traces; ``None`` when it can't be asked, which must not hide the rest.

        With ``fresh`` it is first seen to that what the files hold is stored.
        """
        try:
            if fresh:
                self._ingester.catch_up()
            return self.measure_activities(seconds)
        except ObservabilityError:
            return None

    def _count_firing(self) -> Counter[str]:
        states = self._parts.storage.alert_states.list(statuses=[AlertStatus.FIRING])
        return Counter(state.subject for state in states)

    def _count_requests(self, view: DeploymentView) -> int | None:
        try:
            servers = [server.process for server in view.servers]
            return sum(self._parts.router.count_requests(item.host, item.port) for item in servers)
        except RouterError:
            return None

    def _find_last_builds(self) -> Mapping[str, Build]:
        return {build.deployment_id: build for build in self._parts.storage.builds.list_last()}


def measure_cpu(process: Process, usage: ServerUsage) -> float | None:
    """Return how many cores a server used on average since it was last looked at; ``None`` when that is just now."""
    from datetime import datetime

    before, at = process.stats.get("cpu_seconds"), process.stats.get("measured_at")
    if before is None or at is None:
        before, moment = 0.0, process.started_at
    else:
        moment = datetime.fromisoformat(at)
    seconds = (utc_now() - moment).total_seconds()
    return max(0.0, (usage.cpu_seconds - before) / seconds) if seconds >= _LEAST_SECONDS else None


def count_dropped(servers: tuple[ServerView, ...]) -> int:
    """Return how many lines of telemetry these servers dropped since they were started."""
    found = [server.process.trace_status.get("dropped") for server in servers]
    return sum(item for item in found if isinstance(item, int))


def _describe_deployment(view: DeploymentView) -> dict[str, Any]:
    return {
        "team": view.team.slug,
        "project": view.project.slug,
        "deployment": view.deployment.slug,
        "deployment_id": view.deployment.id,
        "type": view.deployment.type.value,
        "status": view.deployment.status.value,
        "desired_state": view.deployment.desired_state.value,
        "url": view.deployment.public_url,
        "reason": view.deployment.status_reason,
    }


def _describe_servers(view: DeploymentView) -> dict[str, Any]:
    used = [measure_cpu(server.process, server.usage) for server in view.servers if server.usage]
    known = [item for item in used if item is not None]
    return {
        "servers": len(view.servers),
        "healthy": view.answering,
        "restarts": view.restarts,
        "memory_mb": view.memory_bytes / MEGABYTE if view.memory_bytes is not None else None,
        "cpu": sum(known) if known else None,
        "dropped": count_dropped(view.servers),
    }


def _describe_activity(activities: Mapping[str, Activity] | None, deployment_id: str) -> dict[str, Any]:
    if activities is None:
        return {}
    found = activities.get(deployment_id, Activity())
    return {"traces": found.traces, "error_rate": found.error_rate, "p95_ms": (found.percentiles or {}).get(95)}


def _describe_build(serving: Build | None, last: Build | None) -> dict[str, Any]:
    return {
        "build": serving.number if serving else None,
        "last_build": last.number if last else None,
        "last_build_status": last.status.value if last else None,
        "last_build_at": last.completed_at or last.queued_at if last else None,
    }
