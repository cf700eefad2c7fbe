"""What is known of a deployment, a build, a project, as JSON values and as words for tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mastra_admin_sdk.models import Build, Deployment, DeploymentStatus, Process, Project, SourceProject, utc_now
from mastra_admin_sdk.services.projects.sources import name_source

if TYPE_CHECKING:
    from mastra_admin_sdk.services.overview import DeploymentView, ServerView


def describe_build(build: Build) -> dict[str, Any]:
    """Return a build without its environment."""
    return {
        "id": build.id,
        "number": build.number,
        "kind": build.kind.value,
        "status": build.status.value,
        "seconds": dict(build.phases),
        "queued_at": build.queued_at,
        "started_at": build.started_at,
        "completed_at": build.completed_at,
        "log": build.log_path,
        "error": build.error_message,
    }


def describe_deployment(name: str, deployment: Deployment) -> dict[str, Any]:
    """Return a deployment without its environment; ``name`` is its ``team/project/slug``."""
    return {
        "id": deployment.id,
        "name": name,
        "branch": deployment.branch,
        "type": deployment.type.value,
        "status": deployment.status.value,
        "desired_state": deployment.desired_state.value,
        "url": deployment.public_url,
        "reason": deployment.status_reason,
        "expires_at": deployment.expires_at,
    }


def describe_view(view: DeploymentView) -> dict[str, Any]:
    """Return a deployment with what was observed of it just now."""
    process = view.process
    return {
        **describe_deployment(f"{view.team.slug}/{view.project.slug}/{view.deployment.slug}", view.deployment),
        "team": view.team.slug,
        "project": view.project.slug,
        "state": observe_state(view),
        "build": view.build.number if view.build else None,
        "active_build": describe_build(view.active_build) if view.active_build else None,
        "domains": list(view.deployment.domains),
        "studio_url": view.studio_url,
        "watch": view.deployment.watch,
        "watch_error": view.watch_error,
        "pid": process.pid if process else None,
        "port": process.port if process else None,
        "started_at": process.started_at if process else None,
        "uptime_seconds": measure_uptime(process),
        "restarts": view.restarts if process else None,
        "replicas": view.deployment.replicas,
        "memory_bytes": view.memory_bytes,
        "open_files": view.open_files,
        "servers": [describe_server(server) for server in view.servers],
        "traced": bool(process.trace_status.get("traced")) if process else None,
        "trace_status": dict(process.trace_status) if process else None,
    }


def describe_server(server: ServerView) -> dict[str, Any]:
    """Return one server with what was observed of it just now."""
    process, usage = server.process, server.usage
    return {
        "id": process.id,
        "replica": process.replica,
        "pid": process.pid,
        "port": process.port,
        "answers": server.answers,
        "restarts": process.restarts,
        "started_at": process.started_at,
        "memory_bytes": usage.memory_bytes if usage else None,
        "open_files": usage.open_files if usage else None,
        "threads": usage.threads if usage else None,
        "cpu_seconds": round(usage.cpu_seconds, 2) if usage else None,
    }


def observe_state(view: DeploymentView) -> str:
    """Return a deployment's state as it was observed, not as it was recorded."""
    if view.process is not None:
        return "running" if view.answers else "unhealthy"
    # A record that says "running" without a server is what a killed machine leaves behind.
    status = view.deployment.status
    return "gone" if status is DeploymentStatus.RUNNING else status.value


def measure_uptime(process: Process | None) -> float | None:
    """Return for how many seconds a process has been running."""
    return round((utc_now() - process.started_at).total_seconds(), 1) if process else None


def describe_source(source: SourceProject, registered: Mapping[str, list[str]]) -> dict[str, Any]:
    """Return a source project; ``registered`` maps a folder to the projects made from it."""
    return {
        "id": source.id,
        "name": source.name,
        "path": source.path,
        "version": source.version,
        "package_manager": source.package_manager.value,
        "mastra_version": source.mastra_version,
        "git_branch": source.git_branch,
        "git_commit": source.git_commit,
        "git_dirty": source.git_dirty,
        "env_files": list(source.env_files),
        "projects": registered.get(source.path, []),
    }


def describe_project(team_slug: str, project: Project) -> dict[str, Any]:
    """Return a project without its environment."""
    return {
        "id": project.id,
        "name": f"{team_slug}/{project.slug}",
        "title": project.name,
        "type": project.source_type.value,
        "source": name_source(project),
        "path": project.source_config.get("path"),
        "default_branch": project.default_branch,
        "created_at": project.created_at,
    }
