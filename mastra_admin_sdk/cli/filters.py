"""The filters that all questions about telemetry share, as options."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from mastra_admin_sdk.errors import InvalidInput

F = TypeVar("F", bound=Callable[..., Any])

EVERYTHING = "all"
_TIME = "30m, 24h, 7d, a date or an ISO time with its zone"
_STATUSES = click.Choice(["ok", "error", "running"])
_LEVELS = click.Choice(["debug", "info", "warn", "error", "fatal"])


class Limit(click.ParamType[Any]):
    """A number of rows, or ``all``."""

    name = "N|all"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a number, or ``all``."""
        if value == EVERYTHING or isinstance(value, int):
            return value
        if not str(value).isascii() or not str(value).isdecimal() or not 0 < len(str(value)) <= 18 or not int(value):
            self.fail(f"{value!r} is neither a number of rows nor 'all'.", param, ctx)
        return int(value)


_OPTIONS: Mapping[str, Any] = {
    "project": click.option("--project", help="Only those of a project."),
    "deployment": click.option("--deployment", multiple=True, help="Only those of a deployment; several may be given."),
    "build": click.option("--build", help="Only those of a build: <deployment>#<number>."),
    "branch": click.option("--branch", multiple=True, help="Only those of what is deployed of a branch."),
    "since": click.option("--since", metavar="TIME", help=f"From when: {_TIME}; all has no beginning."),
    "until": click.option("--until", metavar="TIME", help=f"Until when: {_TIME}."),
    "type": click.option("--type", multiple=True, help="agent_run, tool_call and the like; several may be given."),
    "status": click.option("--status", type=_STATUSES, multiple=True, help="Only those that ended so."),
    "level": click.option("--level", type=_LEVELS, multiple=True, help="Only lines of a level."),
    "name": click.option("--name", multiple=True, help="Only those of a name."),
    "agent": click.option("--agent", multiple=True, help="Id or name of an agent, tool or workflow."),
    "model": click.option("--model", multiple=True, help="Only those of a model."),
    "thread": click.option("--thread", multiple=True, help="Only those of a thread."),
    "user": click.option("--user", multiple=True, help="Only those of a user."),
    "trace": click.option(
        "--trace", "trace_id", metavar="ID", multiple=True, help="Only those of a trace; the beginning will do."
    ),
    "text": click.option("--text", help="Only those with a text in them, in any case."),
    "attribute": click.option(
        "--attribute",
        "attributes",
        metavar="PATH=VALUE",
        multiple=True,
        help="Only those with a text at a path such as metadata.plan; PATH:=VALUE compares a number or true.",
    ),
    "order": click.option("--order", metavar="ORDER", help="newest, oldest, slowest or most, where it has these."),
    "limit": click.option("--limit", type=Limit(), help="How many rows; 50 in a table, else 1000."),
    "columns": click.option("--columns", metavar="A,B,…", help="Only these columns, in this order."),
    "count": click.option("--count", is_flag=True, help="Print how many there are."),
    "format": click.option(
        "--format", "form", type=click.Choice(["table", "csv", "json"]), help="A table unless given."
    ),
}
WHOSE = ("project", "deployment", "build", "branch", "since", "until")
OF_SPANS = ("type", "status", "name", "agent", "model", "thread", "user", "trace", "text", "attribute")
OF_RECORDS = ("trace", "text", "attribute")
OF_LOGS = ("level", *OF_RECORDS)
SHAPE = ("order", "limit", "columns", "count", "format")


def take_filters(*names: str) -> Callable[[F], F]:
    """Return a decorator that gives a command options of `_OPTIONS`, in their order."""

    def decorate(function: F) -> F:
        for name in reversed(names):
            function = _OPTIONS[name](function)
        return function

    return decorate


def read_filters(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was given as filters of `MastraAdmin.spans` and its like.

    Raises:
        InvalidInput: an attribute isn't written as ``PATH=VALUE``.
    """
    given: dict[str, Any] = {
        name: list(value) if isinstance(value, tuple) else value for name, value in options.items() if value
    }
    if "attributes" in given:
        given["attributes"] = read_pairs(given["attributes"], "compares nothing", "PATH")
    if "columns" in given:
        given["columns"] = [name.strip() for name in given["columns"].split(",") if name.strip()]
    return given


def read_pairs(texts: Sequence[str], what: str, left: str) -> dict[str, Any]:
    """Return ``LEFT=VALUE`` as text and ``LEFT:=VALUE`` as what VALUE means as JSON; the same name twice is a list."""
    found: dict[str, list[Any]] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.rstrip(":"):
            raise InvalidInput(f"{text!r} {what}.", hint=f"Write {left}=VALUE, or {left}:=VALUE for a number.")
        found.setdefault(name.rstrip(":"), []).append(read_json(name, value) if name.endswith(":") else value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def read_json(name: str, value: str) -> Any:
    """Return what a text means as JSON."""
    try:
        return json.loads(value)
    except ValueError as exc:
        raise InvalidInput(
            f"The value of {name.rstrip(':')} is no JSON: {value!r}.", hint=f"Use {name.rstrip(':')}=VALUE for text."
        ) from exc
