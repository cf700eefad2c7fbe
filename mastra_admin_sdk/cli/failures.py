"""What goes wrong, for people and for programs: exit codes, one JSON shape, one text."""

from __future__ import annotations

import json
import re
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import click

from mastra_admin_sdk.display.text import truncate
from mastra_admin_sdk.errors import Conflict, InvalidInput, MastraAdminError, NotFound

from .hints import translate

_LONGEST_LIST = 20
_MOST_COPIED_WORDS = 2
_LONGEST_COPIED = 400
_NOISE = re.compile(r"npm warn\b|[\"']?stack[\"']?:\s", re.IGNORECASE)


class ExitCode(IntEnum):
    """What the program's exit code means."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    CONFLICT = 4
    INTERRUPTED = 130
    BROKEN_PIPE = 141


class Interrupted(KeyboardInterrupt):
    """Raised when Ctrl-C ended a command; says what goes on without it and how to follow that."""

    def __init__(self, message: str, *, hint: str = "", details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message, self.hint, self.details = message, hint, dict(details or {})


@dataclass(frozen=True, slots=True)
class Failure:
    """One error, ready to be shown.

    ``trace`` is only there for errors that are ours; people read ``help`` instead of all the rest when it is there.
    """

    code: str
    message: str
    exit_code: ExitCode
    hint: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    trace: str = ""
    help: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the one shape that errors have: ``{"error": {"code", "message", "hint", "details"}}``."""
        details = json.loads(json.dumps(dict(self.details), default=str))
        return {"error": {"code": self.code, "message": self.message, "hint": self.hint, "details": details}}


def describe_failure(exc: BaseException, suggest: Callable[[str], str] = "mastra-admin {}".format) -> Failure:
    """Return what to show for an exception, and the exit code that it ends the program with.

    ``suggest`` makes a command such as ``ps`` a line to be pasted: `Session.suggest`.
    """
    match exc:
        case MastraAdminError():
            return Failure(exc.code, exc.message, _exit_code_of(exc), translate(exc.hint, suggest), exc.evidence)
        case click.exceptions.NoArgsIsHelpError():
            return Failure(
                "usage", "A command is missing.", ExitCode.USAGE, _usage_hint(exc), help=exc.format_message()
            )
        case click.UsageError():
            return Failure("usage", exc.format_message(), ExitCode.USAGE, _usage_hint(exc))
        case click.ClickException():
            return Failure("failed", exc.format_message(), ExitCode.FAILED)
        case Interrupted():
            return Failure("interrupted", exc.message, ExitCode.INTERRUPTED, exc.hint, exc.details)
        case click.Abort() | KeyboardInterrupt():
            return Failure("interrupted", "Interrupted.", ExitCode.INTERRUPTED)
        case TimeoutError():
            return Failure("timeout", str(exc), ExitCode.FAILED)
        case OSError():
            return Failure("os_error", str(exc), ExitCode.FAILED)
    message = f"MastraAdmin itself failed: {type(exc).__name__}: {exc}"
    trace = "".join(traceback.format_exception(exc))
    return Failure("internal_error", message, ExitCode.FAILED, "Please report this with the lines above.", trace=trace)


def list_failure_lines(failure: Failure, width: int = 80) -> list[str]:
    """Return the lines of evidence below an error's message, none wider than ``width`` but paths and addresses.

    Of a log's last lines npm's warnings and stacks are left out; ``--json`` has all of them.
    """
    lines: list[str] = []
    for key, value in failure.details.items():
        if isinstance(value, list | tuple):
            items = [line for item in value if _is_telling(str(item)) for line in str(item).splitlines()]
            lines += [f"{key}:", *(f"  {item}" for item in items[-_LONGEST_LIST:])] if items else []
        elif value not in (None, "") and _is_telling(f"{key}: {value}"):
            lines.append(f"{key}: {value}")
    return [_cut(line, width) for line in lines]


def _is_telling(text: str) -> bool:
    plain = click.unstyle(text).strip()
    return bool(plain) and not _NOISE.match(plain)


def _cut(text: str, width: int) -> str:
    line = click.unstyle(text)
    # What is there to be copied, such as "build_log: /path", is of no use when it is cut.
    is_copied = len(line.split()) <= _MOST_COPIED_WORDS and len(line) <= _LONGEST_COPIED
    return line if is_copied else truncate(line, width)


def _exit_code_of(exc: MastraAdminError) -> ExitCode:
    match exc:
        case InvalidInput():
            return ExitCode.USAGE
        case NotFound():
            return ExitCode.NOT_FOUND
        case Conflict():
            return ExitCode.CONFLICT
    return ExitCode.FAILED


def _usage_hint(exc: click.UsageError) -> str:
    return f"See {exc.ctx.command_path} --help." if exc.ctx else ""
