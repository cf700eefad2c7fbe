"""What runs and what doesn't, as observed just now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from mastra_admin_sdk.errors import NotFound
from mastra_admin_sdk.models import AlertStatus, Build, BuildStatus, Deployment, Process, Project, ServerUsage, Team
from mastra_admin_sdk.services.deployments.studio import find_studio_url

from .builds.pipeline import ACTIVE
from .deployments.servers import ALIVE, identify
from .keeping.janitor import ROLE as JANITOR
from .monitoring.delivery import ROLE as MESSENGER
from .monitoring.evaluation import ROLE as ALERTER
from .parts import Parts
from .supervision.crew import do_together
from .supervision.supervisor import ROLE as SUPERVISOR
from .telemetry.ingestion import ROLE as INGESTER
from .telemetry.ingestion import Ingester
from .telemetry.lag import Lag
from .telemetry.progress import IngestionStatus, read_status
from .triggers.schedules import ROLE as SCHEDULER
from .triggers.watching import REMOTE_ROLE as POLLER
from .triggers.watching import ROLE as WATCHER
from .triggers.watching import read_watch_errors


@dataclass(frozen=True, slots=True)
class ServerView:
    """One server of a deployment: whether it answers, and what it holds (``None`` when it is gone)."""

    process: Process
    answers: bool
    usage: ServerUsage | None


@dataclass(frozen=True, slots=True)
class DeploymentView:
    """A deployment with what belongs to it.

    ``servers`` are those of its current build, one a replica; ``process`` is the first of them. ``answers`` is true
    when one of them does, and ``None`` when there is none to be asked.
    ``watch_error`` is why its source, which is watched, can't be read at the moment.
    """

    team: Team
    project: Project
    deployment: Deployment
    build: Build | None
    active_build: Build | None
    process: Process | None
    answers: bool | None
    watch_error: str | None = None
    servers: tuple[ServerView, ...] = ()
    studio_url: str | None = None

    @property
    def answering(self) -> int:
        """How many of its servers answer."""
        return sum(server.answers for server in self.servers)

    @property
    def restarts(self) -> int:
        """How often servers were started again, all together."""
        return sum(server.process.restarts for server in self.servers)

    @property
    def memory_bytes(self) -> int | None:
        """What its servers hold together; ``None`` when none is left to be measured."""
        held = [server.usage.memory_bytes for server in self.servers if server.usage]
        return sum(held) if held else None

    @property
    def open_files(self) -> int | None:
        """How many files its servers have open together; ``None`` when none is left to be looked at."""
        held = [server.usage.open_files for server in self.servers if server.usage]
        return sum(held) if held else None


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything that ``ps`` and the panel's first page show; ``firing`` are the names of alerts."""

    home: str
    deployments: tuple[DeploymentView, ...]
    roles: Mapping[str, str | None]
    router_running: bool
    engine: Mapping[str, Any]
    lag: Lag
    ingestion: IngestionStatus = field(default_factory=IngestionStatus)
    firing: tuple[str, ...] = ()

    @property
    def is_supervised(self) -> bool:
        """True when some process restarts servers that end."""
        return self.roles[SUPERVISOR] is not None


def look_around(parts: Parts, ingester: Ingester) -> Overview:
    """Read the records and ask each server whether it answers."""
    # Deployments first: what is made while this reads has its project and team by the time those are read. What is
    # deleted meanwhile is left out.
    deployments = parts.storage.deployments.list()
    projects = {project.id: project for project in parts.storage.projects.list()}
    teams = {team.id: team for team in parts.storage.teams.list()}
    names = (SUPERVISOR, INGESTER, SCHEDULER, WATCHER, POLLER, JANITOR, ALERTER, MESSENGER)
    holders = {name: parts.leases.holder(name) for name in names}
    watch_errors = read_watch_errors(parts.home, [name for name in (WATCHER, POLLER) if holders[name]])
    views = [
        _view(parts, teams[projects[item.project_id].team_id], projects[item.project_id], item)
        for item in deployments
        if item.project_id in projects and projects[item.project_id].team_id in teams
    ]
    return Overview(
        home=str(parts.home.path),
        deployments=tuple(replace(view, watch_error=watch_errors.get(view.deployment.id)) for view in views),
        roles={name: lease.owner if lease else None for name, lease in holders.items()},
        router_running=parts.router.is_running(),
        engine=parts.observability.status(),
        lag=ingester.measure_lag(),
        ingestion=read_status(parts.home),
        firing=_list_firing(parts),
    )


def look_at(parts: Parts, deployment: Deployment) -> DeploymentView:
    """Read the records of one deployment and ask its servers whether they answer."""
    project = parts.storage.projects.get(deployment.project_id)
    roles = [name for name in (WATCHER, POLLER) if deployment.watch and parts.leases.holder(name)]
    errors = read_watch_errors(parts.home, roles) if roles else {}
    view = _view(parts, parts.storage.teams.get(project.team_id), project, deployment)
    return replace(view, watch_error=errors.get(deployment.id))


def _list_firing(parts: Parts) -> tuple[str, ...]:
    states = parts.storage.alert_states.list(statuses=[AlertStatus.FIRING])
    names = {rule.id: rule.name for rule in parts.storage.alert_rules.list()} if states else {}
    return tuple(sorted({names[state.rule_id] for state in states if state.rule_id in names}))


def _view(parts: Parts, team: Team, project: Project, deployment: Deployment) -> DeploymentView:
    servers = _observe(parts, _list_servers(parts, deployment))
    return DeploymentView(
        team,
        project,
        deployment,
        build=_find_build(parts, deployment),
        active_build=_find_active_build(parts, deployment),
        process=servers[0].process if servers else None,
        answers=any(server.answers for server in servers) if servers else None,
        servers=servers,
        studio_url=find_studio_url(parts, deployment, servers[0].process if servers else None),
    )


def _list_servers(parts: Parts, deployment: Deployment) -> list[Process]:
    """The servers of the current build, the newest of each replica, in their order."""
    newest: dict[int, Process] = {}
    for item in parts.storage.processes.list(deployment.id, statuses=ALIVE):
        if item.build_id == deployment.current_build_id:
            newest.setdefault(item.replica, item)
    return [newest[replica] for replica in sorted(newest)]


def _observe(parts: Parts, processes: Sequence[Process]) -> tuple[ServerView, ...]:
    """Ask all of them at the same time: one that hangs takes its time to be found out."""
    found: dict[str, ServerView] = {}

    def observe(process: Process) -> None:
        identity = identify(process)
        # What the server says of its tracing now; what it said at its start is on record.
        traced = parts.runner.read_trace_status(identity) or process.trace_status
        answers = parts.runner.is_healthy(identity)
        usage = parts.runner.measure(identity)
        found[process.id] = ServerView(replace(process, trace_status=dict(traced)), answers, usage)

    do_together([partial(observe, process) for process in processes], "mastra-admin-look")
    return tuple(found[process.id] for process in processes)


def _find_active_build(parts: Parts, deployment: Deployment) -> Build | None:
    """The build that is worked on, else the one whose turn is next."""
    waiting = parts.storage.builds.list(deployment.id, statuses=(BuildStatus.QUEUED, *ACTIVE))
    return min(waiting, key=lambda build: (build.status not in ACTIVE, build.number), default=None)


def _find_build(parts: Parts, deployment: Deployment) -> Build | None:
    try:
        return parts.storage.builds.get(deployment.current_build_id) if deployment.current_build_id else None
    except NotFound:  # deleted in this moment
        return None
