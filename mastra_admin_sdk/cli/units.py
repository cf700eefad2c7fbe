"""The systemd user unit that does a home's background work from boot on (pure): its text, and reading it back."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mastra_admin_sdk.errors import InvalidInput

UNIT = "mastra-admin.service"

_TEMPLATE = """\
# Written by `mastra-admin service install`; `mastra-admin service uninstall` removes it.
[Unit]
Description=MastraAdmin: builds, supervision and telemetry of the servers of this home
# Another process may do this work already: it is taken over when that ends.
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart={command}
WorkingDirectory=/
Environment={home}
EnvironmentFile=-{variables}
# Servers outlive this process: only it is told to end, and one of them running out of memory ends none but itself.
KillMode=process
OOMPolicy=continue
TimeoutStopSec=90
Restart=on-failure
RestartSec=10

[Install]
WantedBy=default.target
"""


@dataclass(frozen=True, slots=True)
class ServiceUnit:
    """What the unit is made from. ``variables`` is the path of the file that holds the settings."""

    command: Sequence[str]
    home: str
    variables: str


def render_unit(unit: ServiceUnit) -> str:
    """Return the text of the unit file.

    Raises:
        InvalidInput: a path holds characters that systemd takes in none: control characters, or quotes and
            backslashes in that of a program.
    """
    for text in (*unit.command, unit.home, unit.variables):
        _check_text(text)
    if set(unit.command[0]) & set("\"'\\"):
        raise InvalidInput(
            f"systemd starts no program whose path holds quotes or backslashes, as {unit.command[0]} does.",
            hint="Install mastra-admin-sdk in an environment elsewhere.",
        )
    return _TEMPLATE.format(
        command=_render_command(unit.command),
        home=_quote(f"MASTRA_ADMIN_HOME={unit.home}"),
        variables=_escape_pattern(_escape_specifiers(unit.variables)),
    )


def render_variables(variables: Mapping[str, str]) -> str:
    """Return the text of the file that holds a service's environment; it may hold secrets."""
    for name, value in variables.items():
        if "\0" in value or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise InvalidInput(f"The variable {name!r} can't be given to a service.", hint="Unset it, and try again.")
    # Values are quoted as systemd reads such a file; there, neither % nor $ means anything.
    escaped = {name: re.sub(r'(["\\`$])', r"\\\1", value) for name, value in variables.items()}
    return "".join(f'{name}="{value}"\n' for name, value in sorted(escaped.items()))


def read_home(text: str) -> str | None:
    """Return the home that a unit file of ours is for; ``None`` when it isn't one."""
    found = re.search(r'^Environment="MASTRA_ADMIN_HOME=(.*)"$', text, re.M)
    return re.sub(r"\\(.)", r"\1", found[1].replace("%%", "%")) if found else None


def _render_command(command: Sequence[str]) -> str:
    # With a colon before it, no `$` in the line stands for a variable; in front of a program's path `$$` wouldn't do.
    prefix = ":" if any("$" in part for part in command) else ""
    return prefix + " ".join(map(_quote, command))


def _quote(text: str) -> str:
    escaped = _escape_specifiers(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _escape_pattern(text: str) -> str:
    # The path of an environment file is a pattern.
    return re.sub(r"([\\*?\[])", r"\\\1", text)


def _escape_specifiers(text: str) -> str:
    return text.replace("%", "%%")


def _check_text(text: str) -> None:
    if not text.isprintable() or text != text.strip():
        raise InvalidInput(
            f"{text!r} can't stand in a systemd unit.", hint="Use a path without control characters and outer blanks."
        )
