"""What runs and what doesn't, as observed just now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from mastra_admin_sdk.models import AlertStatus, Build, BuildStatus, Deployment, Process, Project, Team, utc_now
from mastra_admin_sdk.services.deployments.studio import make_studio_url

from .builds.artifacts import get_owner_id
from .builds.pipeline import ACTIVE
from .deployments.servers import ALIVE
from .keeping.janitor import ROLE as JANITOR
from .monitoring.delivery import ROLE as MESSENGER
from .monitoring.evaluation import ROLE as ALERTER
from .observation import ServerView as ServerView
from .observation import observe
from .parts import Parts
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
    """Everything that ``ps`` and the panel's first page show.

    ``firing`` are the names of alerts; ``looked_at`` is when all of it was read (each server says when it was seen).
    """

    home: str
    deployments: tuple[DeploymentView, ...]
    roles: Mapping[str, str | None]
    router_running: bool
    engine: Mapping[str, Any]
    lag: Lag
    ingestion: IngestionStatus = field(default_factory=IngestionStatus)
    firing: tuple[str, ...] = ()
    looked_at: datetime = field(default_factory=utc_now)

    @property
    def seen_at(self) -> datetime:
        """When the server that was looked at longest ago was; the moment of the look itself when there is none."""
        return min((server.seen_at for view in self.deployments for server in view.servers), default=self.looked_at)

    @property
    def is_supervised(self) -> bool:
        """True when some process restarts servers that end."""
        return self.roles[SUPERVISOR] is not None


def look_around(parts: Parts, ingester: Ingester, *, seen_within: float | None = None) -> Overview:
    """Read the records and ask each server whether it answers.

    Parameters:
        parts, ingester: what is looked at.
        seen_within: seconds within which a health check of the supervisor counts as well, while there is one; figures
            are then those on record. See `observation.observe`.
    """
    # Deployments first: what is made while this reads has its project and team by the time those are read. What is
    # deleted meanwhile is left out.
    looked_at, deployments = utc_now(), parts.storage.deployments.list()
    projects = {project.id: project for project in parts.storage.projects.list()}
    teams = {team.id: team for team in parts.storage.teams.list()}
    names = (SUPERVISOR, INGESTER, SCHEDULER, WATCHER, POLLER, JANITOR, ALERTER, MESSENGER)
    holders = {name: parts.leases.holder(name) for name in names}
    watch_errors = read_watch_errors(parts.home, [name for name in (WATCHER, POLLER) if holders[name]])
    known = [item for item in deployments if item.project_id in projects and projects[item.project_id].team_id in teams]
    if seen_within is not None and holders[SUPERVISOR] is None:
        seen_within = 0.0  # what is on record may be of a server that has hung since
    surroundings = _read_surroundings(parts, known, seen_within)
    return Overview(
        home=str(parts.home.path),
        deployments=tuple(
            replace(
                surroundings.view(teams[projects[item.project_id].team_id], projects[item.project_id], item),
                watch_error=watch_errors.get(item.id),
            )
            for item in known
        ),
        roles={name: lease.owner if lease else None for name, lease in holders.items()},
        router_running=parts.router.is_running(),
        engine=parts.observability.status(),
        lag=ingester.measure_lag(),
        ingestion=read_status(parts.home),
        firing=_list_firing(parts),
        looked_at=looked_at,
    )


def look_at(parts: Parts, deployment: Deployment) -> DeploymentView:
    """Read the records of one deployment and ask its servers whether they answer."""
    project = parts.storage.projects.get(deployment.project_id)
    roles = [name for name in (WATCHER, POLLER) if deployment.watch and parts.leases.holder(name)]
    errors = read_watch_errors(parts.home, roles) if roles else {}
    team = parts.storage.teams.get(project.team_id)
    view = _read_surroundings(parts, [deployment], None).view(team, project, deployment)
    return replace(view, watch_error=errors.get(deployment.id))


def _list_firing(parts: Parts) -> tuple[str, ...]:
    states = parts.storage.alert_states.list(statuses=[AlertStatus.FIRING])
    names = {rule.id: rule.name for rule in parts.storage.alert_rules.list()} if states else {}
    return tuple(sorted({names[state.rule_id] for state in states if state.rule_id in names}))


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """What belongs to deployments, read at once for all of them."""

    builds: Mapping[str, Build]
    active: Mapping[str, Build]
    processes: Mapping[str, Sequence[Process]]
    servers: Mapping[str, ServerView]

    def view(self, team: Team, project: Project, deployment: Deployment) -> DeploymentView:
        servers = tuple(self.servers[process.id] for process in self.processes.get(deployment.id, ()))
        first = servers[0].process if servers else None
        build = self.builds.get(deployment.current_build_id or "")
        owner = self.builds.get(get_owner_id(build)) if build and not build.artifact else build
        return DeploymentView(
            team,
            project,
            deployment,
            build=build,
            active_build=self.active.get(deployment.id),
            process=first,
            answers=any(server.answers for server in servers) if servers else None,
            servers=servers,
            studio_url=make_studio_url(deployment, owner, first),
        )


def _read_surroundings(parts: Parts, deployments: Sequence[Deployment], seen_within: float | None) -> _Surroundings:
    storage = parts.storage
    only = deployments[0].id if len(deployments) == 1 else None
    current = storage.builds.get_many(item.current_build_id for item in deployments if item.current_build_id)
    owners = storage.builds.get_many(get_owner_id(build) for build in current.values() if not build.artifact)
    serving = _pick_servers(deployments, storage.processes.list(only, statuses=ALIVE))
    return _Surroundings(
        builds={**owners, **current},
        active=_pick_active(storage.builds.list(only, statuses=(BuildStatus.QUEUED, *ACTIVE))),
        processes=serving,
        servers=observe(parts, [each for found in serving.values() for each in found], seen_within=seen_within),
    )


def _pick_servers(deployments: Sequence[Deployment], alive: Sequence[Process]) -> dict[str, list[Process]]:
    """The servers of each current build, the newest of each replica, in their order."""
    current = {item.id: item.current_build_id for item in deployments}
    newest: dict[str, dict[int, Process]] = {}
    for item in alive:
        if item.build_id == current.get(item.deployment_id):
            newest.setdefault(item.deployment_id, {}).setdefault(item.replica, item)
    return {owner: [found[replica] for replica in sorted(found)] for owner, found in newest.items()}


def _pick_active(waiting: Sequence[Build]) -> dict[str, Build]:
    """Of each deployment the build that is worked on, else the one whose turn is next."""
    found: dict[str, Build] = {}
    for build in sorted(waiting, key=lambda item: (item.status not in ACTIVE, item.number)):
        found.setdefault(build.deployment_id, build)
    return found
