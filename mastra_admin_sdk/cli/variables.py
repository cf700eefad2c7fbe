"""Environment variables as people give them: assignments and prompts."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import click

from mastra_admin_sdk.errors import InvalidInput


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


def _ask(key: str) -> str:
    if sys.stdin.isatty():
        return str(click.prompt(key, hide_input=True, err=True))
    line = sys.stdin.readline()
    if not line:
        raise InvalidInput(f"There is no line for {key} on stdin.", hint="Give a line for each --secret, in order.")
    return line.rstrip("\r\n")
