"""``mastra-admin logs``: what servers and builds wrote, as numbered lines."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from mastra_admin_sdk.errors import NotFound

from .failures import ExitCode
from .group import AdminCommand
from .output import Output
from .session import Session
from .targets import name_deployment

if TYPE_CHECKING:
    from mastra_admin_sdk.admin import MastraAdmin
    from mastra_admin_sdk.models import LogLine
    from mastra_admin_sdk.services.objects import LiveBuild, LiveDeployment


@click.command(cls=AdminCommand)
@click.argument("deployment")
@click.option(
    "--build", "number", type=click.IntRange(min=1), metavar="N", help="The log of build N instead of the server's."
)
@click.option("--replica", type=int, metavar="N", help="That of server N of several, from 0.")
@click.option("-f", "--follow", is_flag=True, help="Go on with new lines until the server or build has ended.")
@click.option("--tail", type=click.IntRange(min=0), metavar="N", help="Only the last N lines that are there.")
@click.pass_obj
def logs(
    session: Session, deployment: str, number: int | None, replica: int | None, follow: bool, tail: int | None
) -> None:
    """Show what a deployment's server printed, or the log of a build."""
    if number is not None and replica is not None:
        raise click.UsageError("A build has one log, whatever servers it has: give --build or --replica.")
    output = session.output
    with session.open_admin() as admin:
        live = admin.deployments.get(deployment)
        source: LiveDeployment | LiveBuild = _get_build(admin, live, number) if number is not None else live
        present = _read(session, admin, live, source, replica)
        last = present[-1].number if present else 0
        present = _cut(present, tail)
        if not follow:
            _write(output, present)
            return
        try:
            _write(output, _chain(present, source, last, replica))
        except KeyboardInterrupt:
            # The usual way to end following: nothing is wrong, and the reader knows it.
            raise click.exceptions.Exit(ExitCode.INTERRUPTED) from None


def format_line(line: LogLine, output: Output) -> str:
    """Return a numbered line for people: number, local time, text; errors are red, our own words dim."""
    text = line.text if output.is_terminal else click.unstyle(line.text)
    if line.stream == "err":
        text = click.style(text, fg="red")
    elif line.stream == "info":
        text = click.style(text, dim=True)
    return f"{line.number:>5}  {line.time.astimezone():%H:%M:%S}  {text}"


def describe_line(line: LogLine) -> dict[str, Any]:
    """Return a line as JSON."""
    return {"number": line.number, "time": line.time, "stream": line.stream, "text": line.text}


def _get_build(admin: MastraAdmin, live: LiveDeployment, number: int) -> LiveBuild:
    return admin.builds.get(f"{name_deployment(admin, live.record)}#{number}")


def _read(
    session: Session,
    admin: MastraAdmin,
    live: LiveDeployment,
    source: LiveDeployment | LiveBuild,
    replica: int | None,
) -> Sequence[LogLine]:
    from mastra_admin_sdk.services.objects import LiveBuild

    if isinstance(source, LiveBuild):
        return source.logs()
    try:
        return live.server_log(replica=replica)
    except NotFound as exc:
        builds = live.builds
        if not builds or replica:
            raise
        name = name_deployment(admin, live.record)
        hint = f"Its build has a log: {session.suggest(f'logs {name} --build {builds[0].number}')}"
        raise NotFound(exc.message, hint=hint) from exc


def _follow(source: LiveDeployment | LiveBuild, after: int, replica: int | None) -> Iterator[LogLine]:
    from mastra_admin_sdk.services.objects import LiveBuild

    return source.follow(after) if isinstance(source, LiveBuild) else source.follow_log(after, replica=replica)


def _cut(lines: Sequence[LogLine], tail: int | None) -> Sequence[LogLine]:
    return lines if tail is None else list(deque(lines, maxlen=tail))


def _chain(
    present: Sequence[LogLine], source: LiveDeployment | LiveBuild, last: int, replica: int | None
) -> Iterator[LogLine]:
    yield from present
    yield from _follow(source, last, replica)


def _write(output: Output, lines: Iterable[LogLine]) -> None:
    if output.json_mode:
        output.stream_result(describe_line(line) for line in lines)
        return
    for line in lines:
        output.line(format_line(line, output))
