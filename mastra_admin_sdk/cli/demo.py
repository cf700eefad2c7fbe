"""``mastra-admin demo``: the whole way once, from a folder to a trace, and nothing left behind."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from mastra_admin_sdk.errors import MastraAdminError, RouterError
from mastra_admin_sdk.services.programs.panel import is_free

from .demonstration import Demonstration, check_idle, is_observed, make_empty_result
from .failures import ExitCode, Failure, describe_failure
from .group import AdminCommand
from .output import Output
from .progress import show_progress
from .session import Session


@click.command(cls=AdminCommand)
@click.pass_obj
def demo(session: Session) -> None:
    """Deploy the example, call it, read its traces, stop everything.

    Runs in the given home; without one in a temporary home that is removed in
    the end. Exit code 0 only when every part was observed and nothing is left.
    """
    with _choose_home(session) as home:
        session.home = home
        session.output.line(f"Home {home}")
        result, failure = _demonstrate(session)
    _show(session.output, result, failure)
    if not result["ok"]:
        # What wasn't found is a part that wasn't observed, and nothing that was asked for.
        code = failure.exit_code if failure else ExitCode.FAILED
        raise click.exceptions.Exit(ExitCode.FAILED if code == ExitCode.NOT_FOUND else code)


def _demonstrate(session: Session) -> tuple[dict[str, Any], Failure | None]:
    try:
        with session.open_admin(router_port=_choose_router_port(session)) as admin:
            check_idle(admin)
            run = Demonstration(admin, session.output.line, lambda: show_progress(session.output, "weather-agent"))
            failure = _observe(run)
            failure = _stop(session.output, run) or failure
    except (MastraAdminError, OSError) as exc:
        return make_empty_result(), describe_failure(exc)
    for pid, command in run.look_around().items():
        session.output.note(f"Left behind: {pid} {command}")
    run.result["ok"] = failure is None and is_observed(run.result)
    return run.result, failure


def _observe(run: Demonstration) -> Failure | None:
    try:
        run.run()
    except (Exception, KeyboardInterrupt) as exc:
        # Whatever it was: what was started is stopped before anything is said.
        return describe_failure(exc)
    return None


def _stop(output: Output, run: Demonstration) -> Failure | None:
    output.line("Stopping the server, the router and the engine")
    try:
        run.clean_up()
    except Exception as exc:
        # The result is shown whatever happens, and says what is left.
        return describe_failure(exc)
    return None


def _show(output: Output, result: dict[str, Any], failure: Failure | None) -> None:
    if failure and output.json_mode:
        output.result({**result, **failure.to_json()})
    elif failure:
        output.failure(failure)
    else:
        output.result(result)
        _show_verdict(output, result)


def _show_verdict(output: Output, result: dict[str, Any]) -> None:
    seconds, left = result["seconds"], result["left_behind"]
    output.line()
    output.line("Seconds: " + ", ".join(f"{name} {value}" for name, value in seconds.items()))
    output.line("Left behind: " + ", ".join(f"{count} {name}" for name, count in left.items()))
    if result["ok"]:
        output.done("Every part was observed, and nothing is left running")
    else:
        output.note("Not every part was observed")


@contextmanager
def _choose_home(session: Session) -> Iterator[str]:
    """Give the home that was named, or a temporary one that is removed in the end."""
    given = session.home or os.environ.get("MASTRA_ADMIN_HOME")
    if given:
        yield os.path.realpath(os.path.expanduser(given))
        return
    folder = os.path.realpath(tempfile.mkdtemp(prefix="mastra-demo-"))
    try:
        yield folder
    finally:
        from mastra_admin_sdk.folders import remove_tree

        remove_tree(Path(folder))


def _choose_router_port(session: Session) -> int:
    """Return the router's port, or a free one when another program has it."""
    settings = session.settings
    wanted = int(settings.router_port)
    if is_free(settings.router_bind, wanted):
        return wanted
    with socket.socket() as probe:
        probe.bind((settings.router_bind, 0))
        port = int(probe.getsockname()[1])
    if port == wanted:
        raise RouterError(f"Port {wanted} is taken.", hint="Choose another with MASTRA_ADMIN_ROUTER_PORT.")
    session.output.note(f"Port {wanted} is taken by another program; the demo's router uses {port}.")
    return port
