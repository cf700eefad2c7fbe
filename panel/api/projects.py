"""``/api/projects``."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, url_for

from mastra_admin_sdk.models import TokenScope

from ..context import current_panel
from ..lookup import find_project, find_team, visible_projects
from ..openapi import Located, endpoint, make_field_error
from ..paging import cut_page, read_cursor
from ..principals import current_principal, needs
from .schemas.projects import (
    NewProject,
    Project,
    ProjectChange,
    ProjectItem,
    ProjectPage,
    ProjectQuery,
    SourceChoice,
    Webhook,
    WebhookItem,
)

blueprint = Blueprint("api_projects", __name__)


@blueprint.get("/projects")
@endpoint(conditional=True, fails=[404])
def list_projects(query: ProjectQuery) -> ProjectPage:
    """List projects, newest first."""
    after, principal = read_cursor(query.cursor), current_principal()
    if principal.project_id is not None:
        own = visible_projects(query.team) if after is None else ()
        return ProjectPage(projects=[Project.of(project) for project in own], next=None)
    team = find_team(query.team).id if query.team is not None else principal.team_id
    found = current_panel().admin.projects.list(team, limit=query.limit + 1, after=after)
    projects, following = cut_page(found, query.limit)
    return ProjectPage(projects=[Project.of(project) for project in projects], next=following)


@blueprint.post("/projects")
@endpoint(status=201, fails=[404, 409])
@needs(TokenScope.ADMIN)
def create_project(body: NewProject) -> Located[ProjectItem]:
    """Create a project from a folder or a repository.

    `GET /api/sources/projects` lists the folders that were found.
    """
    team = find_team(body.team)
    project = current_panel().admin.projects.create(
        team, **_choose_source(body), name=body.name, slug=body.slug, default_branch=body.default_branch, env=body.env
    )
    return Located(ProjectItem.of(project), url_for(".show_project", project_id=project.id))


@blueprint.get("/projects/<project_id>")
@endpoint(conditional=True)
def show_project(project_id: str) -> ProjectItem:
    """Show a project."""
    return ProjectItem.of(find_project(project_id))


@blueprint.patch("/projects/<project_id>")
@endpoint(match=show_project)
@needs(TokenScope.ADMIN)
def update_project(project_id: str, body: ProjectChange) -> ProjectItem:
    """Rename a project, or choose another default branch.

    What runs stays as it is until the next deploy.
    """
    projects, project = current_panel().admin.projects, find_project(project_id)
    return ProjectItem.of(projects.update(project, name=body.name, default_branch=body.default_branch))


@blueprint.post("/projects/<project_id>/relink")
@endpoint()
@needs(TokenScope.ADMIN)
def relink_project(project_id: str, body: SourceChoice) -> ProjectItem:
    """Tie a project to another source, such as a folder that was moved.

    Deployments, variables and builds stay; the next build is made from there.
    """
    return ProjectItem.of(current_panel().admin.projects.relink(find_project(project_id), **_choose_source(body)))


@blueprint.delete("/projects/<project_id>")
@endpoint(status=204, match=show_project)
@needs(TokenScope.ADMIN)
def delete_project(project_id: str) -> None:
    """Delete a project.

    Builds are cancelled, servers stopped, routes, ports and artifacts freed: it may take a minute. Telemetry stays
    until its time to live.
    """
    current_panel().admin.projects.delete(find_project(project_id))


@blueprint.post("/projects/<project_id>/webhook")
@endpoint(status=201, fails=[409], tag="webhooks")
@needs(TokenScope.ADMIN)
def create_webhook(project_id: str) -> Located[WebhookItem]:
    """Let pushes to its repository deploy a project.

    The secret is told this once: it goes into the repository's webhook, together with the path at this panel.
    """
    webhook = current_panel().admin.webhooks.create(find_project(project_id))
    return Located(WebhookItem(webhook=Webhook.of(webhook)), url_for(".show_project", project_id=webhook.project_id))


@blueprint.post("/projects/<project_id>/webhook/rotate")
@endpoint(tag="webhooks")
@needs(TokenScope.ADMIN)
def rotate_webhook(project_id: str) -> WebhookItem:
    """Replace the secret of a project's webhook; the former one is refused from now on."""
    return WebhookItem(webhook=Webhook.of(current_panel().admin.webhooks.rotate(find_project(project_id))))


@blueprint.delete("/projects/<project_id>/webhook")
@endpoint(status=204, tag="webhooks")
@needs(TokenScope.ADMIN)
def delete_webhook(project_id: str) -> None:
    """Refuse webhooks of a project from now on."""
    current_panel().admin.webhooks.remove(find_project(project_id))


def _choose_source(body: SourceChoice) -> dict[str, Any]:
    if (body.source is None) == (body.git is None):
        said = "Give either source (a folder's project, a URL) or git (a repository)."
        raise make_field_error({"source": said, "git": said})
    return {"source": body.source, "git": body.git, "path": body.path, "submodules": body.submodules}
