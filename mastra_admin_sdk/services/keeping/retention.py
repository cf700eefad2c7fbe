"""Retention: what is kept of each deployment, and making room on the disk.

Artifacts beyond those that are kept, logs that are too old, and what interrupted work has left are removed: after each
deploy for its project, by the janitor for all, when a build finds the disk full, and when somebody asks (`collect`).

An artifact first goes from its build's record, then its folder gets another name, then it is deleted: killed in
between, the next collection finds what is left. No build that names it can come meanwhile (`artifacts.hold_artifacts`).
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path

from mastra_admin_sdk.display.text import format_bytes
from mastra_admin_sdk.errors import HomeError, InvalidInput, MastraAdminError, NotFound, StorageError
from mastra_admin_sdk.folders import remove_tree
from mastra_admin_sdk.models import Build, Deployment, ProcessStatus, Removal
from mastra_admin_sdk.ports.checks import CancelCheck
from mastra_admin_sdk.ports.runner import LogSink
from mastra_admin_sdk.services.builds.artifacts import Doomed, hold_artifacts, list_doomed
from mastra_admin_sdk.services.builds.workspaces import Workspaces
from mastra_admin_sdk.services.parts import Parts

from .leftovers import Leftover, find_folders, find_logs, find_old_processes
from .removals import DiskMeter, Removals

logger = logging.getLogger(__name__)

MB = 1_000_000
MOST_KEPT = 10_000

_BATCH = 50

_ALIVE = tuple(status for status in ProcessStatus if status.is_alive)


class Retention:
    """Removes what is no longer kept. It works on records and files alone, in any process of the home."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def set_keep(self, deployment: Deployment, keep: int | None) -> Deployment:
        """Choose how many artifacts of a deployment are kept besides those in use; ``None``: as the setting says."""
        whole = keep is None or (isinstance(keep, int) and not isinstance(keep, bool))
        if not whole or not 0 <= (keep or 0) <= MOST_KEPT:
            raise InvalidInput(f"{keep!r} artifacts can't be kept.", hint=f"Give a number from 0 to {MOST_KEPT}.")
        changed = self._parts.storage.deployments.update(deployment.id, keep_builds=keep)
        self._parts.record("set_retention", "deployment", deployment.id, keep=keep)
        return changed

    def collect(self, *, dry_run: bool = False, check: CancelCheck = lambda: None) -> Removals:
        """Remove all that isn't kept, in the whole home, and return what that was.

        Parameters:
            dry_run: remove nothing; return what would be.
            check: called between two removals; what it raises ends the collection.
        """
        # What has gone is no longer counted; what only would go has to be remembered.
        meter = DiskMeter() if dry_run else None
        try:
            found = self._remove_all_artifacts(dry_run=dry_run, check=check, meter=meter)
        except StorageError:
            if dry_run:
                raise
            # A disk that is full takes no record: what goes without one makes room for that.
            freed = self._remove_files(dry_run=False, check=check, meter=meter)
            if not freed:
                raise
            found = freed + self._remove_all_artifacts(dry_run=dry_run, check=check, meter=meter)
        found += self._remove_files(dry_run=dry_run, check=check, meter=meter)
        found += self._forget_processes(dry_run=dry_run)
        if found and not dry_run:
            self._parts.record("gc", "home", str(self._parts.home.path), removed=len(found), bytes=found.bytes)
        return found

    def tidy(self, deployment_id: str) -> Removals:
        """Remove what a deployment, and others of its project, no longer keep, after a deploy of it.

        Failures are logged, not raised.
        """
        try:
            deployment = self._parts.storage.deployments.get(deployment_id)
            owned = [build for build in self._parts.storage.builds.list(deployment_id) if build.artifact]
            if len(owned) <= self._count_kept(deployment):
                return Removals()
            return self._remove_artifacts(self._count_kept, project_id=deployment.project_id)
        except (MastraAdminError, OSError) as exc:
            # The deploy has succeeded, whatever becomes of older ones: the janitor tries it again.
            logger.warning("Old artifacts of deployment %s could not be removed yet: %s", deployment_id, exc)
            return Removals()

    def ensure_room(self, log: LogSink, check: CancelCheck) -> None:
        """See that a build finds the free space that the setting wants, removing what can be spared.

        Raises:
            HomeError: there isn't enough, whatever is removed.
        """
        for item in self.make_room(check):
            log.write(f"Removed to make room ({format_bytes(item.bytes)}): {item.what}, {item.path}", stream="info")
        if self._find_shortage():
            wanted, home = self._parts.settings.min_free_mb, self._parts.home.path
            free = shutil.disk_usage(home).free // MB
            raise HomeError(
                f"Only {free} MB are free on the disk of {home}; a build needs {wanted} MB.",
                hint="Free some space, or lower MASTRA_ADMIN_MIN_FREE_MB.",
            )

    def make_room(self, check: CancelCheck = lambda: None) -> Removals:
        """Remove more than usual when less than ``min_free_mb`` is free, as little as brings the disk above it.

        Leftovers go first, then artifacts that can be gone back to, oldest first, down to what each deployment serves
        and served before; then what the build cache wasn't asked for longest.
        """
        found = Removals()
        if not self._find_shortage():
            return found
        found += self._sweep_trash()
        found += self._remove_leftovers(find_folders(self._parts), check=check)
        while self._find_shortage():
            removed = self._remove_artifacts(lambda _: 0, check=check, limit=1)
            if not removed:
                break
            found += removed
        if shortage := self._find_shortage():
            found += self._trim(max(0, self._parts.runner.measure_cache() - shortage))
        if found:
            home = str(self._parts.home.path)
            self._parts.record("make_room", "home", home, removed=len(found), bytes=found.bytes)
        return found

    # --- artifacts ----------------------------------------------------------------------------------------------------

    def _count_kept(self, deployment: Deployment) -> int:
        own = deployment.keep_builds
        return int(self._parts.settings.keep_builds) if own is None else own

    def _remove_all_artifacts(self, *, dry_run: bool, check: CancelCheck, meter: DiskMeter | None) -> Removals:
        """Remove what isn't kept, some at a time: whoever goes back to one that stays needn't wait for all."""
        found = Removals(dry_run=dry_run)
        limit = None if dry_run else _BATCH
        while True:
            removed = self._remove_artifacts(self._count_kept, limit=limit, dry_run=dry_run, check=check, meter=meter)
            found += removed
            if limit is None or len(removed) < limit:
                return found

    def _remove_artifacts(
        self,
        keep: Callable[[Deployment], int],
        *,
        project_id: str | None = None,
        limit: int | None = None,
        dry_run: bool = False,
        check: CancelCheck = lambda: None,
        meter: DiskMeter | None = None,
    ) -> Removals:
        meter = meter or DiskMeter()
        # Nobody has to wait for a list of what would go, and it needs no disk that can be written.
        with nullcontext() if dry_run else hold_artifacts(self._parts):
            doomed = self._list_doomed(keep, project_id)[:limit]
            removals = [self._describe(item, meter) for item in doomed]
            trash = [] if dry_run else [self._take_away(item) for item in doomed]
        problems = [text for path in trash if (text := _try_to_remove([path], check))]
        return Removals(removals, problems=problems, dry_run=dry_run)

    def _list_doomed(self, keep: Callable[[Deployment], int], project_id: str | None) -> list[Doomed]:
        storage = self._parts.storage
        # Servers first: one that starts meanwhile belongs to a build that hasn't ended, or to the current one.
        alive = storage.processes.list(statuses=_ALIVE)
        known = storage.deployments.list(project_id)
        builds = [build for deployment in known for build in storage.builds.list(deployment.id)]
        # What they serve is read after that: a build that has ended by now is served by now.
        deployments = storage.deployments.list(project_id)
        return [item for item in list_doomed(deployments, builds, alive, keep) if self._is_here(item.build)]

    def _is_here(self, build: Build) -> bool:
        """False for an artifact in another home: a database may be shared by several hosts."""
        return Path(str(build.artifact.get("path"))).parent == self._parts.home.artifacts

    def _describe(self, item: Doomed, meter: DiskMeter) -> Removal:
        path = Path(item.build.artifact["path"])
        return Removal(str(path), f"artifact of {self._name(item.build)}", item.reason, meter.measure(path))

    def _name(self, build: Build) -> str:
        try:
            deployment = self._parts.storage.deployments.get(build.deployment_id)
            project = self._parts.storage.projects.get(deployment.project_id)
        except NotFound:  # deleted meanwhile
            return f"build #{build.number}"
        return f"{project.slug}/{deployment.slug} #{build.number}"

    def _take_away(self, item: Doomed) -> Path:
        """Take an artifact from its record and from its place; return where it waits to be deleted."""
        build, path = item.build, Path(item.build.artifact["path"])
        with suppress(NotFound):  # deleted in this moment, with its deployment
            self._parts.storage.builds.update(build.id, artifact={})
        self._parts.record("remove_artifact", "build", build.id, number=build.number, reason=item.reason)
        trash = path.with_name(f"{path.name}.trash")
        try:
            remove_tree(trash)
            path.rename(trash)
        except FileNotFoundError:
            logger.info("The artifact %s was gone already", path)
        except OSError as exc:
            logger.warning("The artifact %s is deleted where it is: %s", path, exc)
            return path
        return trash

    # --- the rest -----------------------------------------------------------------------------------------------------

    def _remove_files(self, *, dry_run: bool, check: CancelCheck, meter: DiskMeter | None) -> Removals:
        """Remove what no record has to be written for."""
        found = Removals(dry_run=dry_run)
        for find in (find_folders, find_logs):
            found += self._remove_leftovers(find(self._parts), dry_run=dry_run, check=check, meter=meter)
        found += Removals() if dry_run else self._sweep_trash()
        return found + self._trim(int(self._parts.settings.cache_max_mb) * MB, dry_run=dry_run)

    def _remove_leftovers(
        self,
        leftovers: Sequence[Leftover],
        *,
        dry_run: bool = False,
        check: CancelCheck = lambda: None,
        meter: DiskMeter | None = None,
    ) -> Removals:
        meter = meter or DiskMeter()
        removals, problems = [], []
        for item in leftovers:
            size = meter.measure(*item.paths)
            problem = None if dry_run else _try_to_remove(item.paths, check)
            if problem:
                problems.append(problem)
            else:
                removals.append(Removal(str(item.paths[0]), item.what, item.reason, size))
        return Removals(removals, problems=problems, dry_run=dry_run)

    def _sweep_trash(self) -> Removals:
        """Remove workspaces whose removal was interrupted; those that a build is about to remove are its own."""
        trash = self._parts.home.cache / "trash"
        before = DiskMeter().measure(trash)
        if not Workspaces(self._parts.home).sweep():
            return Removals()
        freed = max(0, before - DiskMeter().measure(trash))
        return Removals([Removal(str(trash), "workspaces", "their removal was interrupted", freed)])

    def _forget_processes(self, *, dry_run: bool) -> Removals:
        """Remove records of servers that ended long ago: a deployment that crashes for months gathers many."""
        removals = []
        for processes in find_old_processes(self._parts):
            if not dry_run:
                for process in processes:
                    self._parts.storage.processes.delete(process.id)
            days = self._parts.settings.log_days
            what = f"records of {len(processes)} ended servers"
            removals.append(Removal(processes[0].deployment_id, what, f"older than {days} days", 0))
        return Removals(removals, dry_run=dry_run)

    def _trim(self, max_bytes: int, *, dry_run: bool = False) -> Removals:
        try:
            return Removals(self._parts.runner.trim_cache(max_bytes, dry_run=dry_run), dry_run=dry_run)
        except (MastraAdminError, OSError) as exc:
            return Removals(problems=[f"The build cache could not be trimmed: {exc}"], dry_run=dry_run)

    def _find_shortage(self) -> int:
        """Return how many bytes are missing to the free space that the setting wants."""
        free = shutil.disk_usage(self._parts.home.path).free
        return max(0, int(self._parts.settings.min_free_mb) * MB - free)


def _try_to_remove(paths: Iterable[Path], check: CancelCheck) -> str | None:
    """Remove files and folders; return why that failed, if it did: the next collection tries it again."""
    check()
    for path in paths:
        try:
            if path.is_dir() and not path.is_symlink():
                remove_tree(path)
            else:
                path.unlink(missing_ok=True)
        except FileNotFoundError:
            logger.debug("Somebody else removed %s", path)
        except OSError as exc:
            logger.warning("%s could not be removed: %s", path, exc)
            return f"{path} could not be removed: {exc.strerror or exc}"
    return None
