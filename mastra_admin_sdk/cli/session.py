"""What one run of the program works with: its options, and the `MastraAdmin` made from them."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mastra_admin_sdk.settings import Settings, load_settings

from .output import Output

if TYPE_CHECKING:
    from mastra_admin_sdk.admin import MastraAdmin


def make_admin(**arguments: Any) -> MastraAdmin:
    """Return a `MastraAdmin`, loaded only now: ``--help`` needs none of it."""
    from mastra_admin_sdk.admin import MastraAdmin
    from mastra_admin_sdk.services.actors import Origin

    return MastraAdmin(**{"origin": Origin.CLI, **arguments})


@dataclass
class Session:
    """One run. Tests pass one of their own with another ``make_admin``."""

    make_admin: Callable[..., MastraAdmin] = make_admin
    home: str | None = None
    database_url: str | None = None
    json_mode: bool = False

    @property
    def output(self) -> Output:
        """Where words go."""
        return Output(self.json_mode)

    @property
    def settings(self) -> Settings:
        """The settings in force, read anew."""
        return load_settings(self._list_arguments())

    @contextmanager
    def open_admin(self, **more: Any) -> Iterator[MastraAdmin]:
        """Give a `MastraAdmin` made from the options, and close it in the end; ``more`` wins over them."""
        admin = self.make_admin(**{**self._list_arguments(), **more})
        try:
            yield admin
        finally:
            admin.close()

    def suggest(self, command: str) -> str:
        """Return a command line that works as it is shown, such as ``mastra-admin --home /data ps``."""
        options = ["--home", self.home] if self.home else []
        return " ".join([find_program(sys.argv[0]), *map(shlex.quote, options), command])

    def _list_arguments(self) -> dict[str, Any]:
        given = {"home": self.home, "database_url": self.database_url}
        return {name: value for name, value in given.items() if value is not None}


def find_program(started_as: str) -> str:
    """Return how to call this program again: by its name where the shell finds it, else by its path."""
    if os.path.basename(started_as) == "__main__.py":
        return f"{shorten_program(sys.executable)} -m mastra_admin_sdk.cli"
    return shorten_program(started_as) if os.path.basename(started_as) == "mastra-admin" else "mastra-admin"


def shorten_program(program: str) -> str:
    """Return a program's name if the shell finds it by that, else its path, relative where it is below."""
    name = os.path.basename(program)
    found = shutil.which(name)
    if found and os.path.abspath(found) == os.path.abspath(program):
        return name
    relative = os.path.relpath(program)
    return shlex.quote(program if relative.startswith("..") else relative)
