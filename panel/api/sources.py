"""``/api/sources/projects``: what a project can be made from."""

from __future__ import annotations

from flask import Blueprint

from mastra_admin_sdk import models
from mastra_admin_sdk.errors import NotFound, SourceError
from mastra_admin_sdk.models import TokenScope

from ..context import current_panel
from ..openapi import endpoint
from ..principals import needs
from .schemas.sources import SourceItem, SourceList, SourceProject, SourceQuery, Validation, ValidationItem

blueprint = Blueprint("api_sources", __name__)


@blueprint.get("/sources/projects")
@endpoint(conditional=True)
@needs(TokenScope.ADMIN)
def list_sources(query: SourceQuery) -> SourceList:
    """List the Mastra projects in folders of this machine, and where they were looked for."""
    return SourceList.of(current_panel().admin.source.scan(refresh=query.refresh))


@blueprint.get("/sources/projects/<source_id>")
@endpoint(conditional=True)
@needs(TokenScope.ADMIN)
def show_source(source_id: str) -> SourceItem:
    """Show a project that was found."""
    return SourceItem(project=SourceProject.of(_find(source_id)))


@blueprint.post("/sources/projects/<source_id>/validate")
@endpoint()
@needs(TokenScope.ADMIN)
def validate_source(source_id: str) -> ValidationItem:
    """Look whether a source can be read and is a Mastra project still."""
    found = _find(source_id)
    reason, hint = None, ""
    try:
        current_panel().admin.source.validate_access(found)
    except SourceError as exc:
        reason, hint = exc.message, exc.hint
    project = SourceProject.of(found)
    return ValidationItem(validation=Validation(valid=reason is None, reason=reason, hint=hint, project=project))


def _find(source_id: str) -> models.SourceProject:
    """Return what a search found: a path could name any folder of the machine."""
    source = current_panel().admin.source
    found = next((item for item in source.list_projects() if item.id == source_id), None)
    if found is None:
        raise NotFound(
            f"No source with the id {source_id[:100]!r} was found.", hint="GET /api/sources/projects?refresh=true."
        )
    return found
