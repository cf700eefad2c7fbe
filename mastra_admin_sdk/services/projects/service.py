"""Teams and projects: creating, naming, environment, deleting."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mastra_admin_sdk.errors import Conflict, NotFound
from mastra_admin_sdk.models import Cursor, Project, SourceProject, SourceType, Team
from mastra_admin_sdk.services.deployments.addresses import make_slug
from mastra_admin_sdk.services.deployments.service import DeploymentService
from mastra_admin_sdk.services.environment.secrets import change_env
from mastra_admin_sdk.services.environment.service import Environment, ImportedEnv
from mastra_admin_sdk.services.history.records import frame_projects, frame_teams
from mastra_admin_sdk.services.names import check_text
from mastra_admin_sdk.services.parts import Parts
from mastra_admin_sdk.services.references import ProjectRef, Resolver, TeamRef
from mastra_admin_sdk.services.triggers.webhooks import Webhook, WebhookService

from .example import EXAMPLE, EXAMPLE_TEAM, copy_example, find_example
from .sources import SourceRef, find_source, name_source

if TYPE_CHECKING:
    import pandas as pd


class TeamService:
    """Teams, as ``admin.teams``."""

    def __init__(self, parts: Parts, resolver: Resolver, projects: ProjectService) -> None:
        self._parts, self._resolver, self._projects = parts, resolver, projects

    def create(self, name: str, *, slug: str | None = None) -> Team:
        """Create a team.

        Parameters:
            name: for people, such as ``"Search"``.
            slug: part of every address; made from the name unless given.

        Raises:
            Conflict: another team has that slug.
            InvalidInput: the name is empty.
        """
        wanted = Team(check_name(name, "team"), make_slug(slug or name))
        try:
            team = self._parts.storage.teams.create(wanted)
        except Conflict as exc:
            raise Conflict(exc.message, hint=f'Use it with admin.teams.get("{wanted.slug}").') from exc
        self._parts.record("create", "team", team.id, slug=team.slug)
        return team

    def get(self, reference: TeamRef) -> Team:
        """Return a team by id, slug or name; `NotFound` names near ones."""
        return self._resolver.team(reference)

    def list(self, *, limit: int | None = None, after: Cursor | None = None) -> Sequence[Team]:
        """Return teams, newest first: all, or a page of ``limit`` teams ``after`` a place in that order."""
        return self._parts.storage.teams.list(limit=limit, after=after)

    def frame(self) -> pd.DataFrame:
        """Return a row a team, newest first: columns of `columns.TEAM_COLUMNS`."""
        return frame_teams(self._parts.storage, self.list())

    def update(self, team: TeamRef, *, name: str) -> Team:
        """Rename a team; its slug, and with it every address, stays."""
        found = self._resolver.team(team)
        renamed = self._parts.storage.teams.update(found.id, name=check_name(name, "team"))
        self._parts.record("rename", "team", found.id, slug=found.slug, name=renamed.name)
        return renamed

    def delete(self, team: TeamRef) -> None:
        """Delete a team with its projects: builds are cancelled, servers stopped, routes, ports and artifacts freed.

        Telemetry stays until its time to live.
        """
        found = self._resolver.team(team)
        for project in self._parts.storage.projects.list(found.id):
            self._projects.delete(project)
        self._parts.storage.teams.delete(found.id)
        self._parts.record("delete", "team", found.id, slug=found.slug, object=found.slug)


class ProjectService:
    """Projects, as ``admin.projects``."""

    def __init__(self, parts: Parts, resolver: Resolver, deployments: DeploymentService) -> None:
        self._parts, self._resolver, self._deployments = parts, resolver, deployments
        self._environment = Environment(parts)

    def create(
        self,
        team: TeamRef,
        *,
        source: SourceRef | None = None,
        git: SourceRef | None = None,
        path: str | None = None,
        submodules: bool = False,
        name: str | None = None,
        slug: str | None = None,
        default_branch: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Project:
        """Create a project from a folder or a repository.

        Parameters:
            team: who owns it.
            source: a Mastra project in a folder: its name or id from ``admin.source.list_projects()``, or its path; or
                a repository's URL, ``<url>[#[<ref>][:<folder>]]``.
            git: a repository, also one in a folder of this machine: what is committed is deployed, not what lies there.
            path: the folder of the project in the repository, such as ``packages/app``.
            submodules: fetch the repository's submodules with it.
            name: for people; the source's own unless given.
            slug: part of every address; made from the name unless given.
            default_branch: production on this branch also answers without a branch in its address; ``main``, or of a
                repository the ref that was named or its own default branch, unless given.
            env: environment variables, kept as secrets.

        Raises:
            NotFound: there is no such team or source.
            SourceError: the repository can't be read, or holds no Mastra project there.
            Conflict: the team has a project of that slug.

        Example:
            >>> admin.projects.create("Search", source="https://host/team/agents.git", path="packages/weather")
        """
        owner = self._resolver.team(team)
        found = find_source(self._parts, source, git=git, path=path, submodules=submodules)
        default_branch = default_branch or (found.project.git_branch if found.type is SourceType.GIT else None)
        title = check_name(name or found.project.name, "project")
        project = Project(
            owner.id,
            title,
            make_slug(slug or title),
            source_type=found.type,
            source_config=found.config,
            default_branch=check_name(default_branch or "main", "branch"),
            env_vars=change_env(self._parts.secrets, (), env or {}, secret=True),
        )
        try:
            project = self._parts.storage.projects.create(project)
        except Conflict as exc:
            use = f'admin.projects.get("{owner.slug}/{project.slug}")'
            raise Conflict(exc.message, hint=f"Use it with {use}, or give this one another name.") from exc
        self._parts.record("create", "project", project.id, slug=project.slug, team=owner.slug)
        return project

    def create_example(self, folder: str | Path = EXAMPLE, *, team: str = EXAMPLE_TEAM) -> Project:
        """Write the example agent, which needs no API key, into a folder of yours, and create a project from it.

        Asked again, it returns the project that is there, and leaves the folder as it is.

        Parameters:
            folder: where it is written; ``weather-agent`` in the current folder unless given.
            team: who owns it; created when there is none of that name.

        Raises:
            Conflict: the folder holds something else, or the team has another project of that name.
            SourceError: the folder can't be written.

        Example:
            >>> admin.deploy(admin.projects.create_example())
        """
        path = str(copy_example(folder))
        owner = self._ensure_team(team)
        slug = make_slug(EXAMPLE)
        found = next((item for item in self._parts.storage.projects.list(owner.id) if item.slug == slug), None)
        if found is None or name_source(found) not in {path, str(find_example())}:
            return self.create(owner, source=path, name=EXAMPLE)
        # What `mastra-admin up` deployed is from now on built from the copy, which its owner may change.
        return found if name_source(found) == path else self.relink(found, path)

    def find_source(
        self, source: SourceRef | None = None, *, git: SourceRef | None = None, path: str | None = None
    ) -> SourceProject:
        """Return the source that `create` would take for these parameters, without creating anything."""
        return find_source(self._parts, source, git=git, path=path).project

    def get(self, reference: ProjectRef) -> Project:
        """Return a project by id, slug, name or ``team/project``; `NotFound` names near ones."""
        return self._resolver.project(reference)

    def list(
        self, team: TeamRef | None = None, *, limit: int | None = None, after: Cursor | None = None
    ) -> Sequence[Project]:
        """Return projects of a team, or of all, newest first: all, or a page of ``limit`` ``after`` a place."""
        team_id = self._resolver.team(team).id if team is not None else None
        return self._parts.storage.projects.list(team_id, limit=limit, after=after)

    def frame(self, team: TeamRef | None = None) -> pd.DataFrame:
        """Return a row a project of a team, or of all, newest first: columns of `columns.PROJECT_COLUMNS`."""
        return frame_projects(self._parts.storage, self.list(team))

    def update(self, project: ProjectRef, *, name: str | None = None, default_branch: str | None = None) -> Project:
        """Rename a project, or choose another default branch; its slug stays, and with it every address.

        Parameters:
            project: which one.
            name: for people; as it was unless given.
            default_branch: what is deployed unless a branch is named; production on it also answers without a branch
                in its address, from its next deploy or restart on. As it was unless given.

        Raises:
            NotFound: there is no such project.
            InvalidInput: that can't be a name or a branch.
        """
        found = self._resolver.project(project)
        wanted = {
            "name": check_name(name, "project") if name is not None else found.name,
            "default_branch": check_text(default_branch, "branch", 250)
            if default_branch is not None
            else found.default_branch,
        }
        changes = {field: value for field, value in wanted.items() if value != getattr(found, field)}
        if not changes:
            return found
        changed = self._parts.storage.projects.update(found.id, **changes)
        self._parts.record("change", "project", found.id, slug=found.slug, **changes)
        return changed

    def relink(
        self,
        project: ProjectRef,
        source: SourceRef | None = None,
        *,
        git: SourceRef | None = None,
        path: str | None = None,
        submodules: bool = False,
    ) -> Project:
        """Tie a project to another source, such as a folder that was moved; parameters as of `create`."""
        found = find_source(self._parts, source, git=git, path=path, submodules=submodules)
        linked = self._parts.storage.projects.update(
            self._resolver.project(project).id, source_type=found.type, source_config=found.config
        )
        self._parts.record("relink", "project", linked.id, slug=linked.slug, source=name_source(linked))
        return linked

    def create_webhook(self, project: ProjectRef) -> Webhook:
        """Let pushes to its repository deploy a project: the same as ``admin.webhooks.create``."""
        return WebhookService(self._parts, self._resolver, self._deployments).create(project)

    def set_env(
        self,
        project: ProjectRef,
        variables: Mapping[str, str | None] | None = None,
        *,
        secret: bool = True,
        **more: Any,
    ) -> Project:
        """Set environment variables, or remove those whose value is ``None``; they apply from the next build on.

        Parameters:
            project: which one.
            variables: names and values.
            secret: secret values are hidden everywhere and kept from ``mastra build``.
            more: further variables as keyword arguments.

        Example:
            >>> admin.projects.set_env("weather-agent", {"OPENAI_API_KEY": "…"})
        """
        wanted = {**(variables or {}), **more}
        return self._environment.change(self._resolver.project(project), wanted, secret=secret)

    def import_env(
        self,
        project: ProjectRef,
        path: str | Path,
        *,
        secret: bool = True,
        only: Iterable[str] | None = None,
        prefix: str = "",
    ) -> ImportedEnv:
        """Set the variables of a ``.env`` file; they apply from the next build on.

        Parameters:
            project: which one.
            path: the file. A name alone, such as ``.env.production``, is looked for in the project's own folder, then
                in the current one; `list_env_files` lists what the project has.
            secret: whether they are secret.
            only: names of those that are wanted; all unless given.
            prefix: what the names have to begin with.

        Returns:
            The file, the names that were set, and those that were skipped since MastraAdmin sets them; never a value.

        Raises:
            NotFound: there is no such file.
            InvalidInput: it can't be read as a ``.env`` file, or has none of what is wanted.

        Example:
            >>> admin.projects.import_env("weather-agent", ".env", only=["OPENAI_API_KEY"])
        """
        return self._environment.import_file(
            self._resolver.project(project), path, secret=secret, only=only, prefix=prefix
        )

    def list_env(self, project: ProjectRef) -> Mapping[str, str]:
        """Return the variables by name; secret values read ``***``."""
        return self._environment.show(self._resolver.project(project))

    def list_env_files(self, project: ProjectRef) -> Sequence[str]:
        """Return the names of the ``.env*`` files in the project's folder, which `import_env` takes."""
        return self._environment.list_files(self._resolver.project(project))

    def env_versions(self, project: ProjectRef) -> pd.DataFrame:
        """Return the versions of a project's variables, newest first.

        Returns:
            Columns of `versions.VERSION_COLUMNS`: ``version``, ``changed_at`` (UTC), ``actor``, ``changed``, and
            ``keys``, the names that it had. No values.
        """
        return self._environment.list_versions(self._resolver.project(project))

    def diff_env(self, project: ProjectRef, before: int | str, after: int | str) -> pd.DataFrame:
        """Return which variables two versions of a project differ in.

        Returns:
            Columns ``key``, ``change`` (``added``, ``removed``, ``changed``) and ``is_secret``. No values.
        """
        return self._environment.diff_versions(self._resolver.project(project), before, after)

    def delete(self, project: ProjectRef) -> None:
        """Delete a project: builds are cancelled, servers stopped, routes, ports and artifacts freed."""
        found = self._resolver.project(project)
        name = self._parts.names.find("project", found.id)
        for deployment in self._parts.storage.deployments.list(found.id):
            self._deployments.delete(deployment)
        self._parts.storage.projects.delete(found.id)
        self._parts.record("delete", "project", found.id, slug=found.slug, object=name)

    def _ensure_team(self, name: str) -> Team:
        try:
            return self._resolver.team(name)
        except NotFound:
            return TeamService(self._parts, self._resolver, self).create(name)


def check_name(name: str, kind: str) -> str:
    """Return a name without surrounding blanks, or raise `InvalidInput` when it can't be one."""
    return check_text(name, kind, 200)
