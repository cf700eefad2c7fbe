"""The nouns of MastraAdmin: frozen dataclasses, their states, and the transitions that are allowed.

Ids are UUIDs as text. Times are timezone-aware UTC datetimes. A record is a snapshot: changing it means asking the
storage to, which returns a new one.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from .errors import InvalidInput

_Choice = TypeVar("_Choice", bound=StrEnum)


def new_id() -> str:
    """Return a new id: a random UUID as text."""
    return str(uuid.uuid4())


def utc_now() -> datetime:
    """Return the current time in UTC, timezone-aware, as every record stores it."""
    return datetime.now(UTC)


def choose(kind: type[_Choice], value: str) -> _Choice:
    """Return the member of an enum that a person named.

    Raises:
        InvalidInput: there is none of that name; the hint lists those there are.
    """
    try:
        return kind(value)
    except ValueError as exc:
        raise InvalidInput(f"{value!r} is no {kind.__name__}.", hint=f"There are: {', '.join(kind)}.") from exc


# --- states -----------------------------------------------------------------------------------------------------------


class BuildStatus(StrEnum):
    """Where a build is on its way to live."""

    QUEUED = "queued"
    BUILDING = "building"
    DEPLOYING = "deploying"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"

    @property
    def is_final(self) -> bool:
        """True when nothing will change any more."""
        return not BUILD_TRANSITIONS[self]


class DeploymentStatus(StrEnum):
    """What a deployment was last observed to do."""

    PENDING = "pending"
    BUILDING = "building"
    RUNNING = "running"
    STOPPED = "stopped"
    FAILED = "failed"


class DesiredState(StrEnum):
    """What a person asked a deployment to do."""

    RUNNING = "running"
    STOPPED = "stopped"


class DeploymentType(StrEnum):
    """What a deployment is for."""

    PRODUCTION = "production"
    STAGING = "staging"
    PREVIEW = "preview"


class Strategy(StrEnum):
    """How a new server takes over: beside the old one, or after it has stopped."""

    SWAP = "swap"
    RECREATE = "recreate"


class BuildTrigger(StrEnum):
    """What started a build."""

    MANUAL = "manual"
    WEBHOOK = "webhook"
    SCHEDULE = "schedule"
    WATCH = "watch"


class BuildKind(StrEnum):
    """What a build does on the one path to live: make a new artifact, or start one that is kept."""

    DEPLOY = "deploy"
    RESTART = "restart"
    ROLLBACK = "rollback"


class ProcessStatus(StrEnum):
    """What a server process was last observed to do."""

    STARTING = "starting"
    RUNNING = "running"
    DRAINING = "draining"
    EXITED = "exited"

    @property
    def is_alive(self) -> bool:
        """True while the process holds its port."""
        return self is not ProcessStatus.EXITED


class SourceType(StrEnum):
    """Where a project's code comes from."""

    LOCAL = "local"
    GIT = "git"


class PackageManager(StrEnum):
    """What installs a project's dependencies."""

    NPM = "npm"
    PNPM = "pnpm"
    YARN = "yarn"
    BUN = "bun"


BUILD_TRANSITIONS: Mapping[BuildStatus, frozenset[BuildStatus]] = {
    BuildStatus.QUEUED: frozenset(
        {BuildStatus.BUILDING, BuildStatus.CANCELLED, BuildStatus.SUPERSEDED, BuildStatus.FAILED}
    ),
    BuildStatus.BUILDING: frozenset(
        {BuildStatus.DEPLOYING, BuildStatus.FAILED, BuildStatus.CANCELLED, BuildStatus.QUEUED}
    ),
    BuildStatus.DEPLOYING: frozenset(
        {BuildStatus.SUCCEEDED, BuildStatus.FAILED, BuildStatus.CANCELLED, BuildStatus.QUEUED}
    ),
    BuildStatus.SUCCEEDED: frozenset(),
    BuildStatus.FAILED: frozenset(),
    BuildStatus.CANCELLED: frozenset(),
    BuildStatus.SUPERSEDED: frozenset(),
}
"""Allowed changes of a build. Back to ``queued`` is what recovery does with the build of a worker that died."""

DEPLOYMENT_TRANSITIONS: Mapping[DeploymentStatus, frozenset[DeploymentStatus]] = {
    DeploymentStatus.PENDING: frozenset(
        {DeploymentStatus.BUILDING, DeploymentStatus.RUNNING, DeploymentStatus.STOPPED, DeploymentStatus.FAILED}
    ),
    DeploymentStatus.BUILDING: frozenset(
        {DeploymentStatus.RUNNING, DeploymentStatus.STOPPED, DeploymentStatus.FAILED, DeploymentStatus.PENDING}
    ),
    DeploymentStatus.RUNNING: frozenset({DeploymentStatus.PENDING, DeploymentStatus.STOPPED, DeploymentStatus.FAILED}),
    DeploymentStatus.STOPPED: frozenset({DeploymentStatus.BUILDING, DeploymentStatus.RUNNING, DeploymentStatus.FAILED}),
    DeploymentStatus.FAILED: frozenset({DeploymentStatus.BUILDING, DeploymentStatus.RUNNING, DeploymentStatus.STOPPED}),
}
"""Allowed changes of a deployment.

``running`` never becomes ``building``: the old server serves on meanwhile. It becomes ``pending`` when its server ended
by itself and is about to be started again.
"""

PROCESS_TRANSITIONS: Mapping[ProcessStatus, frozenset[ProcessStatus]] = {
    ProcessStatus.STARTING: frozenset({ProcessStatus.RUNNING, ProcessStatus.DRAINING, ProcessStatus.EXITED}),
    ProcessStatus.RUNNING: frozenset({ProcessStatus.DRAINING, ProcessStatus.EXITED}),
    ProcessStatus.DRAINING: frozenset({ProcessStatus.EXITED}),
    ProcessStatus.EXITED: frozenset(),
}
"""Allowed changes of a process."""


def check_transition(
    current: BuildStatus | DeploymentStatus | ProcessStatus, to: BuildStatus | DeploymentStatus | ProcessStatus
) -> None:
    """Raise `InvalidInput` unless ``current`` may become ``to``."""
    tables: Mapping[type, Mapping[Any, frozenset[Any]]] = {
        BuildStatus: BUILD_TRANSITIONS,
        DeploymentStatus: DEPLOYMENT_TRANSITIONS,
        ProcessStatus: PROCESS_TRANSITIONS,
    }
    if to not in tables[type(current)][current]:
        raise InvalidInput(f"A {type(current).__name__} can't go from {current} to {to}.")


# --- entities ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EnvVar:
    """One environment variable of a project or deployment; the value is encrypted (see services.secrets)."""

    key: str
    encrypted_value: str = field(repr=False)
    is_secret: bool = True


@dataclass(frozen=True, slots=True)
class Team:
    """Owns projects; its slug is part of every address and unique."""

    name: str
    slug: str
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=utc_now)
    updated_at: datetime = field(default_factory=utc_now)


@dataclass(frozen=True, slots=True)
class Project:
    """One Mastra app of a team, tied to a source project; its slug is unique in its team.

    ``source_config`` for `SourceType.LOCAL`: ``{"project_id": …, "path": …}``.
    """

    team_id: str
    name: str
    slug: str
    source_type: SourceType = SourceType.LOCAL
    source_config: Mapping[str, Any] = field(default_factory=dict)
    default_branch: str = "main"
    env_vars: tuple[EnvVar, ...] = ()
    env_version: int = 0
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=utc_now)
    updated_at: datetime = field(default_factory=utc_now)


@dataclass(frozen=True, slots=True)
class Deployment:
    """A project on a branch; its slug is unique in its project."""

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
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=utc_now)
    updated_at: datetime = field(default_factory=utc_now)


PHASES = ("copy", "install", "build", "start", "health", "route", "drain")
"""What a build goes through, in order; with the strategy ``recreate`` it drains before it starts."""


@dataclass(frozen=True, slots=True)
class Build:
    """One attempt to put an artifact live, numbered 1, 2, 3 … in its deployment.

    ``phases`` maps each of `PHASES` that was entered to seconds, in that order.
    ``artifact_build_id`` names the build whose artifact it runs: its own after a deploy, another's after a rollback.
    ``env_snapshot`` is the encrypted environment it ran with, which a rollback starts again.
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
    commit: str | None = None
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

    def __post_init__(self) -> None:
        # A database may keep the keys of a JSON object in an order of its own.
        object.__setattr__(self, "phases", dict(sorted(self.phases.items(), key=_place_phase)))

    @property
    def is_final(self) -> bool:
        """True when the build has ended, whichever way."""
        return self.status.is_final


def _place_phase(phase: tuple[str, float]) -> int:
    return PHASES.index(phase[0]) if phase[0] in PHASES else len(PHASES)


@dataclass(frozen=True, slots=True)
class Process:
    """One server of one artifact. ``boot_id`` and ``start_ticks`` tell its pid from a later one with that number.

    ``pid`` is the server's (node), ``shim_pid`` that of the small process above it, which outlives the SDK.
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
    restarts: int = 0
    exit_code: int | None = None
    exit_signal: int | None = None
    exit_reason: str | None = None
    trace_status: Mapping[str, Any] = field(default_factory=dict)
    started_at: datetime = field(default_factory=utc_now)
    exited_at: datetime | None = None
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=utc_now)


@dataclass(frozen=True, slots=True)
class Route:
    """A host name that the router sends to a local port; the host is unique."""

    host: str
    target_host: str
    target_port: int
    deployment_id: str
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=utc_now)


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the audit log: who did what to which object."""

    actor: str
    action: str
    object_type: str
    object_id: str
    details: Mapping[str, Any] = field(default_factory=dict)
    time: datetime = field(default_factory=utc_now)
    id: str = field(default_factory=new_id)


@dataclass(frozen=True, slots=True)
class Lease:
    """A role (supervisor, ingester, …) that one owner holds until ``expires_at``; each take-over adds a generation."""

    name: str
    owner: str
    generation: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Offset:
    """How far a telemetry file has been stored.

    ``path`` is relative to the home's telemetry folder, ``position`` in bytes, ``inode`` tells a replaced file.
    ``done`` is set once a closed file has been stored to its end.
    """

    path: str
    position: int
    inode: int = 0
    done: bool = False
    updated_at: datetime = field(default_factory=utc_now)


# --- what a source and a runner talk about ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SourceProject:
    """What a project source found.

    ``env_files`` are names of ``.env*`` files, which are never copied.
    """

    id: str
    name: str
    path: str
    version: str | None = None
    package_manager: PackageManager = PackageManager.NPM
    has_lockfile: bool = False
    mastra_version: str | None = None
    has_mastra_cli: bool = False
    has_observability: bool = False
    node_range: str | None = None
    env_files: tuple[str, ...] = ()
    git_branch: str | None = None
    git_commit: str | None = None
    git_dirty: bool | None = None


@dataclass(frozen=True, slots=True)
class SkippedFolder:
    """A folder that a scan passed over although it looked like a project, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """What a runner needs to turn a source copy into an artifact.

    ``workspace`` holds the isolated copy of the source and may be changed; ``artifact_dir`` doesn't exist yet.
    ``env`` are the project's variables that aren't secret: ``mastra build`` sees them, the install step doesn't.
    ``redact`` are secret values that must not reach a log.
    """

    build_id: str
    project: SourceProject
    workspace: Path
    artifact_dir: Path
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    redact: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Artifact:
    """A finished build folder: immutable, and all that a server start needs.

    ``entry`` is relative to ``path``; ``node`` is the Node program that it was built with and runs under.
    """

    path: Path
    entry: str
    node: str
    node_version: str
    mastra_version: str | None
    observability: str | None
    phases: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ServerSpec:
    """What a runner needs to start one server of an artifact.

    ``data_dir`` is the deployment's persistent folder, ``telemetry_dir`` that of this process.
    ``env`` is the project's own environment, decrypted; ``redact`` the values in it that are secret.
    """

    process_id: str
    project_id: str
    deployment_id: str
    build_id: str
    artifact: Artifact
    host: str
    port: int
    data_dir: Path
    telemetry_dir: Path
    log_path: Path
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    redact: tuple[str, ...] = field(default=(), repr=False)
    drain_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class ServerIdentity:
    """What tells one running server from everything else, also after a reboot; part of `Process`."""

    process_id: str
    host: str
    port: int
    pid: int
    start_ticks: int
    shim_pid: int
    shim_start_ticks: int
    boot_id: str


@dataclass(frozen=True, slots=True)
class ServerExit:
    """How a server ended. ``signal`` is set when one ended it; ``reason`` is a sentence for people."""

    code: int | None
    signal: int | None
    reason: str
    log_tail: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LogLine:
    """One numbered line of a build or server log; ``time`` is UTC, ``stream`` is ``out``, ``err`` or ``info``."""

    number: int
    time: datetime
    stream: str
    text: str
