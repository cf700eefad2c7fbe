"""Where each route leads: a folder of small files, replaced in one step.

``<key>`` is a symbolic link to the folder in force. That has one file a slot, which Caddy reads, and ``all``, which
is read here. A new set is written into a new folder, and the link is replaced by a rename: no request meets half of it.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path

from .entries import SLOTS

_ALL = "all"


class TargetFiles:
    """The files of all routes, in one folder. Callers that write hold the router's lock."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def prepare(self) -> None:
        """Make the folder, empty."""
        self.clear()
        self._folder.mkdir(mode=0o700, exist_ok=True)

    def clear(self) -> None:
        """Remove what is in the folder."""
        for path in self._folder.glob("*"):
            _remove(path)

    def read(self, key: str) -> tuple[str, ...]:
        """Return the targets of a route; none when it has no files."""
        try:
            return tuple((self._folder / key / _ALL).read_text(encoding="ascii").split())
        except OSError:
            return ()

    def write(self, key: str, targets: Sequence[str]) -> None:
        """Put other targets in force, at once for all slots."""
        link = self._folder / key
        before = link.resolve().name if link.is_symlink() else ""
        new = f"{key}.{secrets.token_hex(4)}"
        try:
            self._fill(self._folder / new, targets)
            temporary = self._folder / f"{new}.link"
            temporary.symlink_to(new)
            temporary.replace(link)
        except OSError:
            self._sweep(key, kept=(before,))
            raise
        # Caddy may be about to open a file of the folder before: it stays until the next switch.
        self._sweep(key, kept=(before, new))

    def remove(self, key: str) -> None:
        """Remove the files of a route."""
        (self._folder / key).unlink(missing_ok=True)
        self._sweep(key, kept=())

    def _fill(self, folder: Path, targets: Sequence[str]) -> None:
        folder.mkdir(mode=0o700)
        for slot in range(SLOTS):
            _write(folder / str(slot), targets[slot % len(targets)])
        _write(folder / _ALL, "\n".join(targets))

    def _sweep(self, key: str, kept: Sequence[str]) -> None:
        for path in self._folder.glob(f"{key}.*"):
            if path.name not in kept:
                _remove(path)


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)


def _remove(path: Path) -> None:
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
    else:
        shutil.rmtree(path)
