"""From a claimed build to an artifact: the source is copied, and built unless the same was built before."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from mastra_admin_sdk.errors import BuildError, MastraAdminError, NotFound, PhaseTimeout
from mastra_admin_sdk.folders import remove_tree
from mastra_admin_sdk.models import Artifact, Build, BuildRequest, BuildStatus, Project, SourceType
from mastra_admin_sdk.ports.checks import CancelCheck
from mastra_admin_sdk.ports.runner import LogSink
from mastra_admin_sdk.ports.source import SourceCopy
from mastra_admin_sdk.services.environment.secrets import open_env
from mastra_admin_sdk.services.keeping.retention import Retention
from mastra_admin_sdk.services.parts import Parts

from .artifacts import get_owner_id, hold_artifacts
from .manifests import ManifestKeeper
from .phases import PhaseClock
from .workspaces import Trash, Workspaces

logger = logging.getLogger(__name__)

_MB = 1_000_000
_STATES = ("dependencies", "output", "artifact")
_SIZES = {"bytes": "artifact_bytes", "files": "artifact_files"}


@dataclass(frozen=True, slots=True)
class Work:
    """A build that is made: for which project, where its words go, and who may end it."""

    build: Build
    project: Project
    log: LogSink
    cancel: CancelCheck
    clock: PhaseClock


class Making:
    """Makes artifacts. What needn't be done before a build is live waits for `finish`."""

    def __init__(self, parts: Parts, retention: Retention, manifests: ManifestKeeper) -> None:
        self._parts, self._retention, self._manifests = parts, retention, manifests
        self._workspaces = Workspaces(parts.home)
        self._trash: dict[str, Trash] = {}

    def make(self, work: Work) -> tuple[Artifact, Build]:
        """Return the artifact that a build is to run, and its record, on which all of it stands.

        Raises:
            BuildError, SourceError, HomeError: there is none.
        """
        self._retention.ensure_room(work.log, work.cancel)
        self.remove_artifact(work.build)
        self._discard(work.build)  # of an earlier attempt
        try:
            return self._make(work)
        finally:
            self._discard(work.build)

    def finish(self, build: Build, *, succeeded: bool) -> None:
        """Do what nobody waits for: keep what was installed, remove the workspace, keep the cache within its size."""
        trash = self._trash.pop(build.id, None)
        if trash is not None:
            try:
                self._parts.runner.settle_build(build.id, trash.path, succeeded=succeeded)
            except (MastraAdminError, OSError) as exc:
                # The build is live or has failed, whatever becomes of what it leaves.
                logger.warning("What build %s installed could not be kept: %s", build.id, exc)
            trash.close()
        try:
            self._workspaces.sweep()
            if succeeded and trash is not None and self._parts.settings.build_cache:
                self._parts.runner.trim_cache(int(self._parts.settings.cache_max_mb) * _MB)
        except (MastraAdminError, OSError, TimeoutError) as exc:
            logger.warning("The build cache could not be tidied yet: %s", exc)

    def remove_artifact(self, build: Build) -> None:
        """Remove what a build made, finished or not."""
        for path in self._parts.home.artifacts.glob(f"{build.id}*"):
            remove_tree(path)

    # --- steps --------------------------------------------------------------------------------------------------------

    def _make(self, work: Work) -> tuple[Artifact, Build]:
        copy = self._copy(work)
        _, plain, redact = open_env(self._parts.secrets, work.build.env_snapshot)
        work = self._note_source(work, copy, self._make_key(copy, plain))
        reused = self._reuse(work) if self._may_reuse(work.build) else None
        if reused:
            return reused
        artifact_dir = self._parts.home.artifacts / work.build.id
        request = BuildRequest(
            work.build.id, copy.project, copy.path, artifact_dir, plain, redact, copy.subdir, work.build.fresh
        )
        artifact = self._parts.runner.build(request, work.log, work.cancel, work.clock.enter)
        state = "miss" if self._parts.settings.build_cache else "off"
        build = self._parts.storage.builds.update(
            work.build.id,
            generation=work.build.generation,
            artifact=self._parts.runner.dump_artifact(artifact),
            artifact_build_id=work.build.id,
            notes=artifact.notes,
            stats={**work.build.stats, **_name_stats(artifact.stats), "artifact": state},
        )
        self._manifests.keep_inputs(build, copy.entries, artifact, work.log)
        return artifact, build

    def _copy(self, work: Work) -> SourceCopy:
        work.clock.enter("copy")
        source = self._parts.source_of(work.project)
        check = _limit(work.cancel, float(self._parts.settings.copy_timeout))
        target = self._workspaces.locate(work.build)
        copy = source.fetch(work.project.source_config, work.build.ref, target, check)
        size = f"{copy.files} files ({copy.bytes / 1e6:.1f} MB)"
        at = f" at {work.build.ref} ({copy.project.git_commit})" if work.project.source_type is SourceType.GIT else ""
        work.log.write(f"Copied {size} from {copy.project.path}{at}", stream="info")
        for item in copy.skipped:
            work.log.write(f"Left out {item.path}: {item.reason}", stream="info")
        return copy

    def _note_source(self, work: Work, copy: SourceCopy, key: str) -> Work:
        """Record what was copied, also for a build that is about to fail."""
        build = self._parts.storage.builds.update(
            work.build.id,
            generation=work.build.generation,
            source_hash=copy.hash,
            commit=copy.project.git_commit,
            cache_key=key,
            stats={**work.build.stats, "source_files": copy.files, "source_bytes": copy.bytes},
        )
        return replace(work, build=build)

    def _make_key(self, copy: SourceCopy, plain: Mapping[str, str]) -> str:
        """Return what stands for all that goes into an artifact. Secrets don't: no build sees them."""
        # Read from the copy: a repository's project lies nowhere else, and a folder may have changed since.
        root = str(copy.path) if copy.subdir else None
        here = replace(copy.project, path=str(copy.path / copy.subdir), workspace_root=root)
        fingerprint = self._parts.runner.read_fingerprint(here)
        parts = [copy.hash, copy.subdir, fingerprint, sorted(plain.items())]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    # --- reuse --------------------------------------------------------------------------------------------------------

    def _may_reuse(self, build: Build) -> bool:
        return bool(self._parts.settings.build_cache) and not build.fresh

    def _reuse(self, work: Work) -> tuple[Artifact, Build] | None:
        """Run what an earlier build of the same made, if that is still there."""
        with hold_artifacts(self._parts):
            found = self._find_equal(work.project, work.build.cache_key or "")
            if found is None:
                return None
            owner, artifact = found
            text = f"Nothing changed since build #{owner.number}: using its artifact"
            work.log.write(text, stream="info")
            build = self._parts.storage.builds.update(
                work.build.id,
                generation=work.build.generation,
                artifact_build_id=owner.id,
                notes=(f"{text}.", *artifact.notes),
                stats={**work.build.stats, **_pick_sizes(owner.stats), **dict.fromkeys(_STATES, "reused")},
            )
        self._manifests.keep_reused(build, work.log)
        return artifact, build

    def _find_equal(self, project: Project, key: str) -> tuple[Build, Artifact] | None:
        """Return the newest build of a project that made or ran an equal artifact, with that artifact."""
        storage = self._parts.storage
        deployments = {item.id for item in storage.deployments.list(project.id)}
        for build in storage.builds.list(statuses=[BuildStatus.SUCCEEDED], cache_key=key):
            if build.deployment_id not in deployments:
                continue
            try:
                owner = storage.builds.get(get_owner_id(build))
                return owner, self._parts.runner.load_artifact(owner.artifact)
            except (NotFound, BuildError):
                logger.debug("The artifact that build %s ran is gone", build.id)
        return None

    def _discard(self, build: Build) -> None:
        trash = self._workspaces.discard(build)
        if trash is not None:
            self._drop(build.id)
            self._trash[build.id] = trash

    def _drop(self, build_id: str) -> None:
        former = self._trash.pop(build_id, None)
        if former is not None:
            former.close()


def _name_stats(stats: Mapping[str, Any]) -> dict[str, Any]:
    return {_SIZES.get(name, name): value for name, value in stats.items()}


def _pick_sizes(stats: Mapping[str, Any]) -> dict[str, Any]:
    return {name: stats[name] for name in _SIZES.values() if name in stats}


def _limit(cancel: CancelCheck, seconds: float) -> CancelCheck:
    """Return a check that also ends what takes longer than a phase may."""
    deadline = time.monotonic() + seconds

    def check() -> None:
        cancel()
        if time.monotonic() > deadline:
            raise PhaseTimeout(
                f"Copying the source was ended: the phase copy may take {seconds:g} s.",
                hint="Raise MASTRA_ADMIN_COPY_TIMEOUT if it only needs longer, or leave out what no build needs.",
                evidence={"seconds": seconds},
            )

    return check
