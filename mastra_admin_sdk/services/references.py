"""From what people write (a name, a slug, an id, an object) to the record that is meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from mastra_admin_sdk.errors import InvalidInput, NotFound
from mastra_admin_sdk.models import Build, Deployment, Project, Team
from mastra_admin_sdk.ports.storage import AdminStorage

_T = TypeVar("_T")
_MOST_DIGITS = 100
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

TeamRef = Team | str
ProjectRef = Project | str
DeploymentRef = Deployment | str
BuildRef = Build | str


class Resolver:
    """Finds records by reference.

    A team goes by id, slug or name; a project by id, slug, name or ``team/project``; a deployment by id, its host
    label, ``project``, ``project/slug`` or ``team/project/slug``; a build by id or ``<deployment>#<number>``.
    Where no deployment has that slug, its branch or its type is taken for it (``project/feature/x``,
    ``project/staging``), unless several of the project have that.
    Objects that carry an ``id`` stand for their record.
    """

    def __init__(self, storage: AdminStorage) -> None:
        self._storage = storage

    def team(self, reference: Any) -> Team:
        """Return the team that is meant, fresh from the storage."""
        wanted = _key(reference)
        if found := _read(self._storage.teams.get, wanted):
            return found
        return _pick("team", wanted, self._storage.teams.list(), lambda team: (team.id, team.slug, team.name))

    def project(self, reference: Any) -> Project:
        """Return the project that is meant, fresh from the storage."""
        wanted = _key(reference)
        if found := _read(self._storage.projects.get, wanted):
            return found
        teams = {team.id: team.slug for team in self._storage.teams.list()}
        return _pick(
            "project",
            wanted,
            self._storage.projects.list(),
            lambda item: (item.id, f"{teams.get(item.team_id)}/{item.slug}", item.slug, item.name),
        )

    def deployment(self, reference: Any) -> Deployment:
        """Return the deployment that is meant, fresh from the storage."""
        wanted = _key(reference)
        if record := _read(self._storage.deployments.get, wanted):
            return record
        teams = {team.id: team.slug for team in self._storage.teams.list()}
        projects = {project.id: project for project in self._storage.projects.list()}

        def names(item: Deployment) -> tuple[str, ...]:
            project = projects[item.project_id]
            short = f"{project.slug}/{item.slug}"
            full = f"{teams.get(project.team_id)}/{short}"
            return (item.id, full, short, f"{project.slug}-{item.slug}", *_project_names(project, item, teams))

        known = [item for item in self._storage.deployments.list() if item.project_id in projects]
        try:
            return _pick("deployment", wanted, known, names)
        except NotFound:

            def other_names(item: Deployment) -> tuple[str, ...]:
                return (item.id, names(item)[1], *_other_names(projects[item.project_id], item, teams))

            found = [item for item in known if wanted in other_names(item)]
            if not found:
                raise
        return _pick("deployment", wanted, found, other_names)

    def name(self, deployment: Deployment) -> str:
        """Return how people refer to a deployment: ``team/project/slug``."""
        return name_deployment(self._storage, deployment)

    def build(self, reference: Any) -> Build:
        """Return the build that is meant, fresh from the storage."""
        wanted = _key(reference)
        if "#" in wanted:
            deployment, _, number = wanted.rpartition("#")
            # Longer ones are no number that a build ever gets, nor one that Python reads at once.
            if not number.isdecimal() or len(number) > _MOST_DIGITS:
                raise InvalidInput(
                    f"{wanted[:100]!r} names no build.", hint="Write <deployment>#<number>, or the build's id."
                )
            return self.numbered_build(self.deployment(deployment), int(number))
        try:
            return self._storage.builds.get(wanted)
        except NotFound as exc:
            raise NotFound(
                f"There is no build {wanted[:100]!r}.", hint="Write <deployment>#<number>, or the build's id."
            ) from exc

    def numbered_build(self, deployment: Deployment, number: int) -> Build:
        """Return the build of a deployment that has a number; `NotFound` says which numbers there are."""
        try:
            return self._storage.builds.get_by_number(deployment.id, number)
        except NotFound as exc:
            known = sorted(build.number for build in self._storage.builds.list(deployment.id))
            message = f"{self.name(deployment)} has no build #{number}; it has {_name_numbers(known)}."
            raise NotFound(message, hint="" if known else "Deploy it first.") from exc


def name_deployment(storage: AdminStorage, deployment: Deployment) -> str:
    """Return how people refer to a deployment: ``team/project/slug``."""
    project = storage.projects.get(deployment.project_id)
    return f"{storage.teams.get(project.team_id).slug}/{project.slug}/{deployment.slug}"


def _project_names(project: Project, item: Deployment, teams: dict[str, str]) -> tuple[str, ...]:
    """A project's own name stands for its production deployment on the default branch."""
    if item.type != "production" or item.branch != project.default_branch:
        return ()
    return (f"{teams.get(project.team_id)}/{project.slug}", project.slug, project.name, project.id)


def _other_names(project: Project, item: Deployment, teams: dict[str, str]) -> tuple[str, ...]:
    """What else may tell it from its project's others: its branch, then its type, first on the default branch."""
    owners = (f"{teams.get(project.team_id)}/{project.slug}", project.slug)
    branches = tuple(f"{owner}/{item.branch}" for owner in owners)
    types = tuple(f"{owner}/{item.type}" for owner in owners)
    is_default = item.branch == project.default_branch
    return (*branches, *(types if is_default else ("", "")), *types)


def _name_numbers(numbers: Sequence[int]) -> str:
    """Such as ``#1 to #8``; gaps are where old builds were removed."""
    if not numbers:
        return "none yet"
    first, last = numbers[0], numbers[-1]
    gaps = ", with gaps" if len(numbers) <= last - first else ""
    return f"#{first} to #{last}{gaps}" if first != last else f"only #{first}"


def _key(reference: Any) -> str:
    found = reference if isinstance(reference, str) else getattr(reference, "id", None)
    if not isinstance(found, str) or not found:
        raise InvalidInput(f"{reference!r} names nothing.", hint="Give an id, a name, or an object of MastraAdmin.")
    return found


def _read(get: Callable[[str], _T], wanted: str) -> _T | None:
    """Return the record of an id without reading all others; ``None`` for what is no id, or nobody's."""
    if _ID.fullmatch(wanted):
        with suppress(NotFound):
            return get(wanted)
    return None


def _pick(kind: str, wanted: str, items: Sequence[_T], names: Callable[[_T], Sequence[str]]) -> _T:
    by_rank: dict[int, list[_T]] = {}
    for item in items:
        for rank, name in enumerate(names(item)):
            if name == wanted:
                by_rank.setdefault(rank, []).append(item)
                break
    if not by_rank:
        raise _missing(kind, wanted, (names(item) for item in items))
    best = by_rank[min(by_rank)]
    if len(best) > 1:
        options = sorted(names(item)[1] for item in best)
        raise InvalidInput(
            f"{wanted!r} names {len(best)} {kind}s: {', '.join(options)}.",
            hint="Use one of the longer names, or an id.",
        )
    return best[0]


def _missing(kind: str, wanted: str, known: Iterable[Sequence[str]]) -> NotFound:
    listed = list(known)
    near = difflib.get_close_matches(wanted, [name for names in listed for name in names[1:]], n=3)
    if near:
        hint = f"Did you mean {' or '.join(repr(name) for name in dict.fromkeys(near))}?"
    elif listed:
        hint = f"There are: {', '.join(sorted(names[1] for names in listed)[:10])}."
    else:
        hint = f"There is no {kind} yet."
    return NotFound(f"There is no {kind} {wanted!r}.", hint=hint)
