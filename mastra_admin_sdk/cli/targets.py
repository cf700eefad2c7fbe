"""From what a person typed to the records that are meant, making the missing ones."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from mastra_admin_sdk.errors import InvalidInput, NotFound, ToolMissing
from mastra_admin_sdk.models import Deployment, Project, SourceProject, Team

if TYPE_CHECKING:
    from mastra_admin_sdk.admin import MastraAdmin

DEFAULT_TEAM = "Default"
EXAMPLE_TEAM = "Demo"
EXAMPLE = "weather-agent"


def find_example() -> Path:
    """Return the folder of the example project that ships with the package.

    Raises:
        ToolMissing: this installation doesn't have it.
    """
    folder = Path(str(resources.files("mastra_admin_sdk.examples") / EXAMPLE))
    if not (folder / "package.json").is_file():
        raise ToolMissing(f"The example project isn't at {folder}.", hint="Install mastra-admin-sdk again.")
    return folder


def ensure_project(admin: MastraAdmin, reference: str, team: str | None = None) -> Project:
    """Return a project by its name, or by a source it is made from; team and project are created when missing.

    Parameters:
        admin: where to look.
        reference: a project, or a folder, name or id of a source.
        team: who owns it; unless given, the only team there is, else one called Default.

    Raises:
        NotFound: neither a project nor a source goes by that.
    """
    if not is_path(reference):
        found = _find_project(admin, reference, team)
        if found:
            return found
    source = _get_source(admin, reference)
    owner = ensure_team(admin, team or _choose_team(admin))
    for project in admin.projects.list(owner):
        if project.source_config.get("path") == source.path:
            return project
    return admin.projects.create(owner, source=source)


def ensure_team(admin: MastraAdmin, reference: str) -> Team:
    """Return a team by id, slug or name, or create one of that name."""
    try:
        return admin.teams.get(reference)
    except NotFound:
        return admin.teams.create(reference)


def name_deployment(admin: MastraAdmin, deployment: Deployment) -> str:
    """Return how people refer to a deployment: ``team/project/slug``."""
    project = admin.storage.projects.get(deployment.project_id)
    team = admin.storage.teams.get(project.team_id)
    return f"{team.slug}/{project.slug}/{deployment.slug}"


def is_path(reference: str) -> bool:
    """True when a reference can only mean a folder: ``.``, ``./x``, ``/x``, ``~/x``, or ``x/y`` that is one."""
    if reference in {".", ".."} or reference.startswith(("./", "../", "/", "~")):
        return True
    return os.sep in reference and os.path.isdir(reference)


def _find_project(admin: MastraAdmin, reference: str, team: str | None) -> Project | None:
    wanted = f"{admin.teams.get(team).slug}/{reference}" if team and _has_team(admin, team) else reference
    if team and wanted == reference:
        return None
    try:
        return admin.projects.get(wanted)
    except NotFound:
        return None


def _get_source(admin: MastraAdmin, reference: str) -> SourceProject:
    if is_path(reference):
        reference = os.path.realpath(os.path.expanduser(reference))
    try:
        return admin.source.get_project(reference)
    except NotFound as exc:
        raise NotFound(
            f"There is neither a project nor a source {reference!r}: {exc.message}",
            hint=exc.hint or "Give the folder of a Mastra project, such as ./my-agent.",
            evidence=exc.evidence,
        ) from exc


def _has_team(admin: MastraAdmin, team: str) -> bool:
    return any(team in (item.id, item.slug, item.name) for item in admin.teams.list())


def _choose_team(admin: MastraAdmin) -> str:
    teams = admin.teams.list()
    if len(teams) > 1:
        known = {team.slug for team in teams}
        if "default" not in known:
            raise InvalidInput(
                f"There are {len(teams)} teams: which one is to own the project?",
                hint=f"Add --team with one of: {', '.join(sorted(known))}, or a new name.",
            )
    return teams[0].slug if len(teams) == 1 else DEFAULT_TEAM
