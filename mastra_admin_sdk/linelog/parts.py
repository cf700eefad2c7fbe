"""The files of one log: the one that is written, and those that were rotated away."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import BinaryIO

ROTATION_SECONDS = 0.001
"""How long to wait for the end of a rotation."""
_MOST_MISSING = 2


def open_parts(path: Path, stack: ExitStack, newer_than: BinaryIO | None = None) -> list[BinaryIO]:
    """Open the rotated files, oldest first, and the file itself: a set of one moment, whatever is renamed meanwhile.

    With ``newer_than``, a file of the set that is open already, only those that came after it.

    A rotation renames one file after the other. What stood under each name before and after the files were opened is
    compared, and all is opened again when a name has moved.
    """
    while True:
        names = _list_parts(path)
        known = os.fstat(newer_than.fileno()).st_ino if newer_than else None
        wanted = list(names.values())
        wanted = wanted[wanted.index(known) + 1 :] if known in wanted else wanted
        with ExitStack() as attempt:
            parts: list[BinaryIO] = []
            for name in [name for name, inode in names.items() if inode in wanted]:
                with suppress(FileNotFoundError):
                    parts.append(attempt.enter_context(name.open("rb", buffering=0)))
            inodes = [os.fstat(part.fileno()).st_ino for part in parts]
            if inodes == wanted and names == _list_parts(path):
                stack.push(attempt.pop_all())
                return parts
        time.sleep(ROTATION_SECONDS)


def was_replaced(path: Path, file: BinaryIO) -> bool:
    """True when another file stands under the name of one that is open."""
    known = os.fstat(file.fileno())
    try:
        found = path.stat()
    except FileNotFoundError:  # rotated in this moment, or removed with its build
        return False
    return (found.st_dev, found.st_ino) != (known.st_dev, known.st_ino)


def name_part(path: Path, index: int) -> Path:
    """Return the name of the file that was rotated away ``index`` rotations ago; 0 is the one that is written."""
    return path.with_name(f"{path.name}.{index}") if index else path


def _list_parts(path: Path) -> dict[Path, int]:
    """Return the files of a log, oldest first, and the inode under each name.

    Names are looked at one by one: the folder may hold thousands of other logs. In the midst of a rotation one of them
    is missing.
    """
    found: list[tuple[Path, int]] = []
    index = missing = 0
    while missing < _MOST_MISSING:
        name = name_part(path, index)
        try:
            found.append((name, name.stat().st_ino))
            missing = 0
        except FileNotFoundError:
            missing += 1
        index += 1
    return dict(reversed(found))
