"""What happens to one claimed build, from queue to its end."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from mastra_admin_sdk.errors import BuildCancelled, BuildError, Conflict, HomeError, LeaseLost, MastraAdminError
from mastra_admin_sdk.linelog import LineLog
from mastra_admin_sdk.models import (
    Artifact,
    Build,
    BuildKind,
    BuildRequest,
    BuildStatus,
    Deployment,
    DeploymentStatus,
    DesiredState,
    Process,
    ProcessStatus,
    Project,
)
from mastra_admin_sdk.ports.runner import CancelCheck
from mastra_admin_sdk.redaction import Redactor

from .folders import remove_tree
from .live import LaunchContext, PathToLive, lock_name
from .parts import Parts
from .secrets import merge_env, open_env

logger = logging.getLogger(__name__)

ACTIVE = (BuildStatus.BUILDING, BuildStatus.DEPLOYING)
_LOCK_TIMEOUT = 180.0


class PhaseClock:
    """Measures the phases of a build and keeps the record up to date while they run."""

    def __init__(self, save: Callable[[dict[str, float]], None], log: LineLog) -> None:
        self._save, self._log = save, log
        self.seconds: dict[str, float] = {}
        self._current: str | None = None
        self._since = time.monotonic()

    def enter(self, phase: str) -> None:
        """End the phase before and start another; the same one again goes on."""
        if phase != self._current:
            self.finish()
            self._current, self._since = phase, time.monotonic()
            self.seconds.setdefault(phase, 0.0)
            self._log.write(f"── {phase}", stream="info")
            self._save(dict(self.seconds))

    def finish(self) -> None:
        """End the phase that runs."""
        if self._current:
            self.seconds[self._current] = round(self.seconds[self._current] + time.monotonic() - self._since, 3)
            self._current = None


class Pipeline:
    """Runs claimed builds. One object serves a whole process."""

    def __init__(self, parts: Parts, path: PathToLive) -> None:
        self._parts, self._path = parts, path

    def run(self, build: Build, cancel: CancelCheck) -> Build:
        """Take a claimed build to its end and return its final record.

        Failures end on the record, not in the caller, except `LeaseLost`: then the build is somebody else's and
        nothing more is written to it.
        """
        deployment = self._parts.storage.deployments.get(build.deployment_id)
        project = self._parts.storage.projects.get(deployment.project_id)
        build = self._freeze_env(build, project, deployment)
        _, _, redact = open_env(self._parts.secrets, build.env_snapshot)
        with LineLog(Path(build.log_path or self._default_log(build)), Redactor(redact)) as log:
            clock = PhaseClock(lambda seconds: self._save_phases(build, seconds), log)
            try:
                return self._run(build, project, deployment, log, cancel, clock)
            except LeaseLost:
                log.write("Another worker has taken this build over", stream="info")
                raise
            except Exception as exc:
                return self._fail(build, exc, log, clock)
            finally:
                remove_tree(self._workspace(build))

    def finish(self, build: Build, process: Process, phases: dict[str, float] | None = None) -> Build:
        """Record that a build is what a deployment serves now."""
        deployment = self._parts.storage.deployments.get(build.deployment_id)
        project = self._parts.storage.projects.get(deployment.project_id)
        if deployment.current_build_id != build.id:
            self._parts.storage.deployments.update(
                deployment.id,
                previous_build_id=deployment.current_build_id,
                current_build_id=build.id,
                public_url=self._parts.router.make_url(self._path.list_hosts(project, deployment)[0]),
            )
        self._parts.storage.deployments.transition(
            deployment.id, DeploymentStatus.RUNNING, expected=tuple(DeploymentStatus), status_reason=None
        )
        self._parts.record("live", "deployment", deployment.id, build=build.number, port=process.port)
        changes = {"phases": phases} if phases is not None else {}
        return self._parts.storage.builds.transition(
            build.id, BuildStatus.SUCCEEDED, expected=ACTIVE, generation=build.generation, **changes
        )

    def settle_deployment(self, deployment_id: str, reason: str) -> None:
        """After a build that didn't make it: the deployment is what still serves, or it is failed."""
        deployment = self._parts.storage.deployments.get(deployment_id)
        if any(item.status is ProcessStatus.RUNNING for item in self._path.list_alive(deployment_id)):
            to = DeploymentStatus.RUNNING
        elif deployment.desired_state is DesiredState.STOPPED:
            to = DeploymentStatus.STOPPED
        else:
            to = DeploymentStatus.FAILED
        with suppress(Conflict):  # a newer change of its state was first
            self._parts.storage.deployments.transition(
                deployment_id, to, expected=[deployment.status], status_reason=reason
            )

    # --- steps --------------------------------------------------------------------------------------------------------

    def _run(
        self,
        build: Build,
        project: Project,
        deployment: Deployment,
        log: LineLog,
        cancel: CancelCheck,
        clock: PhaseClock,
    ) -> Build:
        self._mark_building(deployment)
        title = f"{project.slug} on {deployment.branch}"
        log.write(f"{build.kind.capitalize()} #{build.number} of {title} ({build.trigger})", stream="info")
        artifact, build = self._prepare_artifact(build, project, log, cancel, clock)
        build = self._parts.storage.builds.transition(
            build.id, BuildStatus.DEPLOYING, expected=[BuildStatus.BUILDING], generation=build.generation
        )
        with self._parts.leases.hold(lock_name(deployment.id), timeout=_LOCK_TIMEOUT, what=title) as lock:

            def check() -> None:
                lock.check()
                cancel()

            deployment = self._parts.storage.deployments.get(deployment.id)
            if deployment.desired_state is DesiredState.STOPPED:
                raise BuildCancelled(f"The deployment {title} was stopped meanwhile.")
            context = LaunchContext(project, deployment, build, artifact, log, check, clock.enter)
            process = self._path.go_live(context)
            clock.finish()
            log.write(f"Done in {sum(clock.seconds.values()):.1f} s", stream="info")
            return self.finish(build, process, clock.seconds)

    def _mark_building(self, deployment: Deployment) -> None:
        expected = (DeploymentStatus.PENDING, DeploymentStatus.STOPPED, DeploymentStatus.FAILED)
        with suppress(Conflict):  # what serves stays running while its next build is made
            self._parts.storage.deployments.transition(deployment.id, DeploymentStatus.BUILDING, expected=expected)

    def _prepare_artifact(
        self, build: Build, project: Project, log: LineLog, cancel: CancelCheck, clock: PhaseClock
    ) -> tuple[Artifact, Build]:
        if build.artifact_build_id and build.artifact_build_id != build.id:
            kept = self._parts.storage.builds.get(build.artifact_build_id)
            log.write(f"Using the kept artifact of build #{kept.number}", stream="info")
            return self._parts.runner.load_artifact(kept.artifact), build
        if build.artifact:
            log.write("Using the artifact that was finished before the interruption", stream="info")
            return self._parts.runner.load_artifact(build.artifact), build
        return self._build(build, project, log, cancel, clock)

    def _build(
        self, build: Build, project: Project, log: LineLog, cancel: CancelCheck, clock: PhaseClock
    ) -> tuple[Artifact, Build]:
        self._check_space()
        artifact_dir = self._parts.home.artifacts / build.id
        workspace = self._workspace(build)
        for leftover in (workspace, artifact_dir):
            remove_tree(leftover)
        clock.enter("copy")
        source = self._parts.source.get_project(str(project.source_config.get("path") or project.name))
        self._parts.source.validate_access(source)
        copy = self._parts.source.copy(source, workspace)
        log.write(f"Copied {copy.files} files ({copy.bytes / 1e6:.1f} MB) from {source.path}", stream="info")
        for item in copy.skipped:
            log.write(f"Left out {item.path}: {item.reason}", stream="info")
        _, plain, redact = open_env(self._parts.secrets, build.env_snapshot)
        request = BuildRequest(build.id, copy.project, copy.path, artifact_dir, plain, redact)
        artifact = self._parts.runner.build(request, log, cancel, clock.enter)
        record = self._parts.runner.dump_artifact(artifact)
        build = self._parts.storage.builds.update(
            build.id,
            generation=build.generation,
            artifact=record,
            artifact_build_id=build.id,
            source_hash=copy.hash,
            commit=source.git_commit,
            notes=artifact.notes,
        )
        return artifact, build

    def _check_space(self) -> None:
        free = shutil.disk_usage(self._parts.home.path).free // 1_000_000
        if free < self._parts.settings.min_free_mb:
            raise HomeError(
                f"Only {free} MB are free on the disk of {self._parts.home.path}; a build needs "
                f"{self._parts.settings.min_free_mb} MB.",
                hint="Free some space, or lower MASTRA_ADMIN_MIN_FREE_MB.",
            )

    # --- ends ---------------------------------------------------------------------------------------------------------

    def _fail(self, build: Build, exc: Exception, log: LineLog, clock: PhaseClock) -> Build:
        clock.finish()
        if not isinstance(exc, MastraAdminError):
            logger.exception("Build %s failed on an error of MastraAdmin itself", build.id, exc_info=exc)
            exc = BuildError(
                f"MastraAdmin itself failed: {type(exc).__name__}: {exc}", hint="Please report this with the log."
            )
        cancelled = isinstance(exc, BuildCancelled)
        log.write(f"{'Cancelled' if cancelled else 'Failed'}: {exc.message}", stream="info")
        ended = self._parts.storage.builds.transition(
            build.id,
            BuildStatus.CANCELLED if cancelled else BuildStatus.FAILED,
            expected=ACTIVE,
            generation=build.generation,
            phases=clock.seconds,
            error_message=exc.message,
            error=describe_error(exc),
        )
        if not ended.artifact:
            remove_tree(self._parts.home.artifacts / build.id)
        reason = f"Build #{build.number} {'was cancelled' if cancelled else 'failed'}: {exc.message}"
        self.settle_deployment(build.deployment_id, reason)
        self._parts.record(ended.status.value, "build", build.id, number=build.number, message=exc.message)
        return ended

    # --- records ------------------------------------------------------------------------------------------------------

    def _freeze_env(self, build: Build, project: Project, deployment: Deployment) -> Build:
        """Record the environment that this build runs with; a rollback brings that of the build it goes back to."""
        if build.kind is BuildKind.ROLLBACK or build.env_version is not None:
            return build
        merged = merge_env(project.env_vars, deployment.env_overrides)
        version = f"{project.env_version}.{deployment.env_version}"
        self._parts.storage.builds.update(
            build.id, generation=build.generation, env_snapshot=merged, env_version=version
        )
        return replace(build, env_snapshot=merged, env_version=version)

    def _save_phases(self, build: Build, seconds: dict[str, float]) -> None:
        self._parts.storage.builds.update(build.id, generation=build.generation, phases=seconds)

    def _workspace(self, build: Build) -> Path:
        return self._parts.home.workspaces / build.id

    def _default_log(self, build: Build) -> Path:
        return self._parts.home.build_logs / f"{build.id}.log"


def describe_error(error: MastraAdminError) -> dict[str, object]:
    """Return an error as JSON, in the one shape that records, the command line and the panel use."""
    return {"code": error.code, "message": error.message, "hint": error.hint, "details": error.evidence}
