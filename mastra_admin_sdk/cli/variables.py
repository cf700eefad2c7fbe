"""Environment variables as people give them: assignments, prompts, .env files."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

import click

from mastra_admin_sdk.errors import InvalidInput

_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*=\s*(.*)", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def parse_assignments(texts: Iterable[str]) -> dict[str, str]:
    """Return ``KEY=VALUE`` texts as a dict.

    Raises:
        InvalidInput: one has no ``=``.
    """
    found = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise InvalidInput(f"{text.partition('=')[0]!r} is no assignment.", hint="Write KEY=VALUE.")
        found[key] = value
    return found


def ask_secrets(keys: Iterable[str]) -> dict[str, str]:
    """Return a value for each key: asked for without echo on a terminal, else a line of stdin each, in that order.

    Raises:
        InvalidInput: a key holds ``=`` (a value doesn't belong among arguments), or stdin has too few lines.
    """
    values = {}
    for key in keys:
        if "=" in key:
            raise InvalidInput(
                f"The value of {key.partition('=')[0]} must not be an argument: others can see those.",
                hint=f"Write --secret {key.partition('=')[0]}; the value is asked for, or read from stdin.",
            )
        values[key] = _ask(key)
    return values


def read_env_file(path: Path) -> dict[str, str]:
    """Return the variables of a .env file: ``KEY=VALUE`` lines, quotes, ``export``, comments; nothing is expanded.

    Raises:
        InvalidInput: a line is no assignment, or a quote isn't closed; the message has the line's number.
    """
    found: dict[str, str] = {}
    lines = iter(enumerate(path.read_text(encoding="utf-8-sig").splitlines(), start=1))
    for number, line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if not match:
            raise InvalidInput(f"Line {number} of {path} is no assignment.", hint="Write KEY=VALUE.")
        value = match[2]
        while (parsed := _parse_value(value)) is None:
            _, more = next(lines, (0, None))
            if more is None:
                raise InvalidInput(f"The quote that begins in line {number} of {path} isn't closed.")
            value += f"\n{more}"
        found[match[1]] = parsed
    return found


def _ask(key: str) -> str:
    if sys.stdin.isatty():
        return str(click.prompt(key, hide_input=True, err=True))
    line = sys.stdin.readline()
    if not line:
        raise InvalidInput(f"There is no line for {key} on stdin.", hint="Give a line for each --secret, in order.")
    return line.rstrip("\r\n")


def _parse_value(text: str) -> str | None:
    """Return what a value means, or ``None`` when its quote isn't closed yet."""
    quote = text[:1]
    if quote not in {"'", '"', "`"}:
        return re.split(r"\s#", text, maxsplit=1)[0].strip()
    match = re.match(r'"((?:[^"\\]|\\.)*)"' if quote == '"' else f"{quote}([^{quote}]*){quote}", text, re.DOTALL)
    if not match:
        return None
    if quote != '"':
        return match[1]
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), match[1], flags=re.DOTALL)
