"""``mastra-admin ps``, ``stop``, ``restart``, ``rollback``, ``promote``: what runs, and changing that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from mastra_admin_sdk.display.text import format_bytes, format_duration, relative_time
from mastra_admin_sdk.models import DeploymentType, utc_now
from mastra_admin_sdk.services.programs.records import Recorded, find_running

from .following import BACKGROUND, follow_build
from .group import AdminCommand
from .ingestion import summarize_ingestion
from .output import Output, paint, wrap
from .progress import tell_live
from .session import Session
from .tables import Column, is_within, render_table
from .targets import name_deployment
from .views import describe_build, describe_deployment, describe_view, measure_uptime, observe_state

if TYPE_CHECKING:
    from mastra_admin_sdk.services.objects import LiveBuild, LiveDeployment
    from mastra_admin_sdk.services.overview import DeploymentView, Overview, ServerView

_PS_COLUMNS = (
    Column("DEPLOYMENT", shrink=True),
    Column("STATE", state=True),
    Column("BUILD", right=True),
    Column("PORT", right=True),
    Column("UPTIME", right=True),
    Column("RESTARTS", right=True),
    Column("MEMORY", right=True),
)
_WIDE_COLUMNS = (Column("FILES", right=True), Column("TRACED"))
_WIDE = 100


@click.command(cls=AdminCommand)
@click.pass_obj
def ps(session: Session) -> None:
    """Show what runs, as observed just now."""
    with session.open_admin() as admin:
        overview = admin.overview()
        background = find_running(admin.home, BACKGROUND)
    session.output.result(_describe_overview(overview, background))
    _show_overview(session, overview, background)


@click.command(cls=AdminCommand)
@click.argument("deployment", required=False)
@click.option("--all", "everything", is_flag=True, help="Stop every deployment.")
@click.pass_obj
def stop(session: Session, deployment: str | None, everything: bool) -> None:
    """Drain and stop a deployment; its data and builds stay."""
    if bool(deployment) == everything:
        raise click.UsageError("Name a deployment, or give --all.")
    with session.open_admin() as admin:
        found = [admin.deployments.get(deployment)] if deployment else list(admin.deployments.list())
        stopped = []
        for item in found:
            name = name_deployment(admin, item.record)
            stopped.append(describe_deployment(name, item.stop().record))
            session.output.done(f"{name} is stopped")
    if not found:
        session.output.line("There is no deployment to stop.")
    session.output.result({"stopped": stopped})


@click.command(cls=AdminCommand)
@click.argument("deployment")
@click.option("--no-wait", is_flag=True, help="Only queue it.")
@click.pass_obj
def restart(session: Session, deployment: str, no_wait: bool) -> None:
    """Start a new server of the current build.

    It runs with the variables as they are set now, and takes over once it has
    answered. A deployment that is stopped is started.
    """
    _change(session, deployment, no_wait, "restarted", lambda live: live.restart(wait=False))


@click.command(cls=AdminCommand)
@click.argument("deployment")
@click.option("--no-wait", is_flag=True, help="Only queue it.")
@click.pass_obj
def start(session: Session, deployment: str, no_wait: bool) -> None:
    """Start a deployment that is stopped, with the build it had.

    One that runs gets a new server, as with `restart`.
    """
    _change(session, deployment, no_wait, "started", lambda live: live.start(wait=False))


@click.command(cls=AdminCommand)
@click.argument("deployment")
@click.option("--to", type=int, metavar="N", help="Number of the build to go back to; the one before unless given.")
@click.option("--no-wait", is_flag=True, help="Only queue it.")
@click.pass_obj
def rollback(session: Session, deployment: str, to: int | None, no_wait: bool) -> None:
    """Go back to an earlier build, with the variables it had."""
    _change(session, deployment, no_wait, "rolled back", lambda live: live.rollback(to, wait=False))


@click.command(cls=AdminCommand)
@click.argument("deployment")
@click.argument("to")
@click.option("--no-wait", is_flag=True, help="Only queue it.")
@click.pass_obj
def promote(session: Session, deployment: str, to: str, no_wait: bool) -> None:
    """Start what DEPLOYMENT serves on TO, without building it again.

    TO is another deployment of the same project, or a type: `production` is
    created when there is none. It runs with its own variables and data.
    """
    _change(session, deployment, no_wait, "promoted", lambda live: live.promote(to, wait=False))


def _change(
    session: Session, reference: str, no_wait: bool, done: str, queue: Callable[[LiveDeployment], LiveBuild]
) -> None:
    output = session.output
    with session.open_admin() as admin:
        build = queue(admin.deployments.get(reference))
        live = build.deployment
        name = name_deployment(admin, live.record)
        if no_wait:
            output.done(f"Build #{build.number} of {name} is queued")
        else:
            build = follow_build(session, admin, build, name)
            tell_live(output, f"{name} is {done}", build.record)
            output.line(f"  {live.refresh().url}")
        record = describe_deployment(name, live.refresh().record)
    output.result({"deployment": record, "build": describe_build(build.record)})


# --- ps ---------------------------------------------------------------------------------------------------------------


def _describe_overview(overview: Overview, background: Recorded | None) -> dict[str, Any]:
    return {
        "home": overview.home,
        "supervised": overview.is_supervised,
        "background_pid": background.pid if background else None,
        "roles": dict(overview.roles),
        "router_running": overview.router_running,
        "engine": dict(overview.engine),
        "ingestion_lag": {
            "files": overview.lag.files,
            "bytes": overview.lag.bytes,
            "seconds": round(overview.lag.seconds, 3),
        },
        "ingestion": overview.ingestion.to_dict(),
        "alerts_firing": list(overview.firing),
        "deployments": [describe_view(view) for view in overview.deployments],
    }


def _show_overview(session: Session, overview: Overview, background: Recorded | None) -> None:
    output = session.output
    if overview.deployments:
        columns = (*_PS_COLUMNS, *(_WIDE_COLUMNS if output.width >= _WIDE else ()))
        cells = [_list_cells(view)[: len(columns) - 1] for view in overview.deployments]
        names = _choose_names(overview.deployments, columns, cells, output.width)
        rows = [(name, *row) for name, row in zip(names, cells, strict=True)]
        below = [
            [*_describe_identity(view, name, output.width), *_list_below(view, output)]
            for name, view in zip(names, overview.deployments, strict=True)
        ]
        output.lines(render_table(columns, rows, width=output.width, below=below))
    else:
        output.line(f"No deployments yet. Make one: {session.suggest('deploy ./my-agent')}")
    output.line()
    output.lines(_summarize(overview, background, output.width))
    if not overview.is_supervised:
        output.line(f"{paint('Nothing supervises:', 'busy')} a server that ends isn't started again.")
        output.line(f"Next: {session.suggest('up')}")


def _choose_names(
    views: Sequence[DeploymentView], columns: Sequence[Column], cells: Sequence[tuple[object, ...]], width: int
) -> list[str]:
    """The names that fit into the table: ``team/project/slug``, else shorter ones."""
    parts = [(view.team.slug, view.project.slug, view.deployment.slug) for view in views]
    for start in range(3):
        names = ["/".join(part[start:]) for part in parts]
        if is_within(columns, [(name, *row) for name, row in zip(names, cells, strict=True)], width):
            break
    return names


def _describe_identity(view: DeploymentView, shown: str, width: int) -> list[str]:
    """What its name in the table leaves out: the full one, its type unless production, its branch."""
    deployment = view.deployment
    full = f"{view.team.slug}/{view.project.slug}/{deployment.slug}"
    told = [full] if full != shown else []
    if deployment.type is not DeploymentType.PRODUCTION or deployment.branch != deployment.slug:
        told += [deployment.type.value, f"branch {deployment.branch}"]
    return list(wrap(", ".join(told), width, indent="  ")) if told else []


def _list_cells(view: DeploymentView) -> tuple[object, ...]:
    process = view.process
    return (
        _describe_state(view),
        f"#{view.build.number}" if view.build else None,
        process.port if process else None,
        format_duration(measure_uptime(process)),
        view.restarts if process else None,
        format_bytes(view.memory_bytes),
        view.open_files,
        ("yes" if process.trace_status.get("traced") else "no") if process else None,
    )


def _describe_state(view: DeploymentView) -> str:
    """The state; where there is to be more than one server, with how many answer."""
    state, wanted = observe_state(view), view.deployment.replicas
    return f"{state} {view.answering}/{wanted}" if view.servers and wanted > 1 else state


def _describe_server(server: ServerView) -> str:
    process, usage = server.process, server.usage
    held = f"{format_bytes(usage.memory_bytes)}, {usage.open_files} open files" if usage else "gone"
    silent = "" if server.answers or not usage else ", doesn't answer"
    return (
        f"  server {process.replica}: port {process.port}, {held}, up {format_duration(measure_uptime(process))}, "
        f"{process.restarts} restarts{silent}"
    )


def _list_below(view: DeploymentView, output: Output) -> list[str]:
    lines = [f"  {view.deployment.public_url}"] if view.process and view.deployment.public_url else []
    if view.deployment.replicas > 1:
        lines += [_describe_server(server) for server in view.servers]
    if view.process and view.studio_url:
        lines += wrap(f"studio {view.studio_url}", output.width, indent="  ")
    if view.active_build:
        lines.append(f"  build #{view.active_build.number} is {view.active_build.status}")
    if view.deployment.expires_at:
        now = utc_now()
        word = "expires" if view.deployment.expires_at > now else "expired"
        lines.append(f"  {word} {relative_time(view.deployment.expires_at, now)}")
    if view.watch_error:
        lines += wrap(f"can't be watched: {view.watch_error}", output.width, indent="  ")
    if view.deployment.status_reason:
        lines += wrap(view.deployment.status_reason, output.width, indent="  ")
    if view.process and not view.process.trace_status.get("traced"):
        reason = view.process.trace_status.get("reason") or "the tracing module said nothing"
        lines += wrap(f"not traced: {reason}", output.width, indent="  ")
    return lines


def _summarize(overview: Overview, background: Recorded | None, width: int) -> list[str]:
    return [
        f"home        {overview.home}",
        f"background  {f'pid {background.pid}' if background else 'not running'}",
        f"router      {'running' if overview.router_running else 'not running'}",
        f"engine      {'running' if overview.engine.get('running') else 'not running'}",
        *summarize_ingestion(overview.lag, overview.ingestion, width),
        *([f"alerts      {', '.join(overview.firing)}"] if overview.firing else []),
    ]
