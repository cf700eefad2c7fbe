"""What records show of themselves: a function a kind of record, which uses it alone, and no secret of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mastra_admin_sdk.display.shown import Card
from mastra_admin_sdk.display.text import format_bytes, format_duration
from mastra_admin_sdk.display.values import Link, Moment, State, hide_login

if TYPE_CHECKING:
    from .entities import Build, Deployment, EnvVar, Event, Lease, Process, Project, Route, Schedule, Team

_SHORT_ID = 8
_SHORT_TEXT = 160


def show_time(when: datetime | None) -> Moment | None:
    """Return a time as cards show it; ``None`` stays."""
    return Moment(when) if isinstance(when, datetime) else None


def show_id(record_id: str | None) -> str | None:
    """Return the beginning of an id, by which `get` finds it as well."""
    return str(record_id)[:_SHORT_ID] if record_id else None


def show_text(value: Any) -> str | None:
    """Return the beginning of any value as text; ``None`` stays."""
    if value is None:
        return None
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= _SHORT_TEXT else f"{text[: _SHORT_TEXT - 1]}…"


def describe_team(team: Team) -> Card:
    """Return what is shown of a team."""
    return Card(
        "Team",
        team.slug,
        facts=(("name", team.name), ("created", show_time(team.created_at)), ("id", show_id(team.id))),
        note="" if team.name == team.slug else f"({team.name})",
        tries=(f'admin.projects.create("{team.slug}", source="…")', f'admin.projects.list("{team.slug}")'),
    )


def describe_project(project: Project) -> Card:
    """Return what is shown of a project; of its variables their names alone."""
    return Card(
        "Project",
        project.slug,
        facts=(
            ("name", project.name),
            ("source", show_source(project.source_config)),
            ("branch", project.default_branch),
            ("variables", _name_variables(project.env_vars)),
            ("webhook", "yes" if project.webhook_secret else None),
            ("created", show_time(project.created_at)),
            ("id", show_id(project.id)),
        ),
        note="" if project.name == project.slug else f"({project.name})",
        tries=(f'admin.deploy("{project.slug}")', f'admin.deployments.list("{project.slug}")'),
    )


def show_source(config: Mapping[str, Any]) -> Link | str | None:
    """Return where a project's code is: a folder, or a repository without the login that its address may hold."""
    url, path = config.get("url"), config.get("path")
    if url:
        address = hide_login(str(url))
        return Link(address, f"{address} {path}".strip() if path else address)
    return str(path) if path else None


def describe_deployment(deployment: Deployment) -> Card:
    """Return what is shown of a deployment's record."""
    url, reason = deployment.public_url, deployment.status_reason or ""
    return Card(
        "Deployment",
        deployment.slug,
        str(deployment.status),
        facts=(
            ("type", str(deployment.type)),
            ("branch", deployment.branch),
            ("address", Link(url) if url else None),
            ("servers", deployment.replicas if deployment.replicas != 1 else None),
            ("domains", ", ".join(deployment.domains)),
            ("watched", "yes" if deployment.watch else None),
            ("variables", _name_variables(deployment.env_overrides)),
            ("expires", show_time(deployment.expires_at)),
            ("changed", show_time(deployment.updated_at)),
            ("id", show_id(deployment.id)),
        ),
        note=" ".join(each for each in (url or "no address yet", f"({reason})" if reason else "") if each),
        problem=reason,
    )


def describe_build(build: Build) -> Card:
    """Return what is shown of a build's record."""
    seconds = sum(build.phases.values())
    took = f"in {format_duration(seconds)}" if seconds else ""
    return Card(
        "Build",
        f"#{build.number}",
        str(build.status),
        facts=(
            ("kind", str(build.kind)),
            ("trigger", str(build.trigger)),
            ("by", build.actor),
            ("commit", show_id(build.commit)),
            ("queued", show_time(build.queued_at)),
            ("took", format_duration(seconds) if seconds else None),
            ("phases", ", ".join(f"{name} {format_duration(each)}" for name, each in build.phases.items())),
            ("error", build.error_message),
            ("notes", "; ".join(build.notes)),
            ("id", show_id(build.id)),
        ),
        note=" ".join(each for each in (took, f"({build.error_message})" if build.error_message else "") if each),
    )


def list_build_cells(build: Build) -> Mapping[str, Any]:
    """Return what a list of builds shows of one."""
    seconds = sum(build.phases.values())
    return {
        "build": f"#{build.number}",
        "status": State(str(build.status)),
        "kind": str(build.kind),
        "trigger": str(build.trigger),
        "commit": show_id(build.commit),
        "queued": show_time(build.queued_at),
        "took": format_duration(seconds) if seconds else None,
        "error": show_text(build.error_message),
    }


def describe_process(process: Process) -> Card:
    """Return what is shown of a server's record."""
    memory = process.stats.get("memory_bytes")
    is_traced = process.trace_status.get("traced")
    return Card(
        "Process",
        str(process.pid or show_id(process.id)),
        str(process.status),
        facts=(
            ("address", Link(f"http://{process.host}:{process.port}")),
            ("server", process.replica),
            ("memory", format_bytes(memory) if isinstance(memory, int | float) else None),
            ("restarts", process.restarts),
            ("traced", None if is_traced is None else "yes" if is_traced else "no"),
            ("started", show_time(process.started_at)),
            ("ended", show_time(process.exited_at)),
            ("reason", process.exit_reason),
            ("id", show_id(process.id)),
        ),
        note=f"http://{process.host}:{process.port}{f' ({process.exit_reason})' if process.exit_reason else ''}",
    )


def describe_route(route: Route) -> Card:
    """Return what is shown of a route."""
    return Card(
        "Route",
        route.host,
        facts=(("leads to", ", ".join(route.targets)), ("TLS", str(route.tls)), ("since", show_time(route.created_at))),
        note=f"→ {', '.join(route.targets)}",
    )


def describe_schedule(schedule: Schedule) -> Card:
    """Return what is shown of a schedule."""
    return Card(
        "Schedule",
        schedule.cron,
        "enabled" if schedule.enabled else "disabled",
        facts=(
            ("time zone", schedule.timezone),
            ("next", show_time(schedule.next_at)),
            ("last", show_time(schedule.last_fired_at)),
            ("error", schedule.last_error),
            ("id", show_id(schedule.id)),
        ),
        note=schedule.timezone,
    )


def describe_event(event: Event) -> Card:
    """Return what is shown of a line of the audit log."""
    told = event.details.get("object") or show_id(event.object_id)
    return Card(
        "Event",
        event.action,
        facts=(
            ("time", show_time(event.time)),
            ("by", event.actor),
            ("object", f"{event.object_type} {told}"),
            ("from", show_text(event.details.get("origin"))),
            ("details", _name_details(event.details)),
        ),
        note=f"{event.object_type} {told} by {event.actor}",
    )


def _name_details(details: Mapping[str, Any]) -> str:
    rest = {name: value for name, value in details.items() if name not in ("object", "origin", "host", "pid")}
    return ", ".join(f"{name}={show_text(value)}" for name, value in rest.items())


def describe_lease(lease: Lease) -> Card:
    """Return what is shown of a role and who holds it."""
    return Card(
        "Lease",
        lease.name,
        facts=(("holder", lease.owner), ("generation", lease.generation), ("until", show_time(lease.expires_at))),
        note=f"held by {lease.owner}",
    )


def describe_variable(variable: EnvVar) -> Card:
    """Return what is shown of a variable: its name, never its value."""
    return Card("EnvVar", variable.key, facts=(("secret", "yes" if variable.is_secret else "no"),))


def _name_variables(variables: Sequence[EnvVar]) -> str:
    return ", ".join(variable.key for variable in variables)
