"""``mastra-admin domains``: hosts of a deployment's own, and their certificates."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

import click

from mastra_admin_sdk.errors import NotFound
from mastra_admin_sdk.models import Tls

from .group import AdminCommand
from .session import Session
from .targets import name_deployment

if TYPE_CHECKING:
    from mastra_admin_sdk.services.objects import LiveDeployment

_tls = click.option(
    "--tls", type=click.Choice([kind.value for kind in Tls]), help="Where certificates of its domains come from."
)


@click.group()
def domains() -> None:
    """List, add and remove domains of a deployment."""


@domains.command("list", cls=AdminCommand)
@click.argument("deployment")
@click.pass_obj
def list_domains(session: Session, deployment: str) -> None:
    """List the addresses that DEPLOYMENT answers on."""
    with session.open_admin() as admin:
        live = admin.deployments.get(deployment)
        found = _describe(name_deployment(admin, live.record), live)
    session.output.result(found)
    session.output.lines(found["urls"])


@domains.command("add", cls=AdminCommand)
@click.argument("deployment")
@click.argument("names", metavar="DOMAIN...", nargs=-1, required=True)
@_tls
@click.pass_obj
def add_domains(session: Session, deployment: str, names: tuple[str, ...], tls: str | None) -> None:
    """Let DEPLOYMENT answer on more domains, at once."""
    _change(session, deployment, lambda known: [*known, *names], tls, f"Added {', '.join(names)} to")


@domains.command("remove", cls=AdminCommand)
@click.argument("deployment")
@click.argument("names", metavar="DOMAIN...", nargs=-1, required=True)
@click.pass_obj
def remove_domains(session: Session, deployment: str, names: tuple[str, ...]) -> None:
    """Take domains away from DEPLOYMENT."""
    gone = [name.lower() for name in names]

    def leave(known: Collection[str]) -> list[str]:
        missing = [name for name in gone if name not in known]
        if missing:
            raise NotFound(f"{deployment} has no domain {', '.join(missing)}.", hint="`domains list` shows its own.")
        return [name for name in known if name not in gone]

    _change(session, deployment, leave, None, f"Removed {', '.join(names)} from")


def _change(
    session: Session, reference: str, choose: Callable[[Collection[str]], list[str]], tls: str | None, done: str
) -> None:
    with session.open_admin() as admin:
        live = admin.deployments.get(reference)
        live.set_domains(choose(live.record.domains), tls=tls)
        name = name_deployment(admin, live.record)
        found = _describe(name, live)
    session.output.done(f"{done} {name}")
    session.output.lines(f"  {url}" for url in found["urls"])
    session.output.result(found)


def _describe(name: str, live: LiveDeployment) -> dict[str, Any]:
    return {
        "deployment": name,
        "domains": list(live.record.domains),
        "tls": live.record.tls.value,
        "urls": list(live.urls),
    }
