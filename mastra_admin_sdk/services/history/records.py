"""History as data: builds, the audit log, deployments, projects and teams as DataFrames."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from statistics import median
from typing import TYPE_CHECKING, Any

from mastra_admin_sdk.models import (
    PHASES,
    Build,
    BuildKind,
    BuildStatus,
    Deployment,
    Event,
    Project,
    Team,
)
from mastra_admin_sdk.ports.storage import AdminStorage
from mastra_admin_sdk.services.labels import Labels

from .columns import BUILD_COLUMNS, DEPLOYMENT_COLUMNS, EVENT_COLUMNS, PROJECT_COLUMNS, TEAM_COLUMNS
from .frames import make_frame

if TYPE_CHECKING:
    import pandas as pd

_WHERE = ("origin", "host", "pid")
_SHOWN = ("object", *_WHERE)
_LAST = 5


def frame_builds(storage: AdminStorage, builds: Iterable[Build]) -> pd.DataFrame:
    """Return a row a build, in the order given: columns of `BUILD_COLUMNS`."""
    labels = Labels(storage)
    return make_frame(BUILD_COLUMNS, (_describe_build(build, labels) for build in builds))


def frame_events(storage: AdminStorage, events: Sequence[Event]) -> pd.DataFrame:
    """Return a row an event, in the order given: columns of `EVENT_COLUMNS`."""
    labels = Labels(storage)
    builds = {event.object_id for event in events if event.object_type == "build" and not event.details.get("object")}
    labels.learn(builds)
    former = {event.object_id: str(event.details["slug"]) for event in events if "slug" in event.details}
    return make_frame(EVENT_COLUMNS, (_describe_event(event, labels, former) for event in events))


def frame_deployments(storage: AdminStorage, deployments: Iterable[Deployment]) -> pd.DataFrame:
    """Return a row a deployment, in the order given: columns of `DEPLOYMENT_COLUMNS`."""
    labels, found = Labels(storage), list(deployments)
    labels.learn(item.current_build_id for item in found)
    return make_frame(DEPLOYMENT_COLUMNS, (_describe_deployment(item, labels) for item in found))


def frame_projects(storage: AdminStorage, projects: Iterable[Project]) -> pd.DataFrame:
    """Return a row a project, in the order given: columns of `PROJECT_COLUMNS`."""
    labels = Labels(storage)
    return make_frame(PROJECT_COLUMNS, (_describe_project(item, labels) for item in projects))


def frame_teams(storage: AdminStorage, teams: Iterable[Team]) -> pd.DataFrame:
    """Return a row a team, in the order given: columns of `TEAM_COLUMNS`."""
    owners = [project.team_id for project in storage.projects.list()]
    rows = (
        {
            "team_id": team.id,
            "team": team.slug,
            "name": team.name,
            "projects": owners.count(team.id),
            "created_at": team.created_at,
            "updated_at": team.updated_at,
        }
        for team in teams
    )
    return make_frame(TEAM_COLUMNS, rows)


def expect_seconds(
    storage: AdminStorage, deployment_id: str, *, kind: BuildKind = BuildKind.DEPLOY
) -> Mapping[str, float]:
    """Return how long each phase of the next build is likely to take: medians of the last builds that succeeded.

    A phase that only some of them entered is the median of those. Empty when there is no such build yet.
    """
    succeeded = storage.builds.list(deployment_id, statuses=[BuildStatus.SUCCEEDED], limit=10 * _LAST)
    last = [build for build in succeeded if build.kind is kind][:_LAST]
    entered = {phase: [build.phases[phase] for build in last if phase in build.phases] for phase in PHASES}
    return {phase: median(seconds) for phase, seconds in entered.items() if seconds}


def _describe_build(build: Build, labels: Labels) -> dict[str, Any]:
    deployment = labels.deployment(build.deployment_id)
    owner = deployment.project_id if deployment else ""
    stats = build.stats
    return {
        "build_id": build.id,
        "team": labels.team_of(owner),
        "project": labels.project(owner),
        "deployment": deployment.slug if deployment else None,
        "number": build.number,
        "kind": build.kind.value,
        "trigger": build.trigger.value,
        "status": build.status.value,
        "actor": build.actor,
        "ref": build.ref,
        "commit": build.commit,
        "queued_at": build.queued_at,
        "started_at": build.started_at,
        "completed_at": build.completed_at,
        "wait_s": _measure(build.queued_at, build.started_at),
        **{f"{phase}_s": build.phases.get(phase) for phase in PHASES},
        "total_s": _measure(build.started_at, build.completed_at),
        "dependencies_cache": stats.get("dependencies"),
        "output_cache": stats.get("output"),
        "artifact_cache": stats.get("artifact"),
        "source_files": stats.get("source_files"),
        "source_bytes": stats.get("source_bytes"),
        "artifact_bytes": stats.get("artifact_bytes"),
        "peak_memory_bytes": stats.get("peak_memory_bytes"),
        "env_version": build.env_version,
        "artifact_build": build.artifact_build_id,
        "error": build.error_message,
    }


def _describe_event(event: Event, labels: Labels, former: Mapping[str, str]) -> dict[str, Any]:
    # As it was called at the time; events of older versions only tell what is there still.
    name = event.details.get("object") or labels.describe(event.object_type, event.object_id)
    return {
        "time": event.time,
        "actor": event.actor,
        "action": event.action,
        "object_type": event.object_type,
        "object": name or former.get(event.object_id),
        **{key: event.details.get(key) for key in _WHERE},
        "object_id": event.object_id,
        "details": {key: value for key, value in event.details.items() if key not in _SHOWN},
    }


def _describe_deployment(deployment: Deployment, labels: Labels) -> dict[str, Any]:
    build = labels.build(deployment.current_build_id)
    return {
        "deployment_id": deployment.id,
        "team": labels.team_of(deployment.project_id),
        "project": labels.project(deployment.project_id),
        "deployment": deployment.slug,
        "branch": deployment.branch,
        "type": deployment.type.value,
        "status": deployment.status.value,
        "desired_state": deployment.desired_state.value,
        "strategy": deployment.strategy.value,
        "build": build.number if build else None,
        "commit": build.commit if build else None,
        "replicas": deployment.replicas,
        "url": deployment.public_url,
        "reason": deployment.status_reason,
        "expires_at": deployment.expires_at,
        "created_at": deployment.created_at,
        "updated_at": deployment.updated_at,
    }


def _describe_project(project: Project, labels: Labels) -> dict[str, Any]:
    return {
        "project_id": project.id,
        "team": labels.team_of(project.id),
        "project": project.slug,
        "name": project.name,
        "source_type": project.source_type.value,
        "source": project.source_config.get("url") or project.source_config.get("path"),
        "default_branch": project.default_branch,
        "deployments": labels.count_deployments(project.id),
        "env_version": project.env_version,
        "created_at": project.created_at,
        "updated_at": project.updated_at,
    }


def _measure(start: datetime | None, end: datetime | None) -> float | None:
    return (end - start).total_seconds() if start and end else None
