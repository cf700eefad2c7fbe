"""Watching: deployments that are deployed again whenever their source changes.

What was deployed last is known from the build records, so that a restart of the process neither deploys again what is
live already nor misses what changed while nothing ran.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mastra_admin_sdk.errors import MastraAdminError, NotFound
from mastra_admin_sdk.folders import remove_tree
from mastra_admin_sdk.home import Home
from mastra_admin_sdk.models import (
    Build,
    BuildKind,
    BuildStatus,
    BuildTrigger,
    Deployment,
    DesiredState,
    Project,
    SourceType,
)
from mastra_admin_sdk.services.actors import Origin, acting
from mastra_admin_sdk.services.deployments.service import DeploymentService
from mastra_admin_sdk.services.leases import HeldLease
from mastra_admin_sdk.services.parts import Parts

logger = logging.getLogger(__name__)

ROLE = "watcher"
"""Looks at folders of this machine."""
REMOTE_ROLE = "poller"
"""Looks at repositories, one of which may keep it waiting."""
_LOOK_SECONDS = 1.0
_PENDING_SECONDS = 2.0
_LONGEST_PAUSE = 300.0
_RECENT = 50


def set_watch(parts: Parts, deployment: Deployment, enabled: bool) -> Deployment:
    """Switch the watching of a deployment's source on or off."""
    if deployment.watch == enabled:
        return deployment
    parts.record("watch" if enabled else "unwatch", "deployment", deployment.id, slug=deployment.slug)
    return parts.storage.deployments.update(deployment.id, watch=enabled)


def read_watch_errors(home: Home, roles: Iterable[str] = (ROLE, REMOTE_ROLE)) -> Mapping[str, str]:
    """Return why the sources of watched deployments can't be read at the moment, by deployment id.

    ``roles`` are those whose holders live: what others wrote may be over.
    """
    errors: dict[str, str] = {}
    for role in roles:
        try:
            found = json.loads(_error_file(home, role).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue  # nobody has written any, or somebody else wrote into it
        if isinstance(found, dict):
            errors |= {str(key): str(value) for key, value in found.items()}
    return errors


@dataclass(slots=True)
class _Watched:
    """What is known of one source: the revision that was dealt with, and one that waits for quiet."""

    revision: str | None = None
    candidate: str | None = None
    since: float = 0.0
    next_look: float = 0.0
    failures: int = 0
    error: str | None = None


class Watcher:
    """Looks at watched sources and queues builds. ``run_once`` is called about once a second by the role's holder.

    Parameters:
        parts, deployments: what it works with.
        role: the role it is for, which says at which sources it looks.
        clock: seconds that only go forward.
    """

    def __init__(
        self,
        parts: Parts,
        deployments: DeploymentService,
        role: str = ROLE,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._parts, self._deployments, self._role, self._clock = parts, deployments, role, clock
        self._watched: dict[str, _Watched] = {}
        self._told: dict[str, str] | None = None

    def run_once(self, role: HeldLease, *, stopping: Callable[[], bool] = lambda: False) -> None:
        """One pass over all watched deployments; those that are stopped are left alone.

        Raises:
            LeaseLost: another process has the role by now.
        """
        projects = {item.id for item in self._parts.storage.projects.list() if _is_local(item) == (self._role == ROLE)}
        watched = [item for item in self._parts.storage.deployments.list() if _is_watched(item)]
        found = [item for item in watched if item.project_id in projects]
        self._watched = {item.id: self._watched.get(item.id, _Watched()) for item in found}
        for deployment in found:
            role.check()
            if stopping():
                return
            if self._clock() >= self._watched[deployment.id].next_look:
                self._look_at(deployment, self._watched[deployment.id])
        self._tell_errors()

    def _look_at(self, deployment: Deployment, state: _Watched) -> None:
        try:
            project = self._parts.storage.projects.get(deployment.project_id)
            source = self._parts.source_of(project)
            revision = source.read_revision(project.source_config, deployment.branch)
            self._consider(project, deployment, state, revision)
        except NotFound as exc:
            if not self._exists(deployment):
                return
            self._note_failure(deployment, state, exc)
        except MastraAdminError as exc:
            self._note_failure(deployment, state, exc)
        else:
            if state.error:
                logger.info("The source of deployment %s can be read again", deployment.slug)
            state.error, state.failures = None, 0
            pause = _PENDING_SECONDS if state.candidate else float(self._parts.settings.git_poll_seconds)
            state.next_look = self._clock() + (_LOOK_SECONDS / 2 if _is_local(project) else pause)

    def _consider(self, project: Project, deployment: Deployment, state: _Watched, revision: str) -> None:
        """Queue a build if a revision is new, has been quiet for long enough, and no build has it."""
        now = self._clock()
        if revision == state.revision:
            state.candidate = None
            return
        if revision != state.candidate:
            state.candidate, state.since = revision, now
        # A commit is whole at once; files of a folder are written one after another.
        quiet = float(self._parts.settings.watch_debounce) if _is_local(project) else 0.0
        if now - state.since < quiet:
            return
        has_it = self._is_built(project, deployment, revision)
        if has_it is None:
            return
        if not has_it:
            with acting(origin=Origin.WATCH):
                self._deployments.deploy(deployment, trigger=BuildTrigger.WATCH, revive=False)
        state.revision, state.candidate = revision, None

    def _is_built(self, project: Project, deployment: Deployment, revision: str) -> bool | None:
        """Whether the newest deploy has this revision, however it ended; ``None`` while it is being copied."""
        newest = self._find_newest(deployment)
        if newest is None:
            return False
        if newest.status is BuildStatus.QUEUED or revision in (newest.commit, newest.source_hash):
            return True
        if not _is_local(project):
            return None if not newest.commit and not newest.is_final else False
        if newest.source_hash is None:
            return False if newest.is_final else None
        return newest.source_hash == self._hash_source(project, deployment)

    def _find_newest(self, deployment: Deployment) -> Build | None:
        """The newest deploy of the branch that took the source, or will."""
        for build in self._parts.storage.builds.list(deployment.id, limit=_RECENT):
            ended_before = build.status in (BuildStatus.SUPERSEDED, BuildStatus.CANCELLED) and not build.source_hash
            is_of_branch = build.ref in (None, deployment.branch)  # another tag or commit was asked for by hand
            if build.kind is BuildKind.DEPLOY and is_of_branch and not ended_before:
                return build
        return None

    def _hash_source(self, project: Project, deployment: Deployment) -> str:
        """Return the hash of what a build would copy: times of files change without that."""
        folder = self._parts.home.workspaces / f"watch-{deployment.id}"
        remove_tree(folder)
        try:
            return self._parts.source_of(project).fetch(project.source_config, deployment.branch, folder).hash
        finally:
            remove_tree(folder)

    # --- failures -----------------------------------------------------------------------------------------------------

    def _note_failure(self, deployment: Deployment, state: _Watched, error: MastraAdminError) -> None:
        if state.error is None:
            logger.warning("The source of the watched deployment %s can't be read: %s", deployment.slug, error.message)
        state.error = error.message
        state.next_look = self._clock() + min(_LONGEST_PAUSE, _LOOK_SECONDS * 2**state.failures)
        state.failures = min(state.failures + 1, 10)

    def _tell_errors(self) -> None:
        """Write what can't be read where other processes see it, when that has changed."""
        errors = {key: state.error for key, state in self._watched.items() if state.error}
        if errors == self._told:
            return
        path = _error_file(self._parts.home, self._role)
        temporary = path.with_name(f"{path.name}.{os.getpid()}")
        try:
            temporary.write_text(json.dumps(errors), encoding="utf-8")
            temporary.replace(path)
            self._told = errors
        except OSError as exc:
            logger.warning("%s can't be written: %s", path, exc.strerror or exc)

    def _exists(self, deployment: Deployment) -> bool:
        try:
            return self._parts.storage.deployments.get(deployment.id) is not None
        except NotFound:
            return False


def _is_watched(deployment: Deployment) -> bool:
    return deployment.watch and deployment.desired_state is DesiredState.RUNNING


def _is_local(project: Project) -> bool:
    return project.source_type is SourceType.LOCAL


def _error_file(home: Home, role: str) -> Path:
    return home.run / f"{role}-errors.json"
