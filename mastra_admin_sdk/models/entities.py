"""What the database holds: a frozen dataclass a table.

Ids are UUIDs as text. Times are timezone-aware UTC datetimes. A record is a snapshot: changing it means asking the
storage to, which returns a new one.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from mastra_admin_sdk.display.shown import Shown

from .showing import (
    describe_build,
    describe_deployment,
    describe_event,
    describe_lease,
    describe_process,
    describe_project,
    describe_route,
    describe_schedule,
    describe_team,
    describe_variable,
    list_build_cells,
)
from .states import (
    BuildKind,
    BuildStatus,
    BuildTrigger,
    DeploymentStatus,
    DeploymentType,
    DesiredState,
    ProcessStatus,
    SourceType,
    Strategy,
    Tls,
)


def new_id() -> str:
    """Return a new id: a random UUID as text."""
    return str(uuid.uuid4())


def utc_now() -> datetime:
    """Return the current time in UTC, timezone-aware, as every record stores it."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, repr=False)
class EnvVar(Shown):
    """One environment variable of a project or deployment; its value is encrypted (services.environment.secrets)."""

    key: str
    encrypted_value: str = field(repr=False)
    is_secret: bool = True

    _describe = describe_variable


@dataclass(frozen=True, slots=True, repr=False)
class Team(Shown):
    """Owns projects; its slug is part of every address and unique."""

    name: str
    slug: str
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=utc_now)
    updated_at: datetime = field(default_factory=utc_now)

    _describe = describe_team


@dataclass(frozen=True, slots=True, repr=False)
class Project(Shown):
    """One Mastra app of a team, tied to a source project; its slug is unique in its team.

    ``source_config`` for `SourceType.LOCAL`: ``{"project_id": …, "path": …}``; for `SourceType.GIT`: ``{"url": …,
    "path": …}``, where the path is that of the project in the repository, empty at its root.
    ``webhook_secret`` is encrypted: what a webhook that deploys this project has to know.
    """

    team_id: str
    name: str
    slug: str
    source_type: SourceType = SourceType.LOCAL
    source_config: Mapping[str, Any] = field(default_factory=dict)
    default_branch: str = "main"
    env_vars: tuple[EnvVar, ...] = ()
    env_version: int = 0
    webhook_secret: str | None = field(default=None, repr=False)
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=utc_now)
    updated_at: datetime = field(default_factory=utc_now)

    _describe = describe_project


@dataclass(frozen=True, slots=True, repr=False)
class Deployment(Shown):
    """A project on a branch; its slug is unique in its project.

    ``branch`` is a label for a local source, and the branch, tag or commit that is deployed of a git source.
    ``replicas`` servers share its route; ``memory_mb`` and ``nice`` (0 to 19, higher yields more) bind each of them,
    ``None`` leaves it to the settings. ``domains`` are hosts of its own beside those that are made from its name, with
    ``tls`` for them. ``watch`` deploys it whenever its source changes. ``expires_at`` is when a preview is removed:
    each deploy moves it by ``ttl_seconds``, where ``None`` leaves that to the setting and 0 means never.
    ``keep_builds`` is how many artifacts are kept; ``None`` leaves it to the setting.
    """

    project_id: str
    branch: str
    slug: str
    type: DeploymentType = DeploymentType.PRODUCTION
    status: DeploymentStatus = DeploymentStatus.PENDING
    desired_state: DesiredState = DesiredState.RUNNING
    strategy: Strategy = Strategy.SWAP
    current_build_id: str | None = None
    previous_build_id: str | None = None
    public_url: str | None = None
    env_overrides: tuple[EnvVar, ...] = ()
    env_version: int = 0
    status_reason: str | None = None
    replicas: int = 1
    memory_mb: int | None = None
    nice: int | None = None
    domains: tuple[str, ...] = ()
    tls: Tls = Tls.OFF
    watch: bool = False
    keep_builds: int | None = None
    ttl_seconds: int | None = None
    expires_at: datetime | None = None
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=utc_now)
    updated_at: datetime = field(default_factory=utc_now)

    _describe = describe_deployment


PHASES = ("copy", "install", "build", "start", "health", "route", "drain")
"""What a build goes through, in order; with the strategy ``recreate`` it drains before it starts."""


@dataclass(frozen=True, slots=True, repr=False)
class Build(Shown):
    """One attempt to put an artifact live, numbered 1, 2, 3 … in its deployment.

    ``phases`` maps each of `PHASES` that was entered to seconds, in that order.
    ``artifact_build_id`` names the build whose artifact it runs: its own after a deploy, another's after a rollback, a
    promotion, or a deploy of what was built before.
    ``env_snapshot`` is the encrypted environment it ran with, which a rollback starts again.
    ``ref`` is what was asked for of a git source, ``commit`` what it was; ``actor`` is who asked.
    ``cache_key`` stands for everything that went into the artifact: a build of equal key may run the same one, unless
    ``fresh`` was asked for. ``stats`` are figures of the build (see `services.history.records`).
    ``worker_id``, ``generation`` and ``heartbeat_at`` belong to the claim (see ports.storage).
    """

    deployment_id: str
    number: int = 0
    kind: BuildKind = BuildKind.DEPLOY
    trigger: BuildTrigger = BuildTrigger.MANUAL
    status: BuildStatus = BuildStatus.QUEUED
    priority: int = 0
    log_path: str | None = None
    queued_at: datetime = field(default_factory=utc_now)
    started_at: datetime | None = None
    completed_at: datetime | None = None
    phases: Mapping[str, float] = field(default_factory=dict)
    error_message: str | None = None
    error: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    ref: str | None = None
    commit: str | None = None
    actor: str | None = None
    fresh: bool = False
    cache_key: str | None = None
    stats: Mapping[str, Any] = field(default_factory=dict)
    source_hash: str | None = None
    artifact_build_id: str | None = None
    artifact: Mapping[str, Any] = field(default_factory=dict)
    env_snapshot: tuple[EnvVar, ...] = ()
    env_version: str | None = None
    worker_id: str | None = None
    generation: int = 0
    heartbeat_at: datetime | None = None
    cancel_requested: bool = False
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=utc_now)

    _describe = describe_build
    _list_cells = list_build_cells

    def __post_init__(self) -> None:
        # A database may keep the keys of a JSON object in an order of its own.
        object.__setattr__(self, "phases", dict(sorted(self.phases.items(), key=_place_phase)))

    @property
    def is_final(self) -> bool:
        """True when the build has ended, whichever way."""
        return self.status.is_final


def _place_phase(phase: tuple[str, float]) -> int:
    return PHASES.index(phase[0]) if phase[0] in PHASES else len(PHASES)


@dataclass(frozen=True, slots=True, repr=False)
class Process(Shown):
    """One server of one artifact. ``boot_id`` and ``start_ticks`` tell its pid from a later one with that number.

    ``pid`` is the server's (node), ``shim_pid`` that of the small process above it, which outlives the SDK.
    ``replica`` counts the servers of a deployment from 0. ``stats`` are the last figures of it: see
    `models.ServerUsage`, with the time they were read and the last health check.
    ``trace_status`` is what the tracing module said: ``{"traced": bool, "reason": …, "dropped": n, …}``.
    """

    deployment_id: str
    build_id: str
    host: str
    port: int
    status: ProcessStatus = ProcessStatus.STARTING
    pid: int | None = None
    start_ticks: int | None = None
    shim_pid: int | None = None
    shim_start_ticks: int | None = None
    boot_id: str | None = None
    log_path: str | None = None
    replica: int = 0
    restarts: int = 0
    stats: Mapping[str, Any] = field(default_factory=dict)
    exit_code: int | None = None
    exit_signal: int | None = None
    exit_reason: str | None = None
    trace_status: Mapping[str, Any] = field(default_factory=dict)
    started_at: datetime = field(default_factory=utc_now)
    exited_at: datetime | None = None
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=utc_now)

    _describe = describe_process


@dataclass(frozen=True, slots=True, repr=False)
class Route(Shown):
    """A host name that the router sends to local ports; the host is unique.

    ``more_targets`` are those of further replicas, each as ``address:port``; ``tls`` is that of this host.
    """

    host: str
    target_host: str
    target_port: int
    deployment_id: str
    more_targets: tuple[str, ...] = ()
    tls: Tls = Tls.OFF
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=utc_now)

    _describe = describe_route

    @property
    def targets(self) -> tuple[str, ...]:
        """All targets as ``address:port``, the main one first."""
        return (f"{self.target_host}:{self.target_port}", *self.more_targets)


@dataclass(frozen=True, slots=True, repr=False)
class Schedule(Shown):
    """When a deployment is deployed again by itself: a cron expression of five fields in a time zone (an IANA name).

    ``next_at`` is when it fires next; it is moved by compare-and-set, so that of two processes only one fires it.
    """

    deployment_id: str
    cron: str
    timezone: str = "UTC"
    enabled: bool = True
    next_at: datetime | None = None
    last_fired_at: datetime | None = None
    last_build_id: str | None = None
    last_error: str | None = None
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=utc_now)

    _describe = describe_schedule


@dataclass(frozen=True, slots=True, repr=False)
class Event(Shown):
    """One line of the audit log: who did what to which object."""

    actor: str
    action: str
    object_type: str
    object_id: str
    details: Mapping[str, Any] = field(default_factory=dict)
    time: datetime = field(default_factory=utc_now)
    id: str = field(default_factory=new_id)

    _describe = describe_event


@dataclass(frozen=True, slots=True, repr=False)
class Lease(Shown):
    """A role (supervisor, ingester, …) that one owner holds until ``expires_at``; each take-over adds a generation."""

    name: str
    owner: str
    generation: int
    expires_at: datetime

    _describe = describe_lease


@dataclass(frozen=True, slots=True)
class Offset:
    """How far a telemetry file has been stored.

    ``path`` is relative to the home's telemetry folder, ``position`` in bytes (of what is in it, if it is gzip).
    ``inode``, and ``head``, a checksum of its first bytes (0 when none was made), tell a replaced file. ``done`` is set
    once a closed file has been stored to its end.
    """

    path: str
    position: int
    inode: int = 0
    done: bool = False
    updated_at: datetime = field(default_factory=utc_now)
    head: int = 0
