"""States and the transitions that are allowed between them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar

from mastra_admin_sdk.errors import InvalidInput

_Choice = TypeVar("_Choice", bound=StrEnum)

_WORDS: Mapping[str, str] = {
    "BuildStatus": "status of a build",
    "DeploymentStatus": "status of a deployment",
    "ProcessStatus": "status of a server",
    "DesiredState": "state that can be asked for",
    "DeploymentType": "type of a deployment",
    "BuildTrigger": "trigger of a build",
    "BuildKind": "kind of a build",
    "SourceType": "type of a source",
    "Tls": "choice for certificates",
    "AlertKind": "kind of an alert",
    "AlertStatus": "status of an alert",
    "TokenScope": "scope of a token",
    "MemberRole": "role of a member",
}


def choose(kind: type[_Choice], value: str) -> _Choice:
    """Return the member of an enum that a person named.

    Raises:
        InvalidInput: there is none of that name; the hint lists those there are.
    """
    try:
        return kind(value)
    except ValueError as exc:
        raise InvalidInput(f"{value!r} is no {name_kind(kind)}.", hint=f"There are: {', '.join(kind)}.") from exc


def name_kind(kind: type[StrEnum]) -> str:
    """Return what people call the values of an enum, such as ``status of a build``."""
    return _WORDS.get(kind.__name__) or "".join(f" {c.lower()}" if c.isupper() else c for c in kind.__name__).strip()


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
    PROMOTE = "promote"


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


class Tls(StrEnum):
    """Where the certificate of an address comes from: nowhere (plain HTTP), an authority of our own, or ACME."""

    OFF = "off"
    INTERNAL = "internal"
    AUTO = "auto"


class PackageManager(StrEnum):
    """What installs a project's dependencies."""

    NPM = "npm"
    PNPM = "pnpm"
    YARN = "yarn"
    BUN = "bun"


class AlertKind(StrEnum):
    """What an alert rule measures. A rule fires when that reaches its threshold, which is in the same unit.

    Of each deployment: ``error_rate`` is the share of its traces that failed, 0 to 1; ``latency`` how many milliseconds
    its traces take, at a percentile; ``crash`` how many servers ended by themselves; ``down`` how many servers that
    should answer don't; ``memory`` how many megabytes its servers hold together; ``build`` how many builds failed.
    Of the whole home: ``lag`` is for how many seconds the oldest telemetry has waited to be stored, ``rejects`` how
    many lines of it were refused.
    """

    ERROR_RATE = "error_rate"
    LATENCY = "latency"
    CRASH = "crash"
    DOWN = "down"
    MEMORY = "memory"
    BUILD = "build"
    LAG = "lag"
    REJECTS = "rejects"


class AlertStatus(StrEnum):
    """What a rule says of a subject; ``pending`` is over the threshold, but not for long enough yet."""

    OK = "ok"
    PENDING = "pending"
    FIRING = "firing"


class AlertEvent(StrEnum):
    """What a message tells."""

    FIRING = "firing"
    REMINDER = "reminder"
    RESOLVED = "resolved"
    TEST = "test"


class DeliveryStatus(StrEnum):
    """What became of a message: ``failed`` was given up, ``skipped`` has no webhook to go to."""

    QUEUED = "queued"
    DELIVERED = "delivered"
    FAILED = "failed"
    SKIPPED = "skipped"


class MemberRole(StrEnum):
    """What a member of a team may do with what the team has: all of it, deploy and read, or read."""

    OWNER = "owner"
    MEMBER = "member"
    VIEWER = "viewer"

    @property
    def scopes(self) -> tuple[TokenScope, ...]:
        """What a token of such a member is good for at most."""
        return ROLE_SCOPES[self]


class TokenScope(StrEnum):
    """What a token is good for; ``admin`` includes the others."""

    READ = "read"
    DEPLOY = "deploy"
    ADMIN = "admin"
    INGEST = "ingest"


ROLE_SCOPES: Mapping[MemberRole, tuple[TokenScope, ...]] = {
    MemberRole.OWNER: tuple(TokenScope),
    MemberRole.MEMBER: (TokenScope.READ, TokenScope.DEPLOY),
    MemberRole.VIEWER: (TokenScope.READ,),
}
"""What tokens of members are good for at most, within their team."""

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
        raise InvalidInput(f"The {name_kind(type(current))} can't go from {current} to {to}.")
