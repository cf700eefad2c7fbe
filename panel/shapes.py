"""Records as JSON: the shapes of the API, which the pages are rendered from too.

Neither variables nor anything encrypted is in them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from mastra_admin_sdk.models import Build, Deployment, Process, Project, Team
from mastra_admin_sdk.services.projects.sources import name_source


def shape_team(team: Team) -> dict[str, Any]:
    """Return a team as JSON."""
    return {
        "id": team.id,
        "name": team.name,
        "slug": team.slug,
        "created_at": _iso(team.created_at),
        "updated_at": _iso(team.updated_at),
    }


def shape_project(project: Project) -> dict[str, Any]:
    """Return a project as JSON."""
    return {
        "id": project.id,
        "team_id": project.team_id,
        "name": project.name,
        "slug": project.slug,
        "source_type": project.source_type,
        "source_path": project.source_config.get("path"),
        "source": name_source(project),
        "default_branch": project.default_branch,
        "created_at": _iso(project.created_at),
        "updated_at": _iso(project.updated_at),
    }


def shape_deployment(deployment: Deployment) -> dict[str, Any]:
    """Return a deployment as JSON."""
    return {
        "id": deployment.id,
        "project_id": deployment.project_id,
        "branch": deployment.branch,
        "slug": deployment.slug,
        "type": deployment.type,
        "status": deployment.status,
        "status_reason": deployment.status_reason,
        "desired_state": deployment.desired_state,
        "strategy": deployment.strategy,
        "replicas": deployment.replicas,
        "memory_mb": deployment.memory_mb,
        "nice": deployment.nice,
        "url": deployment.public_url,
        "domains": list(deployment.domains),
        "tls": deployment.tls,
        "current_build_id": deployment.current_build_id,
        "previous_build_id": deployment.previous_build_id,
        "created_at": _iso(deployment.created_at),
        "updated_at": _iso(deployment.updated_at),
    }


def shape_build(build: Build) -> dict[str, Any]:
    """Return a build as JSON. ``phases`` has seconds by name; a phase that runs reads 0 until it has ended."""
    return {
        "id": build.id,
        "deployment_id": build.deployment_id,
        "number": build.number,
        "kind": build.kind,
        "trigger": build.trigger,
        "status": build.status,
        "is_final": build.is_final,
        "cancel_requested": build.cancel_requested,
        "phases": dict(build.phases),
        "seconds": _count_seconds(build),
        "error": _shape_error(build),
        "notes": list(build.notes),
        "commit": build.commit,
        "artifact_build_id": build.artifact_build_id,
        "queued_at": _iso(build.queued_at),
        "started_at": _iso(build.started_at),
        "completed_at": _iso(build.completed_at),
    }


def shape_process(process: Process) -> dict[str, Any]:
    """Return a server process as JSON."""
    return {
        "id": process.id,
        "build_id": process.build_id,
        "status": process.status,
        "pid": process.pid,
        "port": process.port,
        "local_url": f"http://{process.host}:{process.port}",
        "replica": process.replica,
        "restarts": process.restarts,
        "started_at": _iso(process.started_at),
    }


def _count_seconds(build: Build) -> float | None:
    """Seconds from the start to the end, or until the last phase that was measured."""
    if build.started_at and build.completed_at:
        return round((build.completed_at - build.started_at).total_seconds(), 3)
    return None


def _shape_error(build: Build) -> dict[str, Any] | None:
    if not build.error_message:
        return None
    stored = dict(build.error)
    return {
        "code": stored.get("code") or f"build_{build.status}",
        "message": build.error_message,
        "hint": stored.get("hint") or "",
        "details": stored.get("details") or {},
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="milliseconds") if moment else None
