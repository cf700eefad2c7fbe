"""The state of everything as one JSON document, looked at once for all who ask within a moment."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mastra_admin_sdk import LiveBuild, MastraAdmin
from mastra_admin_sdk.models import Project, Team
from mastra_admin_sdk.services.overview import DeploymentView, Overview, ServerView

from .shapes import shape_build, shape_deployment, shape_process, shape_project, shape_team

_FRESH_SECONDS = 1.0
_RECENT_BUILDS = 20
_UNTAGGED = frozenset({"lag", "ingestion", "engine"})


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen, and a tag that changes when it does."""

    document: dict[str, Any]
    etag: str


class Glance:
    """Looks at everything, at most once a second: a look asks every server whether it answers."""

    def __init__(self, admin: MastraAdmin, fresh_seconds: float = _FRESH_SECONDS) -> None:
        self._admin, self._fresh_seconds = admin, fresh_seconds
        self._lock = threading.Lock()
        self._last: Look | None = None
        self._taken_at = 0.0

    def look(self) -> Look:
        """Return the state; a moment old at most."""
        with self._lock:
            if self._last is None or time.monotonic() - self._taken_at >= self._fresh_seconds:
                self._last = self._take()
                self._taken_at = time.monotonic()
            return self._last

    def _take(self) -> Look:
        admin = self._admin
        document = describe(
            admin.overview(), admin.teams.list(), admin.projects.list(), admin.builds.list(limit=_RECENT_BUILDS)
        )
        tagged = {key: value for key, value in document.items() if key not in _UNTAGGED}
        text = json.dumps(tagged, sort_keys=True, default=str)
        return Look(document, hashlib.sha256(text.encode()).hexdigest()[:20])


def describe(
    overview: Overview, teams: Sequence[Team], projects: Sequence[Project], builds: Sequence[LiveBuild]
) -> dict[str, Any]:
    """Return the document: teams with their projects, those with their deployments; recent builds; what runs it all."""
    views = {view.deployment.id: view for view in overview.deployments}
    return {
        "home": overview.home,
        "is_supervised": overview.is_supervised,
        "roles": dict(overview.roles),
        "router": {"running": overview.router_running},
        "engine": dict(overview.engine),
        "lag": asdict(overview.lag),
        "ingestion": overview.ingestion.to_dict(),
        "counts": dict(Counter(view.deployment.status.value for view in overview.deployments)),
        "teams": [_shape_team(team, projects, overview.deployments) for team in teams],
        "builds": [_shape_recent(build, views) for build in builds],
    }


def _shape_team(team: Team, projects: Sequence[Project], views: Sequence[DeploymentView]) -> dict[str, Any]:
    own = [project for project in projects if project.team_id == team.id]
    return {**shape_team(team), "projects": [_shape_project(project, views) for project in own]}


def _shape_project(project: Project, views: Sequence[DeploymentView]) -> dict[str, Any]:
    own = [view for view in views if view.project.id == project.id]
    return {**shape_project(project), "deployments": [_shape_view(view) for view in own]}


def _shape_view(view: DeploymentView) -> dict[str, Any]:
    return {
        **shape_deployment(view.deployment),
        "studio_url": view.studio_url,
        "build": shape_build(view.build) if view.build else None,
        "active_build": shape_build(view.active_build) if view.active_build else None,
        "process": shape_process(view.process) if view.process else None,
        "answers": view.answers,
        "watch": view.deployment.watch,
        "watch_error": view.watch_error,
        "servers": [_shape_server(server) for server in view.servers],
    }


def _shape_server(server: ServerView) -> dict[str, Any]:
    # The figures on record: those of this moment would give the document another ETag with each look.
    stats = server.process.stats
    return {
        **shape_process(server.process),
        "answers": server.answers,
        "memory_bytes": stats.get("memory_bytes"),
        "open_files": stats.get("open_files"),
    }


def _shape_recent(build: LiveBuild, views: dict[str, DeploymentView]) -> dict[str, Any]:
    view = views.get(build.record.deployment_id)
    label = f"{view.team.slug}/{view.project.slug}/{view.deployment.slug}" if view else None
    return {**shape_build(build.record), "deployment": label}
