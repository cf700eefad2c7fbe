"""``/``: what fails, what is being built, what is slow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response

from mastra_admin_sdk import LiveBuild
from mastra_admin_sdk.models import BuildStatus

from ..context import current_panel
from ..glance import Look
from ..lookup import list_scope
from ..principals import Principal, current_principal
from ..rendering import render_page
from ..viewmodels.overview import describe_overview

blueprint = Blueprint("overview", __name__)

_RECENT = 10
_MOST_FAILED = 50
_MOST_ACTIVE = 20
_ACTIVE = (BuildStatus.DEPLOYING, BuildStatus.BUILDING, BuildStatus.QUEUED)


@blueprint.get("/")
def show() -> Response:
    """Show what needs a look first; a welcome where nothing is there yet."""
    panel, principal = current_panel(), current_principal()
    scope: dict[str, Any] = dict(list_scope())
    document = _read_document(panel.glance.look(), principal)
    builds = panel.admin.builds
    page = describe_overview(
        document,
        recent=[build.record for build in builds.list(limit=_RECENT, **scope)],
        failed=[build.record for build in builds.list(status="failed", since="7d", limit=_MOST_FAILED, **scope)],
        active=[(build.record, build.expected_seconds()) for build in _list_active(scope)],
        activities=panel.activity.look(is_awake=bool(document["engine"].get("running"))),
    )
    return render_page("overview.html", page=page, home=document["home"])


def _list_active(scope: Mapping[str, Any]) -> list[LiveBuild]:
    builds = current_panel().admin.builds
    return [build for status in _ACTIVE for build in builds.list(status=status, limit=_MOST_ACTIVE, **scope)]


def _read_document(look: Look, principal: Principal) -> Mapping[str, Any]:
    """Return what of the document a principal may see."""
    if not principal.is_bound:
        return look.document
    return look.overview.limit(principal.team_id or "", principal.project_id).to_json()
