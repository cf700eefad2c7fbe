"""Teams as a list, with what they hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mastra_admin_sdk.models import Deployment, Project, Team

from .builds import iso

_ORDER = ("failed", "pending", "building", "running", "stopped")


@dataclass(frozen=True, slots=True)
class TeamRow:
    """One team; ``states`` counts its deployments by state, those that need a look first."""

    id: str
    name: str
    slug: str
    projects: int
    deployments: int
    states: Mapping[str, int] = field(default_factory=dict)
    created_at: str | None = None


def describe_teams(
    teams: Iterable[Team], projects: Iterable[Project], deployments: Iterable[Deployment]
) -> tuple[TeamRow, ...]:
    """Return teams as rows, in the order given; projects and deployments may be of others too."""
    owners = {project.id: project.team_id for project in projects}
    counts = Counter(owners.values())
    states: dict[str, Counter[str]] = {}
    for item in deployments:
        if item.project_id in owners:
            states.setdefault(owners[item.project_id], Counter())[item.status.value] += 1
    return tuple(_describe(team, counts[team.id], states.get(team.id, Counter())) for team in teams)


def order_states(states: Mapping[str, int]) -> dict[str, int]:
    """Return counts by state, those that need a look first."""
    return {name: states[name] for name in _ORDER if states.get(name)}


def _describe(team: Team, projects: int, states: Counter[str]) -> TeamRow:
    return TeamRow(
        id=team.id,
        name=team.name,
        slug=team.slug,
        projects=projects,
        deployments=states.total(),
        states=order_states(states),
        created_at=iso(team.created_at),
    )
