"""Projects as a list, and where their code comes from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mastra_admin_sdk.models import Deployment, Project, Team
from mastra_admin_sdk.services.projects.sources import name_source

from .builds import iso
from .deployments import DeploymentRow, describe_row, group_rows


@dataclass(frozen=True, slots=True)
class ProjectRow:
    """One project with its deployments; ``source`` is its folder or repository."""

    id: str
    name: str
    slug: str
    team: str
    team_slug: str
    source_type: str
    source: str
    default_branch: str
    deployments: tuple[DeploymentRow, ...]
    updated_at: str | None


def describe_projects(
    projects: Iterable[Project], teams: Iterable[Team], deployments: Iterable[Deployment]
) -> tuple[ProjectRow, ...]:
    """Return projects as rows, in the order given; teams and deployments may be of others too."""
    owners = {team.id: team for team in teams}
    grouped = group_rows(describe_row(item, {}) for item in deployments)
    return tuple(_describe(item, owners, grouped.get(item.id, ())) for item in projects if item.team_id in owners)


def _describe(project: Project, owners: Mapping[str, Team], rows: Sequence[DeploymentRow]) -> ProjectRow:
    team = owners[project.team_id]
    return ProjectRow(
        id=project.id,
        name=project.name,
        slug=project.slug,
        team=team.name,
        team_slug=team.slug,
        source_type=project.source_type.value,
        source=name_source(project),
        default_branch=project.default_branch,
        deployments=tuple(rows),
        updated_at=iso(project.updated_at),
    )
