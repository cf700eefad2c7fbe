"""``/builds/<id>``: one build and its log."""

from __future__ import annotations

from flask import Blueprint, render_template

from mastra_admin_sdk import LiveBuild

from ..context import current_panel
from ..shapes import shape_build, shape_deployment, shape_project, shape_team

blueprint = Blueprint("builds", __name__)


@blueprint.get("/builds/<build_id>")
def show(build_id: str) -> str:
    """Show a build: its state, phases and error; the script follows its log."""
    panel = current_panel()
    build = panel.admin.builds.get(build_id)
    return render_template(
        "build.html",
        build=shape_build(build.record),
        ping_seconds=panel.options.ping_seconds,
        **_describe_place(build),
    )


def _describe_place(build: LiveBuild) -> dict[str, object]:
    live = build.deployment
    project = live.project
    return {
        "deployment": {**shape_deployment(live.record), "local_url": live.local_url},
        "project": shape_project(project),
        "team": shape_team(current_panel().admin.teams.get(project.team_id)),
        "is_serving": live.record.current_build_id == build.id,
    }
