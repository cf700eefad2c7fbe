"""``/api/{projects,deployments}/<id>/env``: variables, whose values only come in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint

from mastra_admin_sdk import LiveDeployment
from mastra_admin_sdk.models import Project, TokenScope

from ..context import current_panel
from ..lookup import find_deployment, find_project
from ..openapi import endpoint
from ..principals import needs
from ..records import list_records
from .schemas.env import (
    Environment,
    EnvironmentChange,
    EnvironmentDiff,
    EnvironmentDiffQuery,
    EnvironmentItem,
    EnvironmentVersion,
    EnvironmentVersionList,
    VariableChange,
)

if TYPE_CHECKING:
    import pandas as pd

blueprint = Blueprint("api_env", __name__)


@blueprint.get("/projects/<project_id>/env")
@endpoint(conditional=True)
def show_project_env(project_id: str) -> EnvironmentItem:
    """Show the variables of a project."""
    return _show_project(find_project(project_id))


@blueprint.patch("/projects/<project_id>/env")
@endpoint(match=show_project_env, fails=[409])
@needs(TokenScope.ADMIN)
def update_project_env(project_id: str, body: EnvironmentChange) -> EnvironmentItem:
    """Set variables of a project, or remove some; those that aren't named stay.

    They apply from the next build on.
    """
    projects = current_panel().admin.projects
    return _show_project(projects.set_env(find_project(project_id), body.variables, secret=body.secret))


@blueprint.get("/projects/<project_id>/env/versions")
@endpoint(conditional=True)
def list_project_env_versions(project_id: str) -> EnvironmentVersionList:
    """List the versions of a project's variables, newest first."""
    return _list_versions(current_panel().admin.projects.env_versions(find_project(project_id)))


@blueprint.get("/projects/<project_id>/env/diff")
@endpoint()
def show_project_env_diff(project_id: str, query: EnvironmentDiffQuery) -> EnvironmentDiff:
    """Show which variables two versions of a project differ in."""
    found = current_panel().admin.projects.diff_env(find_project(project_id), query.before, query.after)
    return _list_changes(found)


@blueprint.get("/deployments/<deployment_id>/env")
@endpoint(conditional=True)
def show_deployment_env(deployment_id: str) -> EnvironmentItem:
    """Show the variables that a deployment has in place of its project's, or beside them."""
    return _show_deployment(find_deployment(deployment_id))


@blueprint.patch("/deployments/<deployment_id>/env")
@endpoint(match=show_deployment_env, fails=[409])
@needs(TokenScope.DEPLOY)
def update_deployment_env(deployment_id: str, body: EnvironmentChange) -> EnvironmentItem:
    """Override variables of the project for a deployment, or remove overrides; those that aren't named stay.

    They apply from the next build or restart on.
    """
    return _show_deployment(find_deployment(deployment_id).set_env(body.variables, secret=body.secret))


@blueprint.get("/deployments/<deployment_id>/env/versions")
@endpoint(conditional=True)
def list_deployment_env_versions(deployment_id: str) -> EnvironmentVersionList:
    """List the versions of what a deployment could run with, newest first.

    They have two numbers: that of its project's variables and that of its own.
    """
    return _list_versions(find_deployment(deployment_id).env_versions())


@blueprint.get("/deployments/<deployment_id>/env/diff")
@endpoint()
def show_deployment_env_diff(deployment_id: str, query: EnvironmentDiffQuery) -> EnvironmentDiff:
    """Show which variables two versions of a deployment differ in."""
    return _list_changes(find_deployment(deployment_id).diff_env(query.before, query.after))


def _show_project(project: Project) -> EnvironmentItem:
    shown = current_panel().admin.projects.list_env(project)
    return EnvironmentItem(env=Environment.of(project.env_version, project.env_vars, shown))


def _show_deployment(live: LiveDeployment) -> EnvironmentItem:
    record = live.record
    return EnvironmentItem(env=Environment.of(record.env_version, record.env_overrides, live.list_env()))


def _list_versions(frame: pd.DataFrame) -> EnvironmentVersionList:
    return EnvironmentVersionList(versions=[EnvironmentVersion(**row) for row in list_records(frame)])


def _list_changes(frame: pd.DataFrame) -> EnvironmentDiff:
    return EnvironmentDiff(changes=[VariableChange(**row) for row in list_records(frame)])
