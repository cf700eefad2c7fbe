"""Whose telemetry it is: what the token allows, and what the request names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mastra_admin_sdk.errors import AccessDenied, NotFound
from mastra_admin_sdk.models import Build, Deployment, Project, Token
from mastra_admin_sdk.ports.storage import AdminStorage
from mastra_admin_sdk.services.telemetry.lines import LineOwner

from .conventions import ENVIRONMENT

_PROJECT = ("mastra.project", "mastra.project.id")
_DEPLOYMENT = ("mastra.deployment", "mastra.deployment.id")
_BUILD = ("mastra.build", "mastra.build.id")
_HINT = (
    "Name it in the path, as /projects/<id>/v1/traces, in the header X-Mastra-Project or the attribute mastra.project."
)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request says of whose it is, in its path and headers: names, slugs or ids."""

    project: str | None = None
    deployment: str | None = None
    build: str | None = None


class OwnerFinder:
    """Finds owners for one request with one token."""

    def __init__(self, storage: AdminStorage, token: Token, claim: Claim) -> None:
        self._storage, self._token, self._claim = storage, token, claim
        self._projects: Sequence[Project] | None = None
        self._deployments: dict[str, Sequence[Deployment]] = {}

    def check(self) -> None:
        """Refuse what path or header name, whatever the body says; nothing where they name no project.

        Raises:
            NotFound, AccessDenied: as `find`.
        """
        if self._claim.project is not None:
            self._pick(self._list_projects(), self._claim.project)

    def find(self, resource: Mapping[str, Any] | None = None) -> LineOwner:
        """Return whose telemetry it is that comes from a resource.

        The project is what path or header name, else the resource, else the token's own, else the one that is called
        like the service. Deployment and build stay open when none of the project's goes by what was said.

        Raises:
            NotFound: the project isn't known, or none is named; the same for one that the token isn't for.
            AccessDenied: another project is named than the token's.
        """
        told = resource or {}
        project = self._find_project(told)
        wanted = self._claim.deployment or _find_text(told, _DEPLOYMENT) or _find_text(told, ENVIRONMENT)
        deployment = self._find_deployment(project, wanted) if wanted else None
        build = self._find_build(project, deployment, self._claim.build or _find_text(told, _BUILD))
        if build is not None:
            return LineOwner(project.id, build.deployment_id, build.id)
        return LineOwner(project.id, deployment.id if deployment else None)

    def _find_project(self, resource: Mapping[str, Any]) -> Project:
        allowed = self._list_projects()
        wanted = self._claim.project or _find_text(resource, _PROJECT)
        if wanted is not None:
            return self._pick(allowed, wanted)
        if self._token.project_id is not None:
            return allowed[0]
        service = _find_text(resource, ("service.name",))
        found = self._match(allowed, service) if service else []
        if len(found) == 1:
            return found[0]
        said = f", and none is called {service[:80]!r} as the service is" if service else ""
        raise NotFound(f"The token is for several projects{said}; the request names none.", hint=_HINT)

    def _pick(self, allowed: Sequence[Project], wanted: str) -> Project:
        found = self._match(allowed, wanted)
        if len(found) == 1:
            return found[0]
        if found:
            raise NotFound(f"{wanted[:80]!r} names {len(found)} projects.", hint="Write <team>/<project>, or the id.")
        if self._token.project_id is not None:
            raise AccessDenied(
                f"The token is for another project than {wanted[:80]!r}.", hint="Use a token of its own."
            )
        raise NotFound(f"There is no project {wanted[:80]!r}.", hint="`mastra-admin projects list` shows them.")

    def _match(self, projects: Sequence[Project], wanted: str) -> list[Project]:
        """Return those that are meant: by id, else by ``team/project``, else by slug or name."""
        teams = {team.id: team.slug for team in self._storage.teams.list()} if "/" in wanted else {}
        for goes_by in (
            lambda item: item.id == wanted,
            lambda item: f"{teams.get(item.team_id)}/{item.slug}" == wanted,
            lambda item: wanted in (item.slug, item.name),
        ):
            if found := [item for item in projects if goes_by(item)]:
                return found
        return []

    def _list_projects(self) -> Sequence[Project]:
        if self._projects is None:
            storage, token = self._storage, self._token
            if token.project_id is not None:
                self._projects = [storage.projects.get(token.project_id)]
            else:
                self._projects = storage.projects.list(token.team_id)
        return self._projects

    def _find_deployment(self, project: Project, wanted: str) -> Deployment | None:
        if project.id not in self._deployments:
            self._deployments[project.id] = self._storage.deployments.list(project.id)
        known = self._deployments[project.id]
        for name in ("id", "slug", "branch", "type"):
            found = [item for item in known if str(getattr(item, name)) == wanted]
            if len(found) == 1:
                return found[0]
        return None

    def _find_build(self, project: Project, deployment: Deployment | None, wanted: str | None) -> Build | None:
        if wanted is None:
            return None
        try:
            if deployment is not None and wanted.isdecimal() and len(wanted) < 10:
                return self._storage.builds.get_by_number(deployment.id, int(wanted))
            found = self._storage.builds.get(wanted)
            owner = self._storage.deployments.get(found.deployment_id)
        except NotFound:
            return None
        is_other = deployment is not None and deployment.id != owner.id
        return None if owner.project_id != project.id or is_other else found


def _find_text(attributes: Mapping[str, Any], names: Sequence[str]) -> str | None:
    found = (attributes.get(name) for name in names)
    return next((value for value in found if isinstance(value, str) and value), None)
