"""Finds what the principal of a request may see; everything else is "not found", so that nothing is told about it.

Each page and each view of the API goes through here instead of asking the SDK itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from flask import request

from mastra_admin_sdk import LiveBuild, LiveDeployment
from mastra_admin_sdk.errors import InvalidInput, NotFound
from mastra_admin_sdk.models import Member, Process, Project, Schedule, Team
from mastra_admin_sdk.services.telemetry.asking import is_record_id
from mastra_admin_sdk.services.telemetry.traces import Trace

from .context import current_panel
from .principals import Principal, current_principal
from .problems import Refused

_T = TypeVar("_T")
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_ID_LENGTH = 36


def find_team(reference: str) -> Team:
    """Return a team by id, slug or name.

    Raises:
        NotFound: there is none that the principal may see.
        Refused: the request changes something, and the principal is for one project of the team alone (403).
    """
    principal, admin = current_principal(), current_panel().admin
    team = _find("team", reference, admin.teams.get, lambda found: _sees_team(principal, found.id))
    if principal.project_id is not None and request.method not in _SAFE_METHODS:
        raise Refused(
            403,
            "forbidden",
            f"{principal.name!r} may not do this: it concerns the whole team, and this token is for one project of it.",
            hint="Use a token that is for the team.",
        )
    return team


def find_project(reference: str) -> Project:
    """Return a project by id, slug, name or ``team/project``.

    Raises:
        NotFound: there is none that the principal may see.
    """
    principal, admin = current_principal(), current_panel().admin
    return _find("project", reference, admin.projects.get, lambda found: _sees_project(principal, found))


def find_deployment(reference: str) -> LiveDeployment:
    """Return a deployment by id, ``project``, ``project/slug`` or ``team/project/slug``.

    Raises:
        NotFound: there is none that the principal may see.
    """
    principal, admin = current_principal(), current_panel().admin
    return _find(
        "deployment", reference, admin.deployments.get, lambda found: _sees_owner(principal, found.record.project_id)
    )


def find_build(reference: str) -> LiveBuild:
    """Return a build by id or ``<deployment>#<number>``.

    Raises:
        NotFound: there is none that the principal may see.
    """
    principal, admin = current_principal(), current_panel().admin
    return _find(
        "build", reference, admin.builds.get, lambda found: _sees_deployment(principal, found.record.deployment_id)
    )


def find_process(reference: str) -> Process:
    """Return a server by its id.

    Raises:
        NotFound: there is none that the principal may see.
    """
    principal, admin = current_principal(), current_panel().admin
    return _find(
        "process",
        reference,
        admin.storage.processes.get,
        lambda found: _sees_deployment(principal, found.deployment_id),
    )


def find_schedule(reference: str) -> Schedule:
    """Return a schedule by its id or the beginning of that.

    Raises:
        NotFound: there is none that the principal may see.
    """
    principal, admin = current_principal(), current_panel().admin
    return _find(
        "schedule", reference, admin.schedules.get, lambda found: _sees_deployment(principal, found.deployment_id)
    )


def find_member(member_id: str) -> Member:
    """Return a member by its id.

    Raises:
        NotFound: there is none that the principal may see.
        Refused: the request changes something, and the principal is for one project of the team alone (403).
    """
    principal, admin = current_principal(), current_panel().admin
    member = _find("member", member_id, admin.storage.members.get, lambda found: _sees_team(principal, found.team_id))
    find_team(member.team_id)
    return member


def find_trace(trace_id: str) -> Trace:
    """Return a trace by its id.

    A trace that goes through projects of which the principal may not see all is not found either.

    Raises:
        NotFound: there is none that the principal may see.
    """
    principal, admin = current_principal(), current_panel().admin

    def sees(trace: Trace) -> bool:
        visible = {project.id for project in visible_projects()}
        return {str(owner) for owner in trace.frame["project_id"].unique()} <= visible

    return _find("trace", trace_id, admin.trace, lambda found: not principal.is_bound or sees(found))


def visible_teams() -> Sequence[Team]:
    """Return the teams that the principal may see, newest first."""
    principal, admin = current_principal(), current_panel().admin
    return [admin.teams.get(principal.team_id)] if principal.team_id else admin.teams.list()


def visible_projects(team: str | None = None) -> Sequence[Project]:
    """Return the projects that the principal may see, of a team or all, newest first.

    Raises:
        NotFound: there is no such team that the principal may see.
    """
    principal, admin = current_principal(), current_panel().admin
    owner = find_team(team).id if team is not None else principal.team_id
    return [project for project in admin.projects.list(owner) if _sees_project(principal, project)]


def list_scope() -> dict[str, str]:
    """Return keyword arguments that keep a list of the SDK within what the principal may see.

    Nothing for one that is bound to no team, else ``{"team": id}`` or ``{"project": id}``: what lists of deployments,
    builds, processes, schedules and events take.
    """
    principal = current_principal()
    if principal.project_id is not None:
        return {"project": principal.project_id}
    return {"team": principal.team_id} if principal.team_id is not None else {}


def telemetry_scope(
    project: str | None = None, deployment: str | Sequence[str] | None = None, build: str | None = None
) -> dict[str, Any]:
    """Return keyword arguments for ``admin.spans`` and its like: what is asked for, within what may be seen.

    Parameters:
        project, deployment, build: what the request names, by any reference; several deployments as a list.

    Raises:
        NotFound: one of them isn't there, or may not be seen.

    Example:
        >>> current_panel().admin.spans(**telemetry_scope(project=query.project), limit=100)
    """
    scope: dict[str, Any] = dict(list_scope())
    if project is not None:
        scope["project"] = _find_owner(lambda item: find_project(item).id, project)
    if deployment is not None:
        wanted = [deployment] if isinstance(deployment, str) else deployment
        scope["deployment"] = [_find_owner(lambda item: find_deployment(item).id, each) for each in wanted]
    if build is not None:
        scope["build"] = _find_owner(lambda item: find_build(item).id, build)
    return scope


def _find_owner(find: Callable[[str], str], reference: str) -> str:
    """Return the id of whose telemetry is asked for; that of something deleted as it is, as its telemetry stays."""
    try:
        return find(reference)
    except NotFound:
        # Whose it was isn't known any more: it's for those alone who may see all.
        if current_principal().is_bound or not is_record_id(reference):
            raise
        return reference


def _find(kind: str, reference: str, get: Callable[[str], _T], sees: Callable[[_T], bool]) -> _T:
    principal = current_principal()
    if not principal.is_bound:
        return get(reference)
    for wanted in _list_references(kind, reference, principal):
        try:
            found = get(wanted)
        except (NotFound, InvalidInput):  # both would name things of others
            continue
        if sees(found):
            return found
    raise NotFound(f"There is no {kind} {reference[:100]!r}.")


def _list_references(kind: str, reference: str, principal: Principal) -> list[str]:
    """Within the principal's team first: a name that another team has too is still clear to it."""
    if kind not in {"project", "deployment", "build"} or len(reference) == _ID_LENGTH:
        return [reference]
    team = current_panel().admin.teams.get(principal.team_id or "")
    return [f"{team.slug}/{reference}", reference]


def _sees_team(principal: Principal, team_id: str) -> bool:
    return principal.team_id in (None, team_id)


def _sees_project(principal: Principal, project: Project) -> bool:
    return _sees_team(principal, project.team_id) and principal.project_id in (None, project.id)


def _sees_owner(principal: Principal, project_id: str) -> bool:
    return _sees_project(principal, current_panel().admin.storage.projects.get(project_id))


def _sees_deployment(principal: Principal, deployment_id: str) -> bool:
    return _sees_owner(principal, current_panel().admin.storage.deployments.get(deployment_id).project_id)
