"""The group of commands: options that all have, and what every end of the program looks like."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from .failures import ExitCode, describe_failure
from .output import Output
from .session import Session

_MEANT = {
    **dict.fromkeys(("rm", "del", "remove", "destroy", "undeploy", "delete"), "delete deployment|project|team NAME"),
    **dict.fromkeys(("ls", "list", "status", "deployments"), "ps"),
}


class AdminCommand(click.Command):
    """A command with ``--home``, ``--database-url`` and ``--json``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = {name for param in self.params for name in param.opts}
        self.params += [option for option in make_common_options() if not known & set(option.opts)]


class HelpfulGroup(click.Group):
    """A group that knows what people type instead of the names of commands."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is meant; one that isn't there is answered with the one that does it."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as exc:
            meant = _MEANT.get(args[0])
            if meant is None:
                raise
            program = ctx.find_root().info_name
            raise click.UsageError(f"No such command {args[0]!r}. Use `{program} {meant}`.", ctx) from exc


class AdminGroup(HelpfulGroup):
    """The program. The options that all commands have may also stand before the command."""

    command_class = AdminCommand

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += make_common_options()

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - as click declares it
        """Return the commands in the order in which people need them."""
        return list(self.commands)

    def main(  # type: ignore[override]
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        *,
        obj: Session | None = None,
        **extra: Any,
    ) -> NoReturn:
        """Run a command and exit: 0, or a code of `failures.ExitCode` with one error shown and no traceback."""
        arguments = list(sys.argv[1:] if args is None else args)
        name = prog_name or "mastra-admin"
        self._main_shell_completion(extra, name, complete_var)
        session = obj or Session()
        # So that a wrong option is told as JSON too, whatever comes first.
        session.json_mode = "--json" in arguments
        sys.exit(_run(self, name, arguments, session))


def make_common_options() -> list[click.Option]:
    """Return the options that every command has."""
    return [
        click.Option(
            ["--home"],
            metavar="FOLDER",
            expose_value=False,
            callback=_remember,
            help="Folder that holds everything (MASTRA_ADMIN_HOME).",
        ),
        click.Option(
            ["--database-url"],
            metavar="URL",
            expose_value=False,
            callback=_remember,
            help="A PostgreSQL database instead of SQLite (MASTRA_ADMIN_DATABASE_URL).",
        ),
        click.Option(
            ["--json", "json_mode"],
            is_flag=True,
            expose_value=False,
            callback=_remember,
            help="Print one JSON value.",
        ),
    ]


def _remember(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    session = ctx.ensure_object(Session)
    if value and param.name:
        setattr(session, param.name, value)


def _run(group: AdminGroup, name: str, arguments: list[str], session: Session) -> int:
    try:
        with group.make_context(name, arguments, obj=session) as ctx:
            group.invoke(ctx)
        sys.stdout.flush()
    except click.exceptions.Exit as exc:
        return exc.exit_code
    except SystemExit as exc:
        return exc.code if isinstance(exc.code, int) else ExitCode.FAILED
    except BaseException as exc:
        # The one place where errors become text: whatever ended the command is shown and becomes an exit code.
        return _end(exc, session)
    return ExitCode.OK


def _end(exc: BaseException, session: Session) -> int:
    if isinstance(exc, OSError) and exc.errno == errno.EPIPE:
        return _end_quietly()
    try:
        failure = describe_failure(exc, session.suggest)
        Output(session.json_mode).failure(failure)
        sys.stdout.flush()
    except BrokenPipeError:
        return _end_quietly()
    return failure.exit_code


def _end_quietly() -> int:
    """The reader of our output has gone: say nothing, also not when the interpreter flushes stdout at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return ExitCode.BROKEN_PIPE
