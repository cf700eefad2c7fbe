"""Which records a list is asked for, within what the principal may see."""

from __future__ import annotations

from typing import Any

from ..lookup import find_deployment, find_project, find_team, list_scope


def narrow(team: str | None = None, project: str | None = None, deployment: str | None = None) -> dict[str, Any]:
    """Return keyword arguments for a list of the SDK.

    Parameters:
        team, project, deployment: what the query names, by any reference.

    Raises:
        NotFound: one of them isn't there, or may not be seen.
    """
    scope: dict[str, Any] = dict(list_scope())
    if team is not None:
        scope["team"] = find_team(team).id
    if project is not None:
        scope["project"] = find_project(project).id
    if deployment is not None:
        scope["deployment"] = find_deployment(deployment).id
    return scope
