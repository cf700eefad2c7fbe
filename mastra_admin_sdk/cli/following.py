"""Waiting for a build: the background process does the work if there is one, else this command does."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mastra_admin_sdk.display.text import format_duration
from mastra_admin_sdk.errors import MastraAdminError
from mastra_admin_sdk.models import BuildStatus
from mastra_admin_sdk.services.programs.records import find_running

from .failures import Interrupted
from .progress import ShowBuild, show_progress
from .session import Session

if TYPE_CHECKING:
    from mastra_admin_sdk.admin import MastraAdmin
    from mastra_admin_sdk.services.objects import LiveBuild

BACKGROUND = "up"
"""Name of the background process among the records."""

_POLL = 0.2


def follow_build(session: Session, admin: MastraAdmin, build: LiveBuild, name: str) -> LiveBuild:
    """Show a build's progress until it has succeeded.

    Parameters:
        session: whose options and output.
        admin: where the build belongs.
        build: which one.
        name: what is built, as people refer to it (``team/project/slug``).

    Raises:
        BuildError: it ended otherwise; with the error it ended with.
        Interrupted: Ctrl-C; the message says what becomes of the build.
    """
    try:
        with show_progress(session.output, f"Build #{build.number} of {name}{_estimate(build)}") as show:
            if not _watch(admin, build, show):
                build.wait(on_progress=show)
    except MastraAdminError as exc:
        if "build_log" in exc.evidence:
            whole = f"Read all of it: {session.suggest(f'logs {name} --build {build.number}')}"
            exc.hint = f"{exc.hint}\n{whole}" if exc.hint else whole
        raise
    except KeyboardInterrupt:
        raise _describe_detached(session, admin, build, name) from None
    return build


def _watch(admin: MastraAdmin, build: LiveBuild, show: ShowBuild) -> bool:
    """Watch a build that the background process works on; False when there is no such process (any more)."""
    from mastra_admin_sdk.services.builds.waiting import make_error

    while True:
        # First who works, then how far it is: a process that ends in between may have finished it.
        is_worked_on = find_running(admin.home, BACKGROUND) is not None
        record = build.refresh().record
        show(record)
        if record.is_final:
            if record.status is not BuildStatus.SUCCEEDED:
                raise make_error(record)
            return True
        if not is_worked_on:
            return False
        time.sleep(_POLL)


def _estimate(build: LiveBuild) -> str:
    """How long a build is likely to take, from those before it; empty when there were none."""
    seconds = sum(build.expected_seconds().values())
    return f" (about {format_duration(round(seconds))})" if seconds >= 1 else ""


def _describe_detached(session: Session, admin: MastraAdmin, build: LiveBuild, name: str) -> Interrupted:
    details = {"build": build.id, "number": build.number, "deployment": name}
    if find_running(admin.home, BACKGROUND):
        follow = session.suggest(f"logs {name} --build {build.number} -f")
        return Interrupted(
            f"Detached: build #{build.number} goes on in the background.", hint=f"Follow it: {follow}", details=details
        )
    return Interrupted(
        f"Detached: build #{build.number} is back in the queue, and nothing works on it now.",
        hint=f"Go on with it: {session.suggest('up')}, or drop it: {session.suggest(f'cancel {name}#{build.number}')}",
        details=details,
    )
