"""``mastra-admin scale`` and ``limits``: how many servers a deployment has, and what binds each of them."""

from __future__ import annotations

import click

from mastra_admin_sdk.models import Deployment
from mastra_admin_sdk.settings import Settings

from .group import AdminCommand
from .session import Session
from .targets import name_deployment
from .views import describe_deployment

_AS_SET = "default"


@click.command(cls=AdminCommand)
@click.argument("deployment")
@click.argument("servers", type=int)
@click.pass_obj
def scale(session: Session, deployment: str, servers: int) -> None:
    """Run SERVERS servers of a deployment behind its address.

    Only the difference is started or stopped, and no request is lost. Restarts
    and rollbacks keep the number. All servers share the deployment's files.
    """
    with session.open_admin() as admin:
        live = admin.deployments.get(deployment)
        name = name_deployment(admin, live.record)
        before = live.record.replicas
        live.scale(servers)
        ports = [process.port for process in live.processes]
    what = "server" if servers == 1 else "servers"
    if ports:
        session.output.done(f"{name} has {servers} {what}: port {', '.join(map(str, ports))}")
    else:
        session.output.done(f"{name} will have {servers} {what} when it is started")
    described = describe_deployment(name, live.record)
    session.output.result({"deployment": described, "servers": servers, "before": before, "ports": ports})


@click.command(cls=AdminCommand)
@click.argument("deployment")
@click.option("--memory", metavar="MB", help="MB that each may hold; 0: no limit; or default.")
@click.option("--nice", metavar="N", help="How much each yields the CPU, 0 to 19; or default.")
@click.pass_obj
def limits(session: Session, deployment: str, memory: str | None, nice: str | None) -> None:
    """Show or set what binds each server of a deployment.

    A server that holds more memory than it may is ended and started again.
    Changes apply from the next start of a server on.
    """
    given = {"memory_mb": memory, "nice": nice}
    changes = {name: _read_limit(value) for name, value in given.items() if value is not None}
    with session.open_admin() as admin:
        live = admin.deployments.get(deployment)
        name = name_deployment(admin, live.record)
        if changes:
            live.set_limits(**changes)
        record = live.record
        told = _describe(record, admin.settings)
        is_running = bool(live.processes)
    if changes:
        session.output.done(f"{name} is bound")
    session.output.line(
        f"  memory  {told['memory_mb'] or 'no limit'}{' MB' if told['memory_mb'] else ''}{_mark(record.memory_mb)}"
    )
    session.output.line(f"  nice    {told['nice']}{_mark(record.nice)}")
    if changes and is_running:
        session.output.line(f"It applies from the next start on: {session.suggest(f'restart {name}')}")
    session.output.result({"deployment": describe_deployment(name, record), "limits": told, "applies": "next start"})


def _read_limit(value: str) -> int | None:
    if value != _AS_SET and not value.isdecimal():
        raise click.UsageError(f"{value!r} is neither a whole number nor {_AS_SET!r}.")
    return None if value == _AS_SET else int(value)


def _describe(record: Deployment, settings: Settings) -> dict[str, int]:
    return {
        "memory_mb": int(settings.server_memory_mb if record.memory_mb is None else record.memory_mb),
        "nice": int(settings.server_nice if record.nice is None else record.nice),
    }


def _mark(own: int | None) -> str:
    return " (as the settings say)" if own is None else ""
