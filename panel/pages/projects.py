"""``/projects``, ``/projects/new`` and ``/projects/<id>``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, Response, request, url_for

from mastra_admin_sdk.errors import NotFound, SourceError
from mastra_admin_sdk.models import Deployment, Project, SourceType
from mastra_admin_sdk.services.projects.sources import name_source

from ..context import current_panel
from ..lookup import find_project, find_team, list_scope, visible_projects, visible_teams
from ..paging import cut_page, read_cursor
from ..principals import can, current_principal
from ..rendering import render_page
from ..viewmodels.builds import describe_build
from ..viewmodels.deployments import LIFETIMES, describe_row, group_rows
from ..viewmodels.environment import list_variables
from ..viewmodels.projects import describe_projects
from ..viewmodels.schedules import describe_schedules
from ..viewmodels.sources import describe_sources

blueprint = Blueprint("projects", __name__)

TABS = ("deployments", "env", "triggers", "settings")
_PAGE = 100
_RECENT = 15


@blueprint.get("/projects")
def list_projects() -> Response:
    """List projects, of ``?team=`` or all, with their deployments."""
    chosen, cursor = request.args.get("team") or None, request.args.get("cursor") or None
    projects, following = _read_page(chosen, cursor)
    deployments = [live.record for live in current_panel().admin.deployments.list(**_scope_of(chosen))]
    teams = visible_teams()
    return render_page(
        "projects.html",
        rows=describe_projects(projects, teams, deployments),
        teams=[{"slug": team.slug, "name": team.name} for team in teams],
        chosen=chosen,
        next_url=url_for(".list_projects", team=chosen, cursor=following) if following else None,
        first_url=url_for(".list_projects", team=chosen) if cursor else None,
    )


@blueprint.get("/projects/new")
def new() -> Response:
    """Let somebody choose a source and make a project of it; ``?refresh=1`` searches anew."""
    admin = current_panel().admin
    may_search = can("admin")
    listing = admin.source.scan(refresh="refresh" in request.args) if may_search else None
    return render_page(
        "project/new.html",
        teams=[{"slug": team.slug, "name": team.name} for team in visible_teams()],
        chosen=request.args.get("team"),
        sources=describe_sources(listing, visible_projects()) if listing else None,
        kind="git" if request.args.get("kind") == "git" else "local",
    )


@blueprint.get("/projects/<project_id>")
def show(project_id: str) -> Response:
    """Show a project: one of `TABS`, chosen by ``?tab=``."""
    project = find_project(project_id)
    tab = request.args.get("tab", TABS[0])
    tab = tab if tab in TABS else TABS[0]
    describe = {"deployments": _show_deployments, "env": _show_env, "triggers": _show_triggers}.get(tab, _show_settings)
    return render_page(
        f"project/{tab}.html", project=_describe(project), tab=tab, lifetimes=LIFETIMES, **describe(project)
    )


def _show_deployments(project: Project) -> dict[str, Any]:
    deployments = _list_deployments(project)
    builds = [build.record for build in current_panel().admin.builds.list(project=project.id, limit=_RECENT)]
    names = {item.id: item.slug for item in deployments}
    rows = group_rows(describe_row(item, _number_builds(deployments)) for item in deployments)
    return {
        "rows": rows.get(project.id, []),
        "builds": [describe_build(build, names.get(build.deployment_id)) for build in builds],
    }


def _show_env(project: Project) -> dict[str, Any]:
    admin = current_panel().admin
    return {
        "variables": list_variables(project.env_vars, admin.projects.list_env(project)),
        "files": list_env_files(project),
        "overridden": [
            {"id": item.id, "slug": item.slug, "keys": sorted(var.key for var in item.env_overrides)}
            for item in _list_deployments(project)
            if item.env_overrides
        ],
    }


def list_env_files(project: Project) -> list[str]:
    """Return the names of the ``.env`` files in a project's folder; none of what can't be looked at now."""
    if project.source_type is not SourceType.LOCAL:
        return []
    try:
        return list(current_panel().admin.projects.list_env_files(project))
    except (NotFound, SourceError):
        # Its folder was moved or is being written: variables can be set all the same.
        return []


def _show_triggers(project: Project) -> dict[str, Any]:
    deployments = _list_deployments(project)
    schedules = current_panel().admin.schedules.list(project=project.id)
    return {
        "deployments": [{"id": item.id, "slug": item.slug, "watch": item.watch} for item in deployments],
        "schedules": describe_schedules(schedules, {item.id: item.slug for item in deployments}),
        "has_webhook": bool(project.webhook_secret),
        "webhook_url": url_for("hooks.receive", project_id=project.id, _external=True),
    }


def _show_settings(project: Project) -> dict[str, Any]:
    deployments = _list_deployments(project)
    return {"deployments": len(deployments), "source": dict(project.source_config)}


def _describe(project: Project) -> dict[str, Any]:
    team = current_panel().admin.teams.get(project.team_id)
    return {
        "id": project.id,
        "name": project.name,
        "slug": project.slug,
        "team": {"id": team.id, "name": team.name, "slug": team.slug},
        "source_type": project.source_type.value,
        "source": name_source(project),
        "default_branch": project.default_branch,
        "env_version": project.env_version,
    }


def _read_page(team: str | None, cursor: str | None) -> tuple[Sequence[Project], str | None]:
    if current_principal().is_bound:
        return visible_projects(team), None
    found = current_panel().admin.projects.list(
        find_team(team).id if team else None, limit=_PAGE + 1, after=read_cursor(cursor)
    )
    return cut_page(found, _PAGE)


def _scope_of(team: str | None) -> Mapping[str, Any]:
    scope = list_scope()
    return scope if scope or team is None else {"team": find_team(team).id}


def _list_deployments(project: Project) -> list[Deployment]:
    return [live.record for live in current_panel().admin.deployments.list(project.id)]


def _number_builds(deployments: Sequence[Deployment]) -> dict[str, int]:
    """Return the numbers of the builds that serve, by id."""
    builds = current_panel().admin.storage.builds
    ids = [item.current_build_id for item in deployments if item.current_build_id]
    return {key: builds.get(key).number for key in ids}
