"""What happens to one claimed build, from queue to its end."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from mastra_admin_sdk.errors import BuildCancelled, Conflict, LeaseLost, MastraAdminError, NotFound
from mastra_admin_sdk.linelog import LineLog
from mastra_admin_sdk.models import (
    Artifact,
    Build,
    BuildKind,
    BuildStatus,
    Deployment,
    DeploymentStatus,
    DesiredState,
    Process,
    ProcessStatus,
    Project,
)
from mastra_admin_sdk.ports.checks import CancelCheck
from mastra_admin_sdk.redaction import Redactor
from mastra_admin_sdk.services.deployments.live import PathToLive, lock_name
from mastra_admin_sdk.services.deployments.servers import LaunchContext
from mastra_admin_sdk.services.environment.secrets import open_env
from mastra_admin_sdk.services.environment.service import Environment
from mastra_admin_sdk.services.keeping.retention import Retention
from mastra_admin_sdk.services.parts import Parts

from .failures import describe_error, explain
from .making import Making, Work
from .manifests import ManifestKeeper, remove_manifest
from .phases import PhaseClock

logger = logging.getLogger(__name__)

ACTIVE = (BuildStatus.BUILDING, BuildStatus.DEPLOYING)
REVIVED = "revived"
"""Among the stats of a build: its deployment was stopped when it was asked for."""

_SERVED = (DeploymentStatus.RUNNING, DeploymentStatus.PENDING)
_LOCK_TIMEOUT = 180.0


class Pipeline:
    """Runs claimed builds. One object serves a whole process."""

    def __init__(self, parts: Parts, path: PathToLive) -> None:
        self._parts, self._path = parts, path
        self._retention = Retention(parts)
        self._manifests = ManifestKeeper(parts)
        self._making = Making(parts, self._retention, self._manifests)

    def run(self, build: Build, cancel: CancelCheck) -> Build:
        """Take a claimed build to its end and return its final record.

        Failures end on the record, not in the caller, except `LeaseLost`: then the build is somebody else's and
        nothing more is written to it.
        """
        try:
            return self._run_with_log(build, cancel)
        except Conflict:
            raise
        except Exception as exc:
            # What fails before there is a log to write it to, or in writing to it, has to end the build as well.
            return self.fail(build, explain(exc, Redactor()), {})

    def finish(self, build: Build) -> None:
        """Do what has time until a build has ended and whoever waited for it was told; called once after each `run`."""
        try:
            succeeded = self._parts.storage.builds.get(build.id).status is BuildStatus.SUCCEEDED
        except NotFound:  # deleted meanwhile
            succeeded = False
        self._making.finish(build, succeeded=succeeded)
        if succeeded:
            self._retention.tidy(build.deployment_id)

    def record_live(self, build: Build, process: Process) -> None:
        """Record that a build is what its deployment serves from now on; repeating it changes nothing."""
        deployment = self._parts.storage.deployments.get(build.deployment_id)
        changes: dict[str, object] = {"status_reason": None}
        if deployment.current_build_id != build.id:
            project = self._parts.storage.projects.get(deployment.project_id)
            host = self._path.routes.list_hosts(project, deployment)[0]
            if not self._is_repeated(deployment.current_build_id, build):
                changes["previous_build_id"] = deployment.current_build_id
            changes["current_build_id"] = build.id
            changes["public_url"] = self._parts.router.make_url(host)
        self._parts.storage.deployments.transition(
            deployment.id, DeploymentStatus.RUNNING, expected=tuple(DeploymentStatus), **changes
        )
        self._parts.record("live", "deployment", deployment.id, build=build.number, port=process.port)

    def _is_repeated(self, former_id: str | None, build: Build) -> bool:
        """True when a restart runs the artifact and environment that ran before: going back would change nothing."""
        if former_id is None:
            return False
        former = self._parts.storage.builds.get(former_id)
        return (former.artifact_build_id, former.env_version) == (build.artifact_build_id, build.env_version)

    def succeed(self, build: Build, phases: dict[str, float] | None = None) -> Build:
        """End a build that is live and whose predecessor is gone."""
        changes = {} if phases is None else {"phases": phases}
        return self._parts.storage.builds.transition(
            build.id, BuildStatus.SUCCEEDED, expected=ACTIVE, generation=build.generation, **changes
        )

    def settle_deployment(self, deployment_id: str, reason: str) -> None:
        """After a build that didn't make it: the deployment goes by what serves, or did until just now."""
        deployment = self._parts.storage.deployments.get(deployment_id)
        if any(item.status is ProcessStatus.RUNNING for item in self._path.servers.list_alive(deployment_id)):
            to = DeploymentStatus.RUNNING
        elif deployment.desired_state is DesiredState.STOPPED:
            to = DeploymentStatus.STOPPED
        elif deployment.status in _SERVED and deployment.current_build_id:
            to = DeploymentStatus.PENDING  # what served before has ended, and is to be started again
        else:
            to = DeploymentStatus.FAILED
        with suppress(Conflict):  # a newer change of its state was first
            self._parts.storage.deployments.transition(
                deployment_id, to, expected=[deployment.status], status_reason=reason
            )

    # --- steps --------------------------------------------------------------------------------------------------------

    def _run_with_log(self, build: Build, cancel: CancelCheck) -> Build:
        deployment = self._parts.storage.deployments.get(build.deployment_id)
        project = self._parts.storage.projects.get(deployment.project_id)
        build = self._freeze_env(build, project, deployment)
        redactor = Redactor(open_env(self._parts.secrets, build.env_snapshot)[2])
        with LineLog(Path(build.log_path or self._default_log(build)), redactor) as log:
            clock = PhaseClock(lambda seconds: self._save_phases(build, seconds), log)
            try:
                return self._run(build, project, deployment, log, cancel, clock)
            except LeaseLost:
                log.write("This worker has given the build up", stream="info")
                raise
            except Exception as exc:
                clock.finish()
                error = explain(exc, redactor)
                log.write(f"{_name_end(error)}: {error.message}", stream="info")
                return self.fail(build, error, clock.seconds)

    def _run(
        self,
        build: Build,
        project: Project,
        deployment: Deployment,
        log: LineLog,
        cancel: CancelCheck,
        clock: PhaseClock,
    ) -> Build:
        cancel()
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

            def record(process: Process) -> None:
                self.record_live(build, process)

            deployment = self._parts.storage.deployments.get(deployment.id)
            if deployment.desired_state is DesiredState.STOPPED:
                raise BuildCancelled(f"The deployment {title} was stopped meanwhile.")
            self._go_live(
                LaunchContext(project, deployment, build, artifact, log, check, clock.enter, record), lock.check
            )
            clock.finish()
            self._manifests.keep_inventory(build, log)
            log.write(f"Done in {sum(clock.seconds.values()):.1f} s", stream="info")
            return self.succeed(build, clock.seconds)

    def _go_live(self, context: LaunchContext, check_lock: CancelCheck) -> None:
        alive = self._path.servers.list_alive(context.deployment.id)
        was_serving = any(item.status is ProcessStatus.RUNNING for item in alive)
        # Both take a while at first: the server needs no proxy before it has answered.
        ahead = threading.Thread(target=self._start_router, name="mastra-admin-router", daemon=True)
        ahead.start()
        try:
            self._path.go_live(context)
        except LeaseLost:
            raise
        except Exception:
            if was_serving:
                self._bring_back(context, check_lock)
            raise
        finally:
            ahead.join()

    def _start_router(self) -> None:
        try:
            self._parts.router.start()
        except MastraAdminError as exc:
            # It is started again where it is needed, and what is wrong is said there.
            logger.debug("The router could not be started ahead: %s", exc)

    def _bring_back(self, context: LaunchContext, check_lock: CancelCheck) -> None:
        """With ``recreate`` the old server had to stop first: what failed in its place must not leave nothing."""
        deployment = self._parts.storage.deployments.get(context.deployment.id)
        wanted = deployment.desired_state is DesiredState.RUNNING and deployment.current_build_id is not None
        if not wanted or self._path.servers.list_alive(deployment.id):
            return
        context.log.write("Starting what served before again", stream="info")
        try:
            self._path.revive(deployment, context.log, check_lock, on_live=lambda _: None)
        except (MastraAdminError, OSError) as exc:
            # The first error is the one to tell; this one stands in the log.
            context.log.write(f"It didn't come back: {exc}", stream="info")

    def _mark_building(self, deployment: Deployment) -> None:
        expected = [DeploymentStatus.STOPPED, DeploymentStatus.FAILED]
        if deployment.current_build_id is None:  # what served is started again meanwhile, if it has just ended
            expected.append(DeploymentStatus.PENDING)
        with suppress(Conflict):  # what serves stays running while its next build is made
            self._parts.storage.deployments.transition(deployment.id, DeploymentStatus.BUILDING, expected=expected)

    def _prepare_artifact(
        self, build: Build, project: Project, log: LineLog, cancel: CancelCheck, clock: PhaseClock
    ) -> tuple[Artifact, Build]:
        if build.artifact_build_id and build.artifact_build_id != build.id:
            kept = self._parts.storage.builds.get(build.artifact_build_id)
            log.write(f"Using the kept artifact of build #{kept.number}", stream="info")
            self._manifests.keep_reused(build, log)
            return self._parts.runner.load_artifact(kept.artifact), build
        if build.artifact:
            log.write("Using the artifact that was finished before the interruption", stream="info")
            return self._parts.runner.load_artifact(build.artifact), build
        return self._making.make(Work(build, project, log, cancel, clock))

    # --- ends ---------------------------------------------------------------------------------------------------------

    def fail(self, build: Build, error: MastraAdminError, phases: dict[str, float]) -> Build:
        """Record that a build didn't make it.

        The first write tells whether the claim is still ours. Its status comes last: whoever waits for that finds all
        else done, and if this process dies before, recovery finds the build.
        """
        try:
            told = self._parts.storage.builds.update(
                build.id,
                generation=build.generation,
                phases=phases,
                error_message=error.message,
                error=describe_error(error),
            )
        except NotFound:  # deleted meanwhile: nobody else would remove its files
            self.remove_artifact(build)
            remove_manifest(self._parts.home, build.id)
            Path(build.log_path or self._default_log(build)).unlink(missing_ok=True)
            raise
        if not told.artifact:
            self.remove_artifact(build)
        cancelled = isinstance(error, BuildCancelled)
        if cancelled and told.stats.get(REVIVED):
            self._stop_again(told)
        words = error.message if cancelled else f"Build #{build.number} failed: {error.message}"
        self.settle_deployment(build.deployment_id, words)
        to = BuildStatus.CANCELLED if cancelled else BuildStatus.FAILED
        self._parts.record(to.value, "build", build.id, number=build.number, message=error.message)
        return self._parts.storage.builds.transition(build.id, to, expected=ACTIVE, generation=build.generation)

    def _stop_again(self, build: Build) -> None:
        """Leave a deployment stopped that only a cancelled build would have started, unless another one will."""
        waiting = self._parts.storage.builds.list(build.deployment_id, statuses=[BuildStatus.QUEUED])
        deployment = self._parts.storage.deployments.get(build.deployment_id)
        if not waiting and deployment.status not in _SERVED and not self._path.servers.list_alive(deployment.id):
            self._parts.storage.deployments.update(deployment.id, desired_state=DesiredState.STOPPED)

    def remove_artifact(self, build: Build) -> None:
        """Remove what a build made, finished or not."""
        self._making.remove_artifact(build)

    # --- records ------------------------------------------------------------------------------------------------------

    def _freeze_env(self, build: Build, project: Project, deployment: Deployment) -> Build:
        """Record the environment that this build runs with; a rollback brings that of the build it goes back to."""
        if build.kind is BuildKind.ROLLBACK or build.env_version is not None:
            return build
        merged, version = Environment(self._parts).freeze(project, deployment)
        self._parts.storage.builds.update(
            build.id, generation=build.generation, env_snapshot=merged, env_version=version
        )
        return replace(build, env_snapshot=merged, env_version=version)

    def _save_phases(self, build: Build, seconds: dict[str, float]) -> None:
        self._parts.storage.builds.update(build.id, generation=build.generation, phases=seconds)

    def _default_log(self, build: Build) -> Path:
        return self._parts.home.build_logs / f"{build.id}.log"


def _name_end(error: MastraAdminError) -> str:
    return "Cancelled" if isinstance(error, BuildCancelled) else "Failed"
