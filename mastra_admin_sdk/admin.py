"""`MastraAdmin`: one object that wires adapters to services. It has no logic of its own."""

from __future__ import annotations

import atexit
import os
import weakref
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import __version__, registry
from .errors import ForkedProcess
from .home import Home, open_home
from .host import user_name
from .ports.observability import ObservabilityStore
from .ports.router import Router
from .ports.runner import Runner
from .ports.source import ProjectSource
from .ports.storage import AdminStorage
from .services.access.members import MemberService
from .services.access.tokens import TokenService
from .services.actors import Origin, acting
from .services.analysis.calls import AnalysisCalls
from .services.annotations.calls import AnnotationCalls
from .services.annotations.service import AnnotationService
from .services.background.background import Background, Duty
from .services.builds.pipeline import Pipeline
from .services.builds.queue import BuildQueue
from .services.builds.waiting import BuildWaiter
from .services.builds.worker import BuildWorker
from .services.charts.service import ChartService
from .services.collections import BuildCollection, DeploymentCollection, EventCollection
from .services.collector.collector import Collector
from .services.datasets.collection import DatasetCollection
from .services.deployments.calls import DeploymentCalls
from .services.deployments.live import PathToLive
from .services.deployments.service import DeploymentService
from .services.doctor import Check, examine
from .services.environment.secrets import SecretBox
from .services.exports.calls import ExportCalls
from .services.exports.service import ExportService
from .services.keeping.disk import measure_home
from .services.keeping.janitor import Janitor
from .services.keeping.removals import Removals
from .services.keeping.retention import Retention
from .services.leases import LeaseKeeper
from .services.monitoring.alerts import AlertService
from .services.monitoring.calls import MonitoringCalls
from .services.monitoring.setup import Monitoring
from .services.objects import Services
from .services.overview import Overview, look_around
from .services.parts import Parts
from .services.privacy.calls import PrivacyCalls
from .services.privacy.deletion import TelemetryEraser
from .services.programs.opened import OpenedPanel, open_panel
from .services.projects.service import ProjectService, TeamService
from .services.references import Resolver
from .services.shutdown import shut_down
from .services.supervision.processes import ProcessCollection
from .services.supervision.supervisor import Supervisor
from .services.telemetry.ingestion import Ingester
from .services.telemetry.reads import TelemetryReads
from .services.telemetry.screening import SHARED_STATUS, TelemetryScreen
from .services.telemetry.service import TelemetryService
from .services.telemetry.writing import TelemetryWriter
from .services.triggers.schedules import ROLE as SCHEDULER
from .services.triggers.schedules import Scheduler, ScheduleService
from .services.triggers.watching import REMOTE_ROLE as POLLER
from .services.triggers.watching import ROLE as WATCHER
from .services.triggers.watching import Watcher
from .services.triggers.webhooks import WebhookService
from .settings import Settings, load_settings

if TYPE_CHECKING:
    import pandas as pd


class MastraAdmin(
    DeploymentCalls, TelemetryReads, AnalysisCalls, MonitoringCalls, AnnotationCalls, PrivacyCalls, ExportCalls
):
    """Runs Mastra servers on this machine and shows what they do.

    Parameters:
        home: folder that holds everything; the platform's data folder of this user unless given.
        storage, source, runner, router, observability: replace any part; made from the settings unless given.
        actor: who is named in the audit log; the operating-system user unless given.
        origin: from where it is used, for the audit log.
        settings: any setting of `mastra_admin_sdk.settings.SETTINGS` by name.

    Servers outlive this object: another one, in this or any other process, finds and stops them.

    Example:
        >>> with MastraAdmin() as admin:
        ...     team = admin.teams.create("Search")
        ...     project = admin.projects.create(team, source="weather-agent")
        ...     live = admin.deploy(project)
        ...     admin.spans(project=project, since="1h")
    """

    settings: Settings
    """The values in force."""
    home: Home
    """Paths of the folder that holds everything."""
    teams: TeamService
    """Teams: create, find, rename, delete."""
    projects: ProjectService
    """Projects of teams, and their environment variables."""
    deployments: DeploymentCollection
    """What was deployed, running or not."""
    builds: BuildCollection
    """Builds of all deployments, as objects or as a DataFrame."""
    processes: ProcessCollection
    """Servers that run and ran."""
    events: EventCollection
    """The audit log."""
    schedules: ScheduleService
    """Deploys by the clock."""
    webhooks: WebhookService
    """Deploys by push."""
    alerts: AlertService
    """Rules that watch deployments, and whom they tell."""
    members: MemberService
    """Members of teams."""
    tokens: TokenService
    """Tokens for the panel, its API and the collector."""
    charts: ChartService
    """Latency, requests, errors, tokens, cost, builds and traces as charts."""
    datasets: DatasetCollection
    """Inputs and expected outputs, by name."""
    collector: Collector
    """What takes in telemetry from elsewhere; the panel calls it."""

    def __init__(
        self,
        home: str | Path | None = None,
        *,
        storage: AdminStorage | None = None,
        source: ProjectSource | None = None,
        runner: Runner | None = None,
        router: Router | None = None,
        observability: ObservabilityStore | None = None,
        actor: str | None = None,
        origin: Origin | str = Origin.SDK,
        **settings: Any,
    ) -> None:
        self.settings = load_settings({"home": str(home) if home is not None else None, **settings})
        self.home = open_home(self.settings.home)
        self._owns_storage = storage is None
        parts = {"storage": storage, "source": source, "runner": runner, "router": router}
        self._given = tuple(n for n, part in {**parts, "observability": observability}.items() if part is not None)
        source = source or registry.make_source(self.home, self.settings)
        runner = runner or registry.make_runner(self.home, self.settings)
        router = router or registry.make_router(self.home, self.settings)
        observability = observability or registry.make_observability(self.home, self.settings)
        # Last, as it holds connections: a part that refuses its settings leaves nothing open.
        storage = storage or registry.make_storage(self.home, self.settings)
        storage.init()
        self._parts = Parts(
            home=self.home,
            settings=self.settings,
            storage=storage,
            source=source,
            sources=registry.make_sources(self.home, self.settings, source),
            runner=runner,
            router=router,
            observability=observability,
            secrets=SecretBox(self.settings.secret_key, self.home.secret_key),
            leases=LeaseKeeper(storage.leases),
            actor=actor or user_name(),
            origin=str(origin),
        )
        self._wire()
        self._closed = False
        self._pid = os.getpid()
        # An interpreter that ends gives its builds and roles back instead of leaving them to time-outs.
        self._at_exit = _close_at_exit(self)

    def _wire(self) -> None:
        parts = self._parts
        resolver = Resolver(parts.storage)
        path = PathToLive(parts)
        pipeline = Pipeline(parts, path)
        queue = BuildQueue(parts, path, pipeline)
        deployments = DeploymentService(parts, resolver, path, queue)
        ingester = Ingester(parts)

        def make_worker() -> BuildWorker:
            return BuildWorker(parts, queue, pipeline)

        self._resolver, self._path, self._queue, self._deployment_service = resolver, path, queue, deployments
        self._telemetry = TelemetryService(parts, resolver, ingester)
        self._waiter = BuildWaiter(parts, make_worker, queue.bell)
        supervisor, janitor = Supervisor(parts, path, queue, pipeline), Janitor(parts, deployments)
        scheduler = Scheduler(parts, deployments)
        watcher, poller = (Watcher(parts, deployments, role) for role in (WATCHER, POLLER))
        monitoring = Monitoring(parts, resolver, ingester)
        duties = (
            Duty(SCHEDULER, lambda role, _: scheduler.run_once(role), 1.0),
            Duty(WATCHER, lambda role, stopping: watcher.run_once(role, stopping=stopping), 1.0),
            Duty(POLLER, lambda role, stopping: poller.run_once(role, stopping=stopping), 1.0),
            *monitoring.duties,
        )
        self._background = Background(parts, make_worker, supervisor, ingester, janitor, duties)
        self._services = Services(parts, resolver, deployments, queue, self._waiter, self._telemetry)
        self._ingester = ingester
        self.projects = ProjectService(parts, resolver, deployments)
        self.teams = TeamService(parts, resolver, self.projects)
        self.deployments = DeploymentCollection(self._services)
        self.processes = ProcessCollection(parts, resolver)
        self.builds = BuildCollection(self._services)
        self.charts = ChartService(parts, self._telemetry, self.builds)
        self.events = EventCollection(parts, resolver)
        self.schedules = ScheduleService(parts, resolver)
        self.webhooks = WebhookService(parts, resolver, deployments)
        self.alerts, self._health, self._figures = monitoring.alerts, monitoring.health, monitoring.figures
        self.members = MemberService(parts, resolver)
        self.tokens = TokenService(parts, resolver, self.members)
        self._screen = TelemetryScreen(parts.policies, self.home.telemetry.joinpath(*SHARED_STATUS))
        self._writer = TelemetryWriter(self.home.telemetry, policy=self._screen)
        self.collector = Collector(parts, self.tokens, self._writer)
        self.datasets = DatasetCollection(parts, self._telemetry)
        self._annotations = AnnotationService(parts, ingester, self._writer)
        self._eraser = TelemetryEraser(parts, ingester)
        self._exports = ExportService(self._telemetry, __version__)

    # --- the parts ----------------------------------------------------------------------------------------------------

    @property
    def source(self) -> ProjectSource:
        """Where projects come from: ``admin.source.list_projects()``."""
        return self._parts.source

    @property
    def storage(self) -> AdminStorage:
        """Where the records are."""
        return self._parts.storage

    @property
    def runner(self) -> Runner:
        """What builds and runs servers."""
        return self._parts.runner

    @property
    def router(self) -> Router:
        """What gives them addresses."""
        return self._parts.router

    @property
    def observability(self) -> ObservabilityStore:
        """Where telemetry is stored."""
        return self._parts.observability

    # --- in whose name ------------------------------------------------------------------------------------------------

    @property
    def actor(self) -> str:
        """Who is named in the audit log, unless `acting` says otherwise."""
        return self._parts.actor

    def acting(self, *, actor: str | None = None, origin: Origin | str | None = None) -> AbstractContextManager[None]:
        """Record what is done in the ``with`` block under another name: of a person on whose behalf it is done.

        Example:
            >>> with admin.acting(actor="ana@example.com"):
            ...     admin.deploy("weather-agent")
        """
        return acting(actor=actor, origin=origin)

    # --- the background -----------------------------------------------------------------------------------------------

    def start(self) -> MastraAdmin:
        """Offer this process for the background work (builds, supervision, ingestion) until ``close()``.

        Raises:
            ForkedProcess: this object was made before a fork; make one of its own in the child.
        """
        if os.getpid() != self._pid:
            raise ForkedProcess(
                "This MastraAdmin was made before a fork and can't work in the child.",
                hint="Make another one in the child.",
            )
        self._background.start()
        return self

    def down(self, *, on_step: Callable[[str], None] | None = None) -> None:
        """Stop all servers, the router and the embedded engine; ``up`` brings the deployments back.

        Parameters:
            on_step: called with a sentence for each thing that is stopped.
        """
        self._waiter.close()
        self._background.stop()
        shut_down(self._parts, self._path, self._queue, on_step or (lambda _: None))

    def gc(self, *, dry_run: bool = False) -> Removals:
        """Remove what is no longer kept: old artifacts, old logs, what interrupted work left, unused build cache.

        Never what a deployment serves or served before. It happens by itself after deploys and in the background.

        Parameters:
            dry_run: remove nothing; return what would be.

        Returns:
            A sequence of `Removal` (what, why, path, bytes) that shows itself as a table; ``.frame()`` and ``.bytes``.
        """
        return Retention(self._parts).collect(dry_run=dry_run)

    def disk(self) -> pd.DataFrame:
        """Return how much room each part of the home takes, largest first: ``part``, ``path``, ``bytes``, ``files``.

        ``attrs`` has ``free`` and ``total`` bytes of its disk. It looks at every file, which may take seconds.
        """
        return measure_home(self.home)

    def panel(self) -> OpenedPanel:
        """Return the panel of this home; start it unless it runs.

        It is a process of its own that goes on when this one ends, until its ``stop()`` or ``mastra-admin down``.

        Returns:
            An object with ``url``, ``link`` (signs a browser in), ``open()`` and ``stop()``; a notebook shows it.

        Raises:
            Conflict: this `MastraAdmin` was given parts as objects; see ``mastra_admin_panel.create_app``.
            NoFreePort: neither its port (3001) nor those that follow are free.
            ServerError: it can't be started; the last lines of its log are in the evidence.

        Example:
            >>> panel = admin.panel()
            >>> panel.open()
        """
        return open_panel(self._parts, self._given)

    def overview(self, *, seen_within: float | None = None) -> Overview:
        """Return what runs and what doesn't: teams, projects, deployments, processes, roles, engine, lag.

        Parameters:
            seen_within: seconds within which a health check of the supervisor counts as well; each server is asked just
                now unless given. With many servers that is much quicker; ``seen_at`` tells when each was seen.
        """
        return look_around(self._parts, self._ingester, seen_within=seen_within)

    def doctor(self) -> Sequence[Check]:
        """Check Node, Caddy, the engine, ports, disk and home; each check says how to mend what it found."""
        return examine(self._parts)

    def close(self) -> None:
        """Stop this process's threads and connections. Servers go on. Can be repeated."""
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self._at_exit)
        self._waiter.close()
        self._background.stop()
        self._writer.close()
        self._screen.close()
        self._parts.leases.close()
        self._parts.observability.close()
        if self._owns_storage:
            self._parts.storage.close()

    def __enter__(self) -> MastraAdmin:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = " closed" if self._closed else ""
        return f"<MastraAdmin{state} home={str(self.home.path)!r} storage={self._parts.storage.describe()!r}>"


def _close_at_exit(admin: MastraAdmin) -> Callable[[], None]:
    reference = weakref.ref(admin)

    def close() -> None:
        found = reference()
        if found is not None and found._pid == os.getpid():
            found.close()

    atexit.register(close)
    return close
