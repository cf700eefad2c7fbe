"""Whose a record is: conditions that keep a list within a deployment, a project or a team."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, or_, select, union_all
from sqlalchemy.sql import ColumnElement, Select
from sqlalchemy.sql.selectable import CompoundSelect

from . import tables


def within(
    column: Column[str], *, deployment_id: str | None = None, project_id: str | None = None, team_id: str | None = None
) -> list[ColumnElement[bool]]:
    """Return what keeps rows to those whose ``column`` names a deployment of all the owners that are given."""
    where = [] if deployment_id is None else [column == deployment_id]
    if project_id is not None or team_id is not None:
        where.append(column.in_(_select_deployments(project_id, team_id)))
    return where


def select_projects(team_id: str) -> Select[Any]:
    """Return the ids of a team's projects, as a subquery."""
    return select(tables.projects.c.id).where(tables.projects.c.team_id == team_id)


def is_for_team(team_id: str) -> ColumnElement[bool]:
    """Return the condition that a token is for a team or one of its projects."""
    columns = tables.tokens.c
    return or_(columns.team_id == team_id, columns.project_id.in_(select_projects(team_id)))


def select_objects(project_id: str | None, team_id: str | None) -> CompoundSelect[Any]:
    """Return the ids of a project or team and of all that it has, as a subquery."""
    deployments = _select_deployments(project_id, team_id)
    owned = (tables.builds, tables.schedules)
    parts = [deployments, *(select(table.c.id).where(table.c.deployment_id.in_(deployments)) for table in owned)]
    if project_id is not None:
        project = _select_project(project_id, team_id)
        parts += [project, select(tables.tokens.c.id).where(tables.tokens.c.project_id.in_(project))]
    elif team_id is not None:
        parts += [
            select(tables.teams.c.id).where(tables.teams.c.id == team_id),
            select_projects(team_id),
            select(tables.members.c.id).where(tables.members.c.team_id == team_id),
            select(tables.tokens.c.id).where(is_for_team(team_id)),
        ]
    return union_all(*parts)


def _select_project(project_id: str, team_id: str | None) -> Select[Any]:
    columns = tables.projects.c
    statement = select(columns.id).where(columns.id == project_id)
    return statement if team_id is None else statement.where(columns.team_id == team_id)


def _select_deployments(project_id: str | None, team_id: str | None) -> Select[Any]:
    columns = tables.deployments.c
    statement = select(columns.id)
    if project_id is not None:
        statement = statement.where(columns.project_id == project_id)
    return statement if team_id is None else statement.where(columns.project_id.in_(select_projects(team_id)))
