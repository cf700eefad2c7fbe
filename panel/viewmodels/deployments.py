"""Deployments: as rows of lists, and as a page of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mastra_admin_sdk.models import (
    Build,
    BuildStatus,
    Deployment,
    DeploymentStatus,
    DeploymentType,
    DesiredState,
    Process,
)
from mastra_admin_sdk.services.overview import DeploymentView, ServerView

from .builds import BuildRow, describe_build, iso

MEGABYTE = 1024 * 1024
LIFETIMES = ((86400, "after a day"), (3 * 86400, "after 3 days"), (7 * 86400, "after a week"), (0, "never"))
"""Seconds after its last deploy at which a preview can be removed, and how that is called."""


@dataclass(frozen=True, slots=True)
class DeploymentRow:
    """One deployment in a list, as it is on record. ``build`` is the number of the build that serves."""

    id: str
    project_id: str
    branch: str
    slug: str
    type: str
    status: str
    reason: str | None
    url: str | None
    build_id: str | None
    build: int | None
    replicas: int
    updated_at: str | None
    expires_at: str | None


@dataclass(frozen=True, slots=True)
class Condition:
    """What a deployment does, as a word with a colour, and why in a sentence."""

    word: str
    tone: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ServerRow:
    """One server: whether it answers, and what it holds."""

    id: str
    replica: int
    status: str
    answers: bool
    pid: int | None
    address: str
    memory_mb: int | None
    restarts: int
    started_at: str | None
    build_id: str


@dataclass(frozen=True, slots=True)
class Tracing:
    """Whether a deployment's servers are traced: ``word``, and why not, or what was dropped."""

    word: str
    tone: str
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent that the serving build has."""

    id: str
    name: str
    description: str
    model: str
    tools: tuple[str, ...]


def describe_row(deployment: Deployment, numbers: Mapping[str, int]) -> DeploymentRow:
    """Return a deployment as a row; ``numbers`` are those of builds by id."""
    current = deployment.current_build_id
    return DeploymentRow(
        id=deployment.id,
        project_id=deployment.project_id,
        branch=deployment.branch,
        slug=deployment.slug,
        type=deployment.type.value,
        status=deployment.status.value,
        reason=deployment.status_reason,
        url=deployment.public_url,
        build_id=current,
        build=numbers.get(current) if current else None,
        replicas=deployment.replicas,
        updated_at=iso(deployment.updated_at),
        expires_at=iso(deployment.expires_at),
    )


def group_rows(rows: Iterable[DeploymentRow]) -> dict[str, list[DeploymentRow]]:
    """Return rows by their project, those that need a look first, then production before staging and previews."""
    grouped: dict[str, list[DeploymentRow]] = {}
    for row in sorted(rows, key=_rank):
        grouped.setdefault(row.project_id, []).append(row)
    return grouped


def describe_condition(view: DeploymentView) -> Condition:
    """Return what a deployment does, as observed: a server that doesn't answer isn't called running."""
    deployment = view.deployment
    reason = deployment.status_reason
    if deployment.status is DeploymentStatus.RUNNING and view.servers:
        return _describe_servers(view, reason)
    if deployment.status is DeploymentStatus.PENDING and deployment.current_build_id:
        return Condition("restarting", "wait", reason or "Its server ended by itself and is about to be started again.")
    if deployment.status is DeploymentStatus.PENDING and view.active_build:
        return Condition(view.active_build.status.value, "busy", reason)
    if deployment.status is DeploymentStatus.PENDING:
        return Condition("not deployed", "idle", reason)
    return Condition(deployment.status.value, _TONES.get(deployment.status, "idle"), reason)


def describe_server(server: ServerView) -> ServerRow:
    """Return a server as a row; its memory as measured just now, else as it was last."""
    process = server.process
    held = server.usage.memory_bytes if server.usage else process.stats.get("memory_bytes")
    return ServerRow(
        id=process.id,
        replica=process.replica,
        status=process.status.value,
        answers=server.answers,
        pid=process.pid,
        address=f"http://{process.host}:{process.port}",
        # Rounded: a page that shows each byte would change with each look.
        memory_mb=round(held / MEGABYTE / 5) * 5 if held else None,
        restarts=process.restarts,
        started_at=iso(process.started_at),
        build_id=process.build_id,
    )


def describe_tracing(servers: Sequence[ServerView]) -> Tracing:
    """Return whether servers are traced, and if not why."""
    if not servers:
        return Tracing("unknown", "idle", "No server runs that could be asked.")
    said = [server.process.trace_status for server in servers]
    dropped = sum(item for status in said if isinstance(item := status.get("dropped"), int))
    untraced = [status for status in said if not status.get("traced")]
    if untraced:
        reason = str(untraced[0].get("reason") or "The tracing module said nothing.")
        return Tracing("not traced", "wait", reason)
    note = f"{dropped:,} lines of telemetry were dropped since the start." if dropped else None
    return Tracing("traced", "wait" if dropped else "good", note)


def list_agents(inventory: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> tuple[Agent, ...]:
    """Return the agents of a build's inventory, by name."""
    found = inventory.get("agents") or {}
    agents = [_describe_agent(key, fields) for key, fields in found.items() if isinstance(fields, Mapping)]
    return tuple(sorted(agents, key=lambda agent: agent.name.lower()))


def choose_actions(view: DeploymentView) -> frozenset[str]:
    """Return which actions make sense for a deployment now.

    Of ``start``, ``stop``, ``restart``, ``promote``; the others always do.
    """
    deployment = view.deployment
    wants = deployment.desired_state is DesiredState.RUNNING
    actions = set()
    if deployment.current_build_id:
        actions |= {"restart", "promote"} if wants else {"start", "promote"}
    if wants and (deployment.status is not DeploymentStatus.STOPPED or view.servers or view.active_build):
        actions.add("stop")
    return frozenset(actions)


def list_targets(deployment: Deployment, siblings: Iterable[Deployment]) -> tuple[tuple[str, str], ...]:
    """Return where a deployment can be promoted to, as (reference, label): its siblings, and types none of them has."""
    others = sorted((item for item in siblings if item.id != deployment.id), key=lambda item: (item.type, item.branch))
    taken = {item.type for item in others}
    listed = [(item.id, f"{item.branch} ({item.type})") for item in others]
    missing = [
        kind for kind in (DeploymentType.PRODUCTION, DeploymentType.STAGING) if kind not in taken | {deployment.type}
    ]
    return (*listed, *((kind.value, f"new {kind} on the default branch") for kind in missing))


def list_lifetimes(chosen: int | None = None) -> tuple[tuple[int, str], ...]:
    """Return `LIFETIMES`, with one that was chosen elsewhere."""
    if chosen is None or chosen in dict(LIFETIMES):
        return LIFETIMES
    return ((chosen, f"after {chosen / 3600:,.3g} h"), *LIFETIMES)


def find_last_failure(current: Build | None, newest: Iterable[Build]) -> BuildRow | None:
    """Return the newest build if it failed after the one that serves; ``newest`` is newest first."""
    last = next(iter(newest), None)
    if last is None or last.status is not BuildStatus.FAILED or (current and last.number <= current.number):
        return None
    return describe_build(last)


def describe_ended(processes: Iterable[Process], limit: int = 5) -> tuple[dict[str, Any], ...]:
    """Return the servers that ended last, with how: newest first."""
    ended = [process for process in processes if not process.status.is_alive][:limit]
    return tuple(
        {
            "id": process.id,
            "replica": process.replica,
            "exited_at": iso(process.exited_at),
            "reason": process.exit_reason or _name_exit(process),
            "is_crash": bool(process.exit_code) or process.exit_signal not in (None, 15),
        }
        for process in ended
    )


_TONES = {
    DeploymentStatus.RUNNING: "good",
    DeploymentStatus.BUILDING: "busy",
    DeploymentStatus.PENDING: "wait",
    DeploymentStatus.FAILED: "bad",
}
_ORDER = {"failed": 0, "pending": 1, "building": 1}
_TYPES = {"production": 0, "staging": 1}


def _rank(row: DeploymentRow) -> tuple[int, int, str]:
    return _ORDER.get(row.status, 2), _TYPES.get(row.type, 2), row.branch


def _describe_servers(view: DeploymentView, reason: str | None) -> Condition:
    if not view.answering:
        return Condition("not answering", "bad", reason or "Its health check isn't answered.")
    if view.answering < len(view.servers):
        return Condition(
            "partly answering", "wait", reason or f"{view.answering} of {len(view.servers)} servers answer."
        )
    return Condition("running", "good", reason)


def _describe_agent(key: str, fields: Mapping[str, Any]) -> Agent:
    model = "/".join(str(fields[name]) for name in ("provider", "modelId") if fields.get(name))
    tools = fields.get("tools")
    return Agent(
        id=str(key),
        name=str(fields.get("name") or key),
        description=str(fields.get("description") or ""),
        model=model,
        tools=tuple(map(str, tools)) if isinstance(tools, list) else (),
    )


def _name_exit(process: Process) -> str:
    if process.exit_signal is not None:
        return f"ended by signal {process.exit_signal}"
    return f"exit code {process.exit_code}" if process.exit_code is not None else "ended"
