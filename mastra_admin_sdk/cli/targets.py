"""From what a person typed to the records that are meant, making the missing ones."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mastra_admin_sdk.errors import Conflict, InvalidInput, NotFound
from mastra_admin_sdk.models import Deployment, Project, SourceProject, SourceType, Team
from mastra_admin_sdk.services.deployments.addresses import make_slug
from mastra_admin_sdk.services.projects.sources import name_source

if TYPE_CHECKING:
    from mastra_admin_sdk.admin import MastraAdmin

DEFAULT_TEAM = "Default"


def ensure_project(admin: MastraAdmin, reference: str, team: str | None = None, *, name: str | None = None) -> Project:
    """Return a project by its name, or by a source it is made from; team and project are created when missing.

    Parameters:
        admin: where to look.
        reference: a project, or a folder, name or id of a source, or a repository's URL.
        team: who owns it; unless given, the only team there is, else one called Default.
        name: of the project that is made from a source; the source's own unless given.

    Raises:
        NotFound: neither a project nor a source goes by that.
        Conflict: the team has a project of that name from another folder.
    """
    if name is None and not is_path(reference):
        found = _find_project(admin, reference, team)
        if found:
            return found
    source = _get_source(admin, reference)
    owner = ensure_owner(admin, team)
    found = _find_made_from(admin, owner, source, name)
    return found or admin.projects.create(owner, source=source, name=name)


def ensure_owner(admin: MastraAdmin, team: str | None) -> Team:
    """Return the team that is to own a project: the one named, else the only one, else one called Default."""
    return ensure_team(admin, team or _choose_team(admin))


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


def name_project(admin: MastraAdmin, project: Project) -> str:
    """Return how people refer to a project: ``team/project``."""
    return f"{admin.storage.teams.get(project.team_id).slug}/{project.slug}"


def read_ref(reference: str, project: Project) -> str | None:
    """Return the ref in ``<url>#<ref>:<folder>``, if a project in a repository was named so."""
    _, separator, rest = reference.rpartition("#")
    is_named = separator and project.source_type is SourceType.GIT
    return (rest.partition(":")[0] or None) if is_named else None


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


def _find_made_from(admin: MastraAdmin, owner: Team, source: SourceProject, name: str | None) -> Project | None:
    """A team's project that a folder was made into, and that goes by ``name`` if one is given."""
    slug = make_slug(name or source.name)
    namesake = next((item for item in admin.projects.list(owner) if item.slug == slug), None)
    made = [item for item in admin.projects.list(owner) if _is_made_from(item, source)]
    if namesake in made:
        return namesake
    if made and name is None:
        return made[0]
    if namesake is None:
        return None
    full = f"{owner.slug}/{slug}"
    raise Conflict(
        f"{source.path} can't become the project {full}: that is made from {name_source(namesake)}.",
        hint=f"Deploy the one that is there: `mastra-admin deploy {full}`. "
        "For this folder add --name with another name, or --team with another team.",
    )


def _is_made_from(project: Project, source: SourceProject) -> bool:
    config = project.source_config
    return config.get("project_id") == source.id or config.get("path") == source.path


def _get_source(admin: MastraAdmin, reference: str) -> SourceProject:
    if is_path(reference):
        reference = os.path.realpath(os.path.expanduser(reference))
    try:
        return admin.projects.find_source(reference)
    except NotFound as exc:
        if is_path(reference):
            raise exc if os.path.isdir(reference) else _no_folder(reference) from exc
        raise NotFound(
            f"There is neither a project nor a source {reference!r}.",
            hint=exc.hint or "Give the folder of a Mastra project, such as ./my-agent, or a repository's URL.",
            evidence=exc.evidence,
        ) from exc


def _no_folder(path: str) -> NotFound:
    return NotFound(
        f"{path!r} is a file, not a folder." if os.path.exists(path) else f"There is no folder {path!r}.",
        hint="Give the folder of a Mastra project; `mastra-admin projects` lists those that were found.",
    )


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
