"""``/api/builds``: builds, what they made, and how two of them differ; `logs` has what they print."""

from __future__ import annotations

from flask import Blueprint

from mastra_admin_sdk import LiveBuild, models
from mastra_admin_sdk.errors import NotFound
from mastra_admin_sdk.models import TokenScope

from ..context import current_panel
from ..lookup import find_build
from ..openapi import endpoint
from ..paging import cut_page, read_cursor
from ..principals import needs
from .schemas.builds import (
    Artifact,
    ArtifactItem,
    Build,
    BuildItem,
    BuildPage,
    BuildQuery,
    Diff,
    DiffItem,
    DiffQuery,
)
from .scopes import narrow

blueprint = Blueprint("api_builds", __name__)


@blueprint.get("/builds")
@endpoint(conditional=True, fails=[404])
def list_builds(query: BuildQuery) -> BuildPage:
    """List builds, newest first."""
    found = current_panel().admin.builds.list(
        **narrow(query.team, query.project, query.deployment),
        status=query.status,
        since=query.since,
        limit=query.limit + 1,
        after=read_cursor(query.cursor),
    )
    builds, following = cut_page([build.record for build in found], query.limit)
    return BuildPage(builds=[Build.of(item) for item in builds], next=following)


@blueprint.get("/builds/<build_id>")
@endpoint(conditional=True)
def show_build(build_id: str) -> BuildItem:
    """Show a build."""
    return BuildItem.of(find_build(build_id).record)


@blueprint.post("/builds/<build_id>/cancel")
@endpoint(fails=[409])
@needs(TokenScope.DEPLOY)
def cancel_build(build_id: str) -> BuildItem:
    """Cancel a build; one that has ended stays as it is."""
    return BuildItem.of(find_build(build_id).cancel().record)


@blueprint.get("/builds/<build_id>/artifact")
@endpoint(conditional=True)
def show_artifact(build_id: str) -> ArtifactItem:
    """Show what a build runs: versions, packages, sizes, agents, tools and workflows."""
    build = find_build(build_id)
    owner = _find_owner(build)
    return ArtifactItem(artifact=Artifact.of(build.record, owner, build.inventory, build.expected_seconds()))


@blueprint.get("/builds/<build_id>/diff")
@endpoint()
def show_diff(build_id: str, query: DiffQuery) -> DiffItem:
    """Show what differs between a build and an earlier one.

    That is the one before it in its deployment that succeeded, unless `to` names another. Values of variables are
    never told.
    """
    build = find_build(build_id)
    before = find_build(query.to) if query.to is not None else _find_former(build)
    return DiffItem(diff=Diff.of(current_panel().admin.diff(before.record, build.record)))


def _find_owner(build: LiveBuild) -> models.Build:
    """Return the build that made what a build runs: after a promotion it is one of another deployment."""
    try:
        return current_panel().admin.storage.builds.get(build.record.artifact_build_id or build.id)
    except NotFound:  # that deployment was deleted
        return build.record


def _find_former(build: LiveBuild) -> LiveBuild:
    older = models.Cursor.of(build.record)
    former = current_panel().admin.builds.list(build.record.deployment_id, status="succeeded", after=older, limit=1)
    if not former:
        raise NotFound(
            f"No build before #{build.number} of its deployment succeeded.",
            hint="Name another build with ?to=, of whichever deployment.",
        )
    return former[0]
