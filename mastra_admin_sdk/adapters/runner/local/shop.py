"""Where a build works, and its tools."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mastra_admin_sdk.models import PackageManager

from . import packages
from .managers import Manager
from .toolchain import Toolchain


@dataclass(frozen=True, slots=True)
class Shop:
    """``root`` is the copy, where the lock file lies; ``folder`` the project in it: the same, unless it is a member of
    a workspace. With ``fresh`` nothing is taken from the cache.
    """

    root: Path
    folder: Path
    tools: Toolchain
    manager: Manager
    env: Mapping[str, str] = field(repr=False)
    fresh: bool = False

    @property
    def output(self) -> Path:
        """Where `mastra build` puts what it makes."""
        return self.folder / ".mastra" / "output"

    @property
    def is_npm(self) -> bool:
        """True when npm installs it."""
        return self.manager.kind is PackageManager.NPM

    @property
    def launched(self) -> tuple[str, ...]:
        """How others start the package manager by its name: with our launcher for it, where there is one."""
        folders = [folder for folder in (self.manager.bin, self.tools.bin) if folder]
        found = next((path for folder in folders if (path := folder / self.manager.kind.value).exists()), None)
        return (str(found),) if found else self.manager.program

    @property
    def fingerprint(self) -> str:
        """A few letters that stand for the tools."""
        parts = [self.manager.kind.value, *self.launched]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]

    def find_version(self, package: str) -> str | None:
        """Return the version of a package that is installed for the project."""
        return packages.find_version(self.folder, package) or packages.find_version(self.root, package)

    def find_cli(self) -> Path | None:
        """Return the program of the Mastra CLI that is installed for the project."""
        return packages.find_cli(self.folder) or packages.find_cli(self.root)
