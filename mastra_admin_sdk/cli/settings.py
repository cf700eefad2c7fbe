"""``mastra-admin settings`` and ``version``."""

from __future__ import annotations

import platform

import click

from mastra_admin_sdk import __version__
from mastra_admin_sdk.settings import SETTINGS, Setting

from .group import AdminCommand
from .session import Session
from .tables import Column, render_table

_MASK = "***"


@click.command(cls=AdminCommand)
@click.pass_obj
def settings(session: Session) -> None:
    """Show every setting, its value and where that comes from.

    First wins: an option, the environment variable MASTRA_ADMIN_<NAME>,
    settings.toml in the home, the default.
    """
    values = session.settings

    def show(setting: Setting) -> object:
        value = values[setting.name]
        return _MASK if setting.secret and value else value

    session.output.result(
        [
            {
                "name": item.name,
                "value": show(item),
                "origin": values.origin(item.name),
                "environment_variable": item.env,
                "help": item.help,
            }
            for item in SETTINGS
        ]
    )
    columns = (Column("SETTING"), Column("VALUE", shrink=True), Column("FROM"))
    rows = [(item.name, _shorten(show(item)), values.origin(item.name)) for item in SETTINGS]
    session.output.lines(render_table(columns, rows, width=session.output.width))


@click.command(cls=AdminCommand)
@click.pass_obj
def version(session: Session) -> None:
    """Show the version of MastraAdmin and of Python."""
    found = {"version": __version__, "python": platform.python_version()}
    session.output.line(f"mastra-admin {__version__} (Python {found['python']})")
    session.output.result(found)


def _shorten(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(value)
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
