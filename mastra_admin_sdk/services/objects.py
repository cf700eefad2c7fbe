"""What `MastraAdmin` hands out: live deployments and builds, with the things one can do to them.

They hold a snapshot of their record; ``refresh()`` reads it anew. Their reprs use the snapshot alone: no query, no
exception, no secret.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mastra_admin_sdk.display.cards import render_build, render_deployment
from mastra_admin_sdk.display.progress import ProgressPrinter, say_detached
from mastra_admin_sdk.errors import NotFound, RequestFailed
from mastra_admin_sdk.linelog import follow_lines, read_lines
from mastra_admin_sdk.models import (
    Build,
    BuildStatus,
    Deployment,
    DeploymentType,
    LogLine,
    Process,
    Project,
    Strategy,
    Tls,
    choose,
)

from .artifacts import list_kept
from .clients import Agent, Workflow
from .deployments import DeploymentService
from .environment import Environment, ImportedEnv, show_env
from .history import expect_seconds
from .lifetimes import Ttl
from .parts import Parts
from .previews import PreviewService
from .queue import BuildQueue
from .references import BuildRef, DeploymentRef, Resolver
from .requests import Response, request
from .retention import Retention
from .scaling import UNCHANGED, Unchanged
from .studio import find_studio_url
from .telemetry import TelemetryService
from .waiting import BuildWaiter, OnProgress
from .watching import set_watch

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Services:
    """What the live objects work with."""

    parts: Parts
    resolver: Resolver
    deployments: DeploymentService
    queue: BuildQueue
    waiter: BuildWaiter
    telemetry: TelemetryService


class LiveBuild:
    """One build of a deployment, as it goes on or as it ended."""

    def __init__(self, record: Build, services: Services) -> None:
        self.record = record
        self._services = services

    @property
    def id(self) -> str:
        """Its id, a UUID."""
        return self.record.id

    @property
    def number(self) -> int:
        """Its number in its deployment, from 1."""
        return self.record.number

    @property
    def status(self) -> BuildStatus:
        """Its status when it was last read."""
        return self.record.status

    @property
    def phases(self) -> Mapping[str, float]:
        """Seconds per phase."""
        return self.record.phases

    def expected_seconds(self) -> Mapping[str, float]:
        """Return the seconds that each of its phases is likely to take, from the last builds of its kind."""
        return expect_seconds(self._services.parts.storage, self.record.deployment_id, kind=self.record.kind)

    @property
    def env(self) -> Mapping[str, str]:
        """The variables it ran with, by name; secret values read ``***``. Empty before it began."""
        return show_env(self._services.parts, self.record.env_snapshot)

    @property
    def deployment(self) -> LiveDeployment:
        """The deployment it belongs to."""
        found = self._services.parts.storage.deployments.get(self.record.deployment_id)
        return LiveDeployment(found, self._services)

    def refresh(self) -> LiveBuild:
        """Read the record anew and return this object."""
        self.record = self._services.parts.storage.builds.get(self.id)
        return self

    def wait(self, timeout: float | None = None, *, on_progress: OnProgress | None = None) -> LiveBuild:
        """Wait until it has succeeded and return this object.

        Parameters:
            timeout: seconds to wait at most; the build goes on after that.
            on_progress: called with the build's record as it changes; unless given, progress is shown in a terminal
                or notebook. Interrupting the wait leaves the build in the queue.

        Raises:
            BuildError: it ended otherwise; with the error it ended with.
            TimeoutError: it hasn't ended after ``timeout`` seconds; it goes on.
        """
        try:
            show = on_progress or ProgressPrinter.for_this_output()
            self._services.waiter.wait(self.id, timeout=timeout, on_progress=show)
        except KeyboardInterrupt:
            if on_progress is None:
                say_detached(self.record.number)
            raise
        finally:
            self.refresh()
        return self

    def cancel(self) -> LiveBuild:
        """Cancel it; one that has ended stays as it is."""
        self._services.queue.cancel(self.id)
        return self.refresh()

    def logs(self, after: int = 0) -> Sequence[LogLine]:
        """Return the lines of its log with a number above ``after``."""
        return list(self.iter_log(after))

    def iter_log(self, after: int = 0) -> Iterator[LogLine]:
        """Yield the lines that `logs` returns, one by one: for logs that are too long to hold."""
        return read_lines(Path(self.record.log_path), after) if self.record.log_path else iter(())

    def follow(self, after: int = 0) -> Iterator[LogLine]:
        """Yield the lines of its log as they come, until it has ended and all is read."""
        return (line for line in self.poll_log(after) if line)

    def poll_log(self, after: int = 0) -> Iterator[LogLine | None]:
        """Yield what `follow` yields, and ``None`` about ten times a second while there is no line.

        For callers that have more to do than wait: look whether their reader is still there, send it a sign of life.
        The record of this object is read anew each time.
        """
        if not self.record.log_path:
            return iter(())
        return follow_lines(Path(self.record.log_path), after, is_over=lambda: self.refresh().record.is_final)

    def __repr__(self) -> str:
        record = self.record
        return render_build(record.number, record.status, sum(record.phases.values()), record.error_message)


class LiveDeployment:
    """A deployment: its address, its server, and what one can do with them."""

    def __init__(self, record: Deployment, services: Services) -> None:
        self.record = record
        self._services = services

    # --- what it is ---------------------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """Its id, a UUID."""
        return self.record.id

    @property
    def branch(self) -> str:
        """The branch it stands for."""
        return self.record.branch

    @property
    def status(self) -> str:
        """Its status when it was last read."""
        return self.record.status

    @property
    def url(self) -> str | None:
        """Its address, which browsers and curl reach without set-up; ``None`` before the first build succeeded."""
        return self.record.public_url

    @property
    def urls(self) -> Sequence[str]:
        """All addresses it answers on, the main one first, its own domains last."""
        return self._services.deployments.list_urls(self.record)

    @property
    def studio_url(self) -> str | None:
        """The address of the app's own Mastra Studio; ``None`` when it was built without (`mastra build --studio`)."""
        return find_studio_url(self._services.parts, self.record, self.process)

    @property
    def local_url(self) -> str | None:
        """The address of the server itself, ``http://127.0.0.1:<port>``; ``None`` while none serves."""
        process = self.process
        return f"http://{process.host}:{process.port}" if process else None

    @property
    def project(self) -> Project:
        """The project it belongs to."""
        return self._services.parts.storage.projects.get(self.record.project_id)

    @property
    def process(self) -> Process | None:
        """The process that serves it, as recorded; of several replicas the first."""
        return self._services.deployments.serving_process(self.id)

    @property
    def processes(self) -> Sequence[Process]:
        """All processes that serve it, as recorded: one a replica, in their order."""
        return self._services.deployments.list_serving(self.id)

    @property
    def is_served(self) -> bool:
        """True when a server of it exists at this moment; ``status`` is what was seen last."""
        return self._services.deployments.is_served(self.id)

    @property
    def build(self) -> LiveBuild | None:
        """The build that serves it."""
        current = self.record.current_build_id
        return LiveBuild(self._services.parts.storage.builds.get(current), self._services) if current else None

    @property
    def builds(self) -> Sequence[LiveBuild]:
        """Its builds, newest first."""
        return [LiveBuild(item, self._services) for item in self._services.parts.storage.builds.list(self.id)]

    def expected_seconds(self) -> Mapping[str, float]:
        """Return the seconds that each phase of its next deploy is likely to take, from its last ones.

        Empty before the first has succeeded. ``sum(live.expected_seconds().values())`` is how long to wait.
        """
        return expect_seconds(self._services.parts.storage, self.id)

    @property
    def kept_builds(self) -> Sequence[LiveBuild]:
        """The builds that one can go back to, newest first: those that served and whose artifact is kept."""
        return [LiveBuild(item, self._services) for item in list_kept(self._services.parts, self.record)]

    @property
    def expires_at(self) -> datetime | None:
        """When it is removed, if it is a preview that isn't deployed again before; ``None``: never."""
        return self.record.expires_at

    def refresh(self) -> LiveDeployment:
        """Read the record anew and return this object."""
        self.record = self._services.parts.storage.deployments.get(self.id)
        return self

    # --- what one can do ----------------------------------------------------------------------------------------------

    def redeploy(
        self,
        *,
        ref: str | None = None,
        fresh: bool = False,
        wait: bool = True,
        on_progress: OnProgress | None = None,
    ) -> LiveBuild:
        """Build the source as it lies and put it live; the old server serves until the new one has answered.

        Parameters:
            ref: a tag, commit or branch of the project's repository to build this time; the deployment's branch unless
                given.
            fresh: build from nothing: neither packages nor an artifact of an earlier build is used.
            wait: wait until it serves.
            on_progress: called with the build's record as it changes.
        """
        queued = self._services.deployments.deploy(self.record, ref=ref, fresh=fresh)
        return self._follow_up(queued, wait, on_progress)

    def restart(self, *, wait: bool = True, on_progress: OnProgress | None = None) -> LiveBuild:
        """Start a new server of the current artifact, with the environment as it is set now."""
        return self._follow_up(self._services.deployments.restart(self.refresh().record), wait, on_progress)

    def start(self, *, wait: bool = True, on_progress: OnProgress | None = None) -> LiveBuild:
        """Start a stopped deployment: the same as `restart`."""
        return self.restart(wait=wait, on_progress=on_progress)

    def rollback(
        self, to: BuildRef | int | None = None, *, wait: bool = True, on_progress: OnProgress | None = None
    ) -> LiveBuild:
        """Go back to a kept artifact with the environment it ran with.

        Parameters:
            to: the build to go back to, or its number; the one that served before unless given.
            wait: wait until it serves.
            on_progress: called with the build's record as it changes.
        """
        self.refresh()
        if isinstance(to, int) and not isinstance(to, bool):
            target: Build | None = self._services.parts.storage.builds.get_by_number(self.id, to)
        else:
            target = self._services.resolver.build(to) if to is not None else None
        return self._follow_up(self._services.deployments.rollback(self.record, target), wait, on_progress)

    def promote(
        self, to: DeploymentRef | DeploymentType, *, wait: bool = True, on_progress: OnProgress | None = None
    ) -> LiveBuild:
        """Start what this deployment serves on another one of the project, with the other one's own environment.

        Parameters:
            to: the other one, or a type such as ``"production"``; see `MastraAdmin.promote`.
            wait: wait until it serves.
            on_progress: called with the build's record as it changes.

        Returns:
            The build of the other deployment.
        """
        build = self._services.deployments.promote(self.refresh().record, to)
        return self._follow_up(build, wait, on_progress)

    def stop(self) -> LiveDeployment:
        """Drain and stop its servers, free its ports and routes; data and artifacts stay."""
        self._services.deployments.stop(self.record)
        return self.refresh()

    def set_strategy(self, strategy: Strategy | str) -> LiveDeployment:
        """Choose how a new server takes over: ``swap`` (beside the old one) or ``recreate`` (after it has stopped)."""
        self._services.deployments.scaling.set_strategy(self.record, choose(Strategy, strategy))
        return self.refresh()

    def set_domains(self, domains: Iterable[str], *, tls: Tls | str | None = None) -> LiveDeployment:
        """Let it answer on domains of its own, beside the hosts that are made from its name.

        They lead to its servers at once, and stay through redeploys; ``[]`` removes all. Making DNS point to this
        machine is up to you.

        Parameters:
            domains: host names such as ``"agents.example.com"``; the ones before are replaced.
            tls: where their certificates come from: ``"off"``, ``"internal"`` (an authority of our own) or ``"auto"``
                (a public one); as it was unless given, and ``"off"`` at first.

        Raises:
            InvalidInput: one can't be a domain.
            Conflict: another deployment has it; nothing was changed.
            RouterError: they can't be served; nothing was changed.
        """
        chosen = None if tls is None else choose(Tls, tls)
        self._services.deployments.domains.set(self.record, domains, chosen)
        return self.refresh()

    def scale(self, replicas: int) -> LiveDeployment:
        """Start or stop servers until there are so many; they share the address, the artifact and the data folder.

        Only the difference is started or stopped, no request is lost, and restarts and rollbacks keep the number.

        Parameters:
            replicas: how many, from 1 to 12.

        Raises:
            InvalidInput: the number can't be, or the strategy is ``recreate``.
            ServerError, RouterError: a new server didn't come up; everything is as it was.
        """
        self._services.deployments.scaling.scale(self.record, replicas)
        return self.refresh()

    def set_limits(
        self, *, memory_mb: int | Unchanged | None = UNCHANGED, nice: int | Unchanged | None = UNCHANGED
    ) -> LiveDeployment:
        """Bind each of its servers; applies from the next start of a server on, such as a `restart`.

        Parameters:
            memory_mb: MB that a server and all that it starts may hold; one that holds more is ended and started
                again. 0: no limit. ``None``: as the setting ``server_memory_mb`` says.
            nice: how much it yields the CPU to others, 0 to 19. ``None``: as the setting ``server_nice`` says.
        """
        self._services.deployments.scaling.set_limits(self.record, memory_mb=memory_mb, nice=nice)
        return self.refresh()

    def set_retention(self, keep: int | None) -> LiveDeployment:
        """Choose how many artifacts are kept for going back, besides those in use; ``None``: as the setting says."""
        Retention(self._services.parts).set_keep(self.record, keep)
        return self.refresh()

    def set_ttl(self, ttl: Ttl | None) -> LiveDeployment:
        """Give a preview another time to live, from now on: as ``ttl`` of `MastraAdmin.deploy`."""
        PreviewService(self._services.parts, self._services.deployments).set_ttl(self.record, ttl)
        return self.refresh()

    def set_watch(self, enabled: bool = True) -> LiveDeployment:
        """Deploy it again whenever its source changes, while some process does the background work; or no longer."""
        set_watch(self._services.parts, self.refresh().record, enabled)
        return self.refresh()

    def set_env(self, variables: Mapping[str, str | None], *, secret: bool = True) -> LiveDeployment:
        """Override variables of the project; they apply from the next build or restart on."""
        self._services.deployments.set_env(self.refresh().record, variables, secret=secret)
        return self.refresh()

    def list_env(self) -> Mapping[str, str]:
        """Return its overrides by name; secret values read ``***``."""
        return self._environment.show(self.record)

    def import_env(
        self, path: str | Path, *, secret: bool = True, only: Iterable[str] | None = None, prefix: str = ""
    ) -> ImportedEnv:
        """Override variables with those of a ``.env`` file; parameters as in ``admin.projects.import_env``."""
        found = self._environment.import_file(self.refresh().record, path, secret=secret, only=only, prefix=prefix)
        self.refresh()
        return found

    def env_versions(self) -> pd.DataFrame:
        """Return what it could run with since it is there, newest first.

        Returns:
            Columns of `env_versions.VERSION_COLUMNS`: ``version`` such as ``3.1`` (version 3 of its project's
            variables, version 1 of its overrides), ``changed_at`` (UTC), ``actor``, ``changed`` (``project`` or
            ``deployment``), and ``keys``. No values. A build says in ``record.env_version`` which it ran with.
        """
        return self._environment.list_versions(self.record)

    def diff_env(self, before: str | LiveBuild, after: str | LiveBuild) -> pd.DataFrame:
        """Return which variables two versions, or two builds, differ in.

        Parameters:
            before, after: versions such as ``"3.1"``, or builds.

        Returns:
            Columns ``key``, ``change`` (``added``, ``removed``, ``changed``) and ``is_secret``. No values.
        """
        pair = [item.record if isinstance(item, LiveBuild) else item for item in (before, after)]
        return self._environment.diff_versions(self.record, *pair)

    @property
    def _environment(self) -> Environment:
        return Environment(self._services.parts)

    # --- talking to it ------------------------------------------------------------------------------------------------

    def request(self, method: str, path: str, **options: Any) -> Response:
        """Send a request through the router, without needing DNS.

        Parameters:
            method: such as ``"GET"``.
            path: such as ``"/api/agents"``.
            options: of `services.requests.request`: ``json``, ``data``, ``headers``, ``timeout``, ``stream``.

        Raises:
            RequestFailed: no usable answer; status and the beginning of the body are in its evidence.
        """
        host = self._services.deployments.list_hosts(self.record)[0]
        try:
            return request(self._services.parts.router.endpoint, host, method, path, **options)
        except RequestFailed as exc:
            if self.refresh().process is None:
                raise RequestFailed(
                    f"{self.project.slug}/{self.record.slug} is {self.status}: no server of it runs.",
                    hint="Start it with .start(), or deploy it again.",
                    evidence=exc.evidence,
                ) from exc
            raise

    def agent(self, agent_id: str) -> Agent:
        """Return one of its agents, to call it."""
        return Agent(self, agent_id)

    def workflow(self, workflow_id: str) -> Workflow:
        """Return one of its workflows, to start it."""
        return Workflow(self, workflow_id)

    @property
    def api_prefix(self) -> str:
        """Path under which its Mastra API answers, ``/api`` unless the app chose another."""
        process = self.process
        return str((process.trace_status if process else {}).get("api_prefix") or "/api").rstrip("/")

    # --- what it did --------------------------------------------------------------------------------------------------

    def spans(self, **filters: Any) -> pd.DataFrame:
        """Return its spans; filters as in `MastraAdmin.spans`."""
        return self._services.telemetry.spans(deployment=self.record, **filters)

    def traces(self, **filters: Any) -> pd.DataFrame:
        """Return its traces; filters as in `MastraAdmin.traces`."""
        return self._services.telemetry.traces(deployment=self.record, **filters)

    def logs(self, **filters: Any) -> pd.DataFrame:
        """Return its log lines; filters as in `MastraAdmin.logs`."""
        return self._services.telemetry.logs(deployment=self.record, **filters)

    def server_log(self, after: int = 0, *, replica: int | None = None) -> Sequence[LogLine]:
        """Return what its newest server printed, line by line; the lines with a number above ``after``.

        ``replica`` chooses one of several servers by its number.
        """
        process = self._newest_process(replica)
        return list(read_lines(Path(process.log_path or ""), after))

    def follow_log(self, after: int = 0, *, replica: int | None = None) -> Iterator[LogLine]:
        """Yield what its newest server prints, as it comes, until that server has ended; ``replica`` as above."""
        process = self._newest_process(replica)
        storage = self._services.parts.storage

        def is_over() -> bool:
            return not storage.processes.get(process.id).status.is_alive

        return (line for line in follow_lines(Path(process.log_path or ""), after, is_over=is_over) if line)

    def __repr__(self) -> str:
        record = self.record
        return render_deployment(record.slug, record.status, record.public_url, record.status_reason)

    def _newest_process(self, replica: int | None) -> Process:
        process = self._services.deployments.last_process(self.id, replica)
        if process is None and replica:
            raise NotFound(f"{self.record.slug} never had a server {replica}.", hint="Numbers begin at 0.")
        if process is None:
            raise NotFound(f"{self.record.slug} never had a server.", hint="Deploy it first.")
        return process

    def _follow_up(self, build: Build, wait: bool, on_progress: OnProgress | None) -> LiveBuild:
        live = LiveBuild(build, self._services)
        if wait:
            live.wait(on_progress=on_progress)
            self.refresh()
        return live
