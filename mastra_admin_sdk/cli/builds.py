"""``mastra-admin cancel``: ending a build."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from mastra_admin_sdk.errors import NotFound

from .group import AdminCommand
from .session import Session
from .targets import name_deployment
from .views import describe_build

if TYPE_CHECKING:
    from mastra_admin_sdk.admin import MastraAdmin
    from mastra_admin_sdk.services.objects import LiveBuild

_WAIT_SECONDS = 30.0
_POLL = 0.2


@click.command(cls=AdminCommand)
@click.argument("build")
@click.pass_obj
def cancel(session: Session, build: str) -> None:
    """Cancel a build; what served before goes on serving.

    BUILD is `<deployment>#<number>`, an id, or a deployment: then its oldest
    build that hasn't ended.
    """
    with session.open_admin() as admin:
        found = _find_build(admin, build)
        name = f"#{found.number} of {name_deployment(admin, found.deployment.record)}"
        was_over = found.record.is_final
        found = _wait_for_end(found.cancel())
    if was_over:
        session.output.line(f"Build {name} had ended already: {found.status}")
    elif found.record.is_final:
        session.output.done(f"Build {name} is {found.status}")
    else:
        session.output.note(f"Build {name} is told to end, and hasn't yet.")
    session.output.result(describe_build(found.record))


def _find_build(admin: MastraAdmin, reference: str) -> LiveBuild:
    if "#" in reference:
        return admin.builds.get(reference)
    try:
        return admin.builds.get(reference)
    except NotFound:
        deployment = admin.deployments.get(reference)
    active = [item for item in deployment.builds if not item.record.is_final]
    if not active:
        raise NotFound(f"{reference} has no build that could be cancelled.", hint="All of its builds have ended.")
    return active[-1]


def _wait_for_end(build: LiveBuild) -> LiveBuild:
    deadline = time.monotonic() + _WAIT_SECONDS
    while not build.record.is_final and time.monotonic() < deadline:
        time.sleep(_POLL)
        build.refresh()
    return build
