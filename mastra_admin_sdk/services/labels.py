"""Readable names of records."""

from __future__ import annotations

from collections.abc import Iterable

from mastra_admin_sdk.errors import NotFound
from mastra_admin_sdk.models import Build, Deployment
from mastra_admin_sdk.ports.storage import AdminStorage

_REMEMBERED = ("team", "project", "deployment")


class Labels:
    """Readable names of what the database holds, each read once."""

    def __init__(self, storage: AdminStorage) -> None:
        self._storage = storage
        self._teams = {team.id: team.slug for team in storage.teams.list()}
        self._projects = {project.id: project for project in storage.projects.list()}
        self._deployments = {item.id: item for item in storage.deployments.list()}
        self._builds: dict[str, Build | None] = {}

    def team_of(self, project_id: str) -> str | None:
        """Return the slug of a project's team."""
        project = self._projects.get(project_id)
        return self._teams.get(project.team_id) if project else None

    def project(self, project_id: str) -> str | None:
        """Return the slug of a project."""
        project = self._projects.get(project_id)
        return project.slug if project else None

    def deployment(self, deployment_id: str) -> Deployment | None:
        """Return a deployment, or ``None`` when it is gone."""
        return self._deployments.get(deployment_id)

    def count_deployments(self, project_id: str) -> int:
        """Return how many deployments a project has."""
        return sum(item.project_id == project_id for item in self._deployments.values())

    def build(self, build_id: str | None) -> Build | None:
        """Return a build, or ``None`` when it is gone."""
        if build_id is None:
            return None
        if build_id not in self._builds:
            self._builds[build_id] = _read_build(self._storage, build_id)
        return self._builds[build_id]

    def learn(self, build_ids: Iterable[str | None]) -> None:
        """Read many builds at once, instead of each when it is asked for."""
        wanted = {build_id for build_id in build_ids if build_id is not None}
        self._builds.update({**dict.fromkeys(wanted), **self._storage.builds.get_many(wanted)})

    def describe(self, kind: str, object_id: str) -> str | None:
        """Return how people refer to something, or ``None`` when it is gone."""
        if kind == "team":
            return self._teams.get(object_id)
        if kind == "project":
            slug = self.project(object_id)
            return f"{self.team_of(object_id)}/{slug}" if slug else None
        if kind == "deployment":
            deployment = self.deployment(object_id)
            return f"{self.describe('project', deployment.project_id)}/{deployment.slug}" if deployment else None
        build = self.build(object_id) if kind == "build" else None
        return f"{self.describe('deployment', build.deployment_id)}#{build.number}" if build else None


def _read_build(storage: AdminStorage, build_id: str) -> Build | None:
    try:
        return storage.builds.get(build_id)
    except NotFound:
        return None


class ObjectNames:
    """Names of single objects as they are now, for what is written down; few queries, as slugs never change."""

    def __init__(self, storage: AdminStorage) -> None:
        self._storage = storage
        self._known: dict[tuple[str, str], str] = {}

    def find(self, kind: str, object_id: str) -> str | None:
        """Return how people refer to a team, project, deployment or build, such as ``search/weather-agent/main#3``.

        ``None`` for what isn't there, and for other kinds.
        """
        try:
            if kind == "build":  # there are too many to remember them
                build = self._storage.builds.get(object_id)
                return f"{self._name('deployment', build.deployment_id)}#{build.number}"
            return self._name(kind, object_id) if kind in _REMEMBERED else None
        except NotFound:
            return None

    def recall(self, kind: str, object_id: str | None) -> str | None:
        """Return the name of a team, project or deployment if it was read before; no query is made for it."""
        return self._known.get((kind, object_id or ""))

    def learn(self, kind: str, object_ids: Iterable[str | None]) -> dict[str, str]:
        """Return names of teams, projects or deployments by their ids; the unknown ones are read all at once.

        Those that are gone are left out.
        """
        wanted = {object_id for object_id in object_ids if object_id}
        if any((kind, object_id) not in self._known for object_id in wanted):
            self._read_all()
        return {each: self._known[kind, each] for each in wanted if (kind, each) in self._known}

    def _read_all(self) -> None:
        # Deployments first, so that what they belong to is there by the time it is read.
        deployments, projects = self._storage.deployments.list(), self._storage.projects.list()
        for team in self._storage.teams.list():
            self._known["team", team.id] = team.slug
        for project in projects:
            self._join("project", project.id, project.slug, self._known.get(("team", project.team_id)))
        for item in deployments:
            self._join("deployment", item.id, item.slug, self._known.get(("project", item.project_id)))

    def _join(self, kind: str, object_id: str, slug: str, owner: str | None) -> None:
        if owner:
            self._known[kind, object_id] = f"{owner}/{slug}"

    def _name(self, kind: str, object_id: str) -> str:
        if (kind, object_id) not in self._known:
            self._known[kind, object_id] = self._read(kind, object_id)
        return self._known[kind, object_id]

    def _read(self, kind: str, object_id: str) -> str:
        if kind == "team":
            return self._storage.teams.get(object_id).slug
        if kind == "project":
            project = self._storage.projects.get(object_id)
            return f"{self._name('team', project.team_id)}/{project.slug}"
        deployment = self._storage.deployments.get(object_id)
        return f"{self._name('project', deployment.project_id)}/{deployment.slug}"
