"""``mastra-admin logs``: what servers and builds wrote, as numbered lines."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from mastra_admin_sdk.errors import NotFound

from .failures import ExitCode
from .filters import OF_LOGS, SHAPE, WHOSE, take_filters
from .group import AdminCommand
from .output import Output
from .questions import answer, follow
from .session import Session
from .targets import name_deployment

if TYPE_CHECKING:
    from mastra_admin_sdk.admin import MastraAdmin
    from mastra_admin_sdk.models import LogLine
    from mastra_admin_sdk.services.objects import LiveBuild, LiveDeployment


@click.command(cls=AdminCommand)
@click.argument("deployment", required=False)
@click.option(
    "--build", "number", type=click.IntRange(min=1), metavar="N", help="The log of build N instead of the server's."
)
@click.option("--replica", type=int, metavar="N", help="That of server N of several, from 0.")
@click.option(
    "-f", "--follow", "follows", is_flag=True, help="Go on with new lines until the server or build has ended."
)
@click.option("--tail", type=click.IntRange(min=0), metavar="N", help="Only the last N lines that are there.")
@take_filters(*(name for name in WHOSE if name not in {"deployment", "build"}), *OF_LOGS, *SHAPE)
@click.pass_obj
def logs(
    session: Session,
    /,
    deployment: str | None,
    number: int | None,
    replica: int | None,
    follows: bool,
    tail: int | None,
    form: str | None,
    **options: Any,
) -> None:
    """Show what a deployment's server printed, or the log of a build.

    Without a DEPLOYMENT, or with a filter such as --level: the log lines that
    are stored with telemetry, the newest first.

    \b
    mastra-admin logs weather-agent -f
    mastra-admin logs --level error --since 1h
    """
    if number is not None and replica is not None:
        raise click.UsageError("A build has one log, whatever servers it has: give --build or --replica.")
    is_stored = deployment is None or form is not None or any(options.values())
    if is_stored and (number is not None or replica is not None or tail is not None):
        raise click.UsageError(
            "--build, --replica and --tail are for a DEPLOYMENT alone; filters are for stored lines."
        )
    if is_stored:
        given = {**options, "deployment": (deployment,) if deployment else ()}
        if follows:
            follow(session, "logs", given)
        else:
            answer(session, "logs", form, given)
        return
    _print_log(session, str(deployment), number, replica, follows, tail)


def _print_log(
    session: Session, deployment: str, number: int | None, replica: int | None, follows: bool, tail: int | None
) -> None:
    output = session.output
    with session.open_admin() as admin:
        live = admin.deployments.get(deployment)
        source: LiveDeployment | LiveBuild = _get_build(admin, live, number) if number is not None else live
        present = _read(session, admin, live, source, replica)
        last = present[-1].number if present else 0
        present = _cut(present, tail)
        if not follows:
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
