"""``/deployments/<id>``: one deployment, a tab a subject."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, request, url_for

from mastra_admin_sdk import LiveDeployment
from mastra_admin_sdk.models import Build, BuildStatus, DeploymentType, SourceType
from mastra_admin_sdk.services.environment.versions import name_version
from mastra_admin_sdk.services.overview import DeploymentView

from ..context import current_panel
from ..lookup import find_deployment
from ..paging import cut_page, read_cursor
from ..rendering import render_page
from ..viewmodels.builds import BuildRow, describe_build
from ..viewmodels.deployments import (
    choose_actions,
    describe_condition,
    describe_ended,
    describe_server,
    describe_tracing,
    find_last_failure,
    list_agents,
    list_lifetimes,
    list_targets,
)
from ..viewmodels.environment import list_variables, merge_variables
from ..viewmodels.schedules import describe_schedules
from .projects import list_env_files

blueprint = Blueprint("deployments", __name__)

_TABS = ("overview", "builds", "env", "log", "metrics", "settings")
_RANGES = (("1h", "Last hour"), ("24h", "Last 24 hours"), ("7d", "Last 7 days"), ("30d", "Last 30 days"))
_PAGE = 50
_FEW = 6


@blueprint.get("/deployments/<deployment_id>")
def show(deployment_id: str) -> Response:
    """Show a deployment: the tab that ``?tab=`` names, its overview unless given."""
    live = find_deployment(deployment_id)
    view = current_panel().admin.deployments.look(live.record)
    tab = _choose_tab(request.args.get("tab"))
    describe: dict[str, Callable[[LiveDeployment, DeploymentView], dict[str, Any]]] = {
        "overview": _show_overview,
        "builds": _show_builds,
        "env": _show_env,
        "log": _show_log,
        "metrics": _show_metrics,
        "settings": _show_settings,
    }
    return render_page(f"deployment/{tab}.html", **_describe(live, view), tab=tab, **describe[tab](live, view))


def _choose_tab(wanted: str | None) -> str:
    return wanted if wanted in _TABS else _TABS[0]


def _describe(live: LiveDeployment, view: DeploymentView) -> dict[str, Any]:
    """What each tab shows above itself."""
    record, project, team = view.deployment, view.project, view.team
    siblings = [item.record for item in current_panel().admin.deployments.list(project.id)]
    return {
        "deployment": {
            "id": record.id,
            "slug": record.slug,
            "branch": record.branch,
            "type": record.type.value,
            "status": record.status.value,
            "url": record.public_url,
            "domains": list(record.domains),
            "is_git": project.source_type is SourceType.GIT,
            "name": f"{team.slug}/{project.slug}/{record.slug}",
        },
        "project": {"id": project.id, "name": project.name, "slug": project.slug},
        "team": {"name": team.name, "slug": team.slug},
        "condition": describe_condition(view),
        "actions": choose_actions(view),
        "studio_url": view.studio_url if view.answers else None,
        "active": _describe_active(view.active_build) if view.active_build else None,
        "previous": _find_previous(live),
        "targets": list_targets(record, siblings),
        "branches": sorted({item.branch for item in siblings}),
        "tab_names": _TABS,
    }


def _describe_active(build: Build) -> BuildRow:
    return describe_build(build, expected=current_panel().admin.builds.get(build.id).expected_seconds())


def _show_overview(live: LiveDeployment, view: DeploymentView) -> dict[str, Any]:
    admin, record = current_panel().admin, view.deployment
    newest = [build.record for build in admin.builds.list(record.id, limit=_FEW)]
    ended = admin.processes.list(record.id, statuses=["exited"], limit=_FEW)
    serving = live.build
    return {
        "current": describe_build(view.build) if view.build else None,
        "failure": find_last_failure(view.build, newest),
        "servers": [describe_server(server) for server in view.servers],
        "ended": describe_ended(ended),
        "tracing": describe_tracing(view.servers),
        "urls": list(live.urls) if record.public_url else [],
        "agents": list_agents(serving.inventory) if serving and view.answers else (),
        "builds": [describe_build(build) for build in newest],
        "watch": {"enabled": record.watch, "error": view.watch_error},
        "replicas": record.replicas,
        "expires_at": record.expires_at.isoformat() if record.expires_at else None,
        "activity": _find_activity(record.id),
    }


def _show_builds(live: LiveDeployment, view: DeploymentView) -> dict[str, Any]:
    admin, record = current_panel().admin, view.deployment
    cursor, status = request.args.get("cursor") or None, _choose_status(request.args.get("status"))
    found = admin.builds.list(record.id, status=status, limit=_PAGE + 1, after=read_cursor(cursor))
    builds, following = cut_page([build.record for build in found], _PAGE)
    here: dict[str, Any] = {"deployment_id": record.id, "tab": "builds", "status": status}
    return {
        "builds": [describe_build(build) for build in builds],
        "current_id": record.current_build_id,
        "previous_id": record.previous_build_id,
        "kept": {build.id for build in live.kept_builds},
        "status": status,
        "statuses": [item.value for item in BuildStatus],
        "next_url": url_for(".show", **here, cursor=following) if following else None,
        "first_url": url_for(".show", **here) if cursor else None,
    }


def _show_env(live: LiveDeployment, view: DeploymentView) -> dict[str, Any]:
    admin = current_panel().admin
    project = list_variables(view.project.env_vars, admin.projects.list_env(view.project))
    own = list_variables(view.deployment.env_overrides, live.list_env(), "deployment")
    serving = view.build.env_version if view.build else None
    now = name_version(view.project.env_version, view.deployment.env_version)
    return {
        "variables": merge_variables(project, own),
        "version": now,
        "serving_version": serving,
        # The servers run with what was set when their build began.
        "is_pending": bool(view.servers) and serving is not None and serving != now,
        "files": list_env_files(view.project),
    }


def _show_log(live: LiveDeployment, _: DeploymentView) -> dict[str, Any]:
    panel = current_panel()
    return {
        "has_log": bool(panel.admin.processes.list(live.id, statuses=None, limit=1)),
        "ping_seconds": panel.options.ping_seconds,
        "replicas": max(live.record.replicas, 1),
        "replica": _read_replica(live.record.replicas),
    }


def _show_metrics(live: LiveDeployment, view: DeploymentView) -> dict[str, Any]:
    since = request.args.get("since")
    return {
        "servers": [describe_server(server) for server in view.servers],
        "activity": _find_activity(live.id),
        "tracing": describe_tracing(view.servers),
        "since": since if since in dict(_RANGES) else "24h",
        "ranges": _RANGES,
    }


def _show_settings(_: LiveDeployment, view: DeploymentView) -> dict[str, Any]:
    record, settings = view.deployment, current_panel().admin.settings
    return {
        "choices": {
            "replicas": record.replicas,
            "strategy": record.strategy.value,
            "memory_mb": record.memory_mb,
            "nice": record.nice,
            "domains": list(record.domains),
            "tls": record.tls.value,
            "watch": record.watch,
            "keep_builds": record.keep_builds,
            "ttl_seconds": record.ttl_seconds,
            "expires_at": record.expires_at.isoformat() if record.expires_at else None,
            "is_preview": record.type is DeploymentType.PREVIEW,
        },
        "defaults": {
            name: getattr(settings, name)
            for name in (
                "server_memory_mb",
                "server_nice",
                "keep_builds",
                "preview_hours",
                "health_timeout",
                "health_interval",
                "health_failures",
                "drain_timeout",
            )
        },
        "lifetimes": list_lifetimes(record.ttl_seconds),
        "watch_error": view.watch_error,
        "schedules": describe_schedules(current_panel().admin.schedules.list(record.id), {record.id: record.slug}),
    }


def _find_previous(live: LiveDeployment) -> dict[str, Any] | None:
    """Return the build that served before, which a rollback goes back to unless another is chosen."""
    former = live.record.previous_build_id
    if former is None:
        return None
    build: Build = current_panel().admin.builds.get(former).record
    return {"id": build.id, "number": build.number}


def _find_activity(deployment_id: str) -> dict[str, Any] | None:
    panel = current_panel()
    found = panel.activity.look(is_awake=bool(panel.admin.observability.status().get("running")))
    activity = (found or {}).get(deployment_id)
    if activity is None:
        return None
    times = activity.percentiles or {}
    return {
        "traces": activity.traces,
        "errors": activity.errors,
        "error_rate": activity.error_rate,
        "p50_ms": times.get(50),
        "p95_ms": times.get(95),
    }


def _read_replica(replicas: int) -> int | None:
    """Return which of several servers was chosen; ``None``: the newest."""
    wanted = request.args.get("replica", "")
    return int(wanted) if wanted in map(str, range(replicas)) else None


def _choose_status(wanted: str | None) -> str | None:
    return wanted if wanted in {item.value for item in BuildStatus} else None
