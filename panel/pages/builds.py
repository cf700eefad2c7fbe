"""``/builds`` and ``/builds/<id>``: what was built, and one build with its log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, Response, request, url_for

from mastra_admin_sdk import LiveBuild, LiveDeployment
from mastra_admin_sdk.errors import NotFound
from mastra_admin_sdk.models import Build, BuildStatus, Cursor

from ..api.schemas.builds import Build as BuildShape
from ..context import current_panel
from ..lookup import find_build, find_project, list_scope, visible_projects, visible_teams
from ..paging import cut_page, read_cursor
from ..rendering import render_page
from ..viewmodels.build_page import describe_artifact, describe_diff, describe_phases
from ..viewmodels.builds import describe_build, find_phase

blueprint = Blueprint("builds", __name__)

_PAGE = 100
_LOOKED_BACK = 25


@blueprint.get("/builds")
def list_builds() -> Response:
    """List builds, newest first: of ``?project=`` and ``?status=``, or all."""
    chosen, status = request.args.get("project") or None, _read_status(request.args.get("status"))
    cursor = request.args.get("cursor") or None
    scope = {"project": find_project(chosen).id} if chosen else list_scope()
    found = current_panel().admin.builds.list(**scope, status=status, limit=_PAGE + 1, after=read_cursor(cursor))
    builds, following = cut_page([item.record for item in found], _PAGE)
    places = _name_places(builds)
    here: dict[str, Any] = {"project": chosen, "status": status}
    return render_page(
        "builds.html",
        builds=[describe_build(build, places[build.deployment_id]) for build in builds],
        projects=_list_choices(),
        chosen=chosen,
        status=status,
        statuses=[item.value for item in BuildStatus],
        next_url=url_for(".list_builds", **here, cursor=following) if following else None,
        first_url=url_for(".list_builds", **here) if cursor else None,
    )


@blueprint.get("/builds/<build_id>")
def show(build_id: str) -> Response:
    """Show a build: its state, phases, error, what it made and what is new in it; the script follows its log."""
    build = find_build(build_id)
    live, record = build.deployment, build.record
    older = _list_older(live, record)
    return render_page(
        "build.html",
        build=BuildShape.of(record).to_json(),
        phase=find_phase(record),
        phases=describe_phases(record, build.expected_seconds()),
        artifact=describe_artifact(_find_owner(record), build.inventory),
        ping_seconds=current_panel().options.ping_seconds,
        neighbours={"previous": _link(older[0]) if older else None, "next": _link(_find_next(live, record))},
        **_compare(build, older),
        **_describe_place(live, record),
    )


def _describe_place(live: LiveDeployment, record: Build) -> dict[str, Any]:
    admin, deployment, project = current_panel().admin, live.record, live.project
    team = admin.teams.get(project.team_id)
    siblings = [item.record for item in admin.deployments.list(project.id)]
    is_serving = deployment.current_build_id == record.id
    return {
        "deployment": {
            "id": deployment.id,
            "branch": deployment.branch,
            "type": deployment.type.value,
            "status": deployment.status.value,
            "url": deployment.public_url,
            "name": f"{team.slug}/{project.slug}/{deployment.slug}",
        },
        "project": {"id": project.id, "name": project.name},
        "is_serving": is_serving,
        "can_roll_back": not is_serving and record.id in {kept.id for kept in live.kept_builds},
        "targets": [
            {"id": item.id, "name": f"{item.branch} ({item.type.value})"}
            for item in siblings
            if is_serving and item.id != deployment.id
        ],
    }


def _compare(build: LiveBuild, older: Sequence[Build]) -> dict[str, Any]:
    """What is new since the last build that succeeded before this one."""
    before = next((item for item in older if item.status is BuildStatus.SUCCEEDED), None)
    if before is None or build.status is BuildStatus.QUEUED:
        return {"diff": None, "compared": None}
    found = current_panel().admin.diff(before.id, build.id)
    return {"diff": describe_diff(found.to_dict()), "compared": _link(before)}


def _list_older(live: LiveDeployment, record: Build) -> list[Build]:
    found = current_panel().admin.builds.list(live.id, limit=_LOOKED_BACK, after=Cursor.of(record))
    return [item.record for item in found]


def _find_next(live: LiveDeployment, record: Build) -> Build | None:
    try:
        return current_panel().admin.storage.builds.get_by_number(live.id, record.number + 1)
    except NotFound:
        return None


def _find_owner(record: Build) -> Build:
    """Return the build that made what this one runs; itself when that one was deleted."""
    if record.artifact_build_id in (None, record.id):
        return record
    try:
        return current_panel().admin.storage.builds.get(str(record.artifact_build_id))
    except NotFound:
        return record


def _link(build: Build | None) -> dict[str, Any] | None:
    return {"id": build.id, "number": build.number, "status": build.status.value} if build else None


def _read_status(wanted: str | None) -> str | None:
    return wanted if wanted in {item.value for item in BuildStatus} else None


def _list_choices() -> list[dict[str, str]]:
    teams = {team.id: team.slug for team in visible_teams()}
    return [
        {"value": f"{teams[project.team_id]}/{project.slug}", "name": f"{teams[project.team_id]}/{project.slug}"}
        for project in visible_projects()
        if project.team_id in teams
    ]


def _name_places(builds: Sequence[Build]) -> Mapping[str, str]:
    """Return ``team/project/slug`` of the deployments of some builds, by their ids."""
    storage = current_panel().admin.storage
    teams = {team.id: team.slug for team in visible_teams()}
    projects = {project.id: project for project in visible_projects()}
    places = {}
    for deployment_id in {build.deployment_id for build in builds}:
        deployment = storage.deployments.get(deployment_id)
        project = projects[deployment.project_id]
        places[deployment_id] = f"{teams[project.team_id]}/{project.slug}/{deployment.slug}"
    return places
