"""Files that people get: written whole under another name first, so that nobody ever finds half of one."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mastra_admin_sdk.errors import InvalidInput


@contextmanager
def write_whole(path: str | Path) -> Iterator[Path]:
    """Give an empty file to write to; it takes the place of ``path`` when the block ends well.

    Only its owner may read it: it holds what people said. An error leaves what was there before, and nothing beside it.

    Raises:
        InvalidInput: the folder isn't there, can't be written, or the disk is full; or it is something else than a
            file, such as a device, which would be replaced.
    """
    target = _check_target(path)
    draft = target.with_name(f".{target.name}.{os.getpid()}.{os.urandom(4).hex()}.part")
    try:
        draft.touch(mode=0o600)
        yield draft
        _sync(draft)
        draft.replace(target)
    except OSError as exc:
        raise InvalidInput(
            f"{target} can't be written: {exc.strerror or exc}.", hint="Name a folder that exists and has room."
        ) from exc
    finally:
        draft.unlink(missing_ok=True)


def _check_target(path: str | Path) -> Path:
    try:
        target = Path(path).expanduser().absolute()
        os.fsencode(target)
        mode = target.stat().st_mode
    except FileNotFoundError:
        return target
    except (OSError, ValueError, RuntimeError) as exc:  # too long, links in a circle; a NUL; nobody's home
        raise InvalidInput(f"{str(path)[:200]!r} can't be written: {exc!s:.200}.", hint="Name another file.") from exc
    if stat.S_ISDIR(mode):
        raise InvalidInput(f"{target} is a folder.", hint="Name the file to write.")
    if not stat.S_ISREG(mode):
        raise InvalidInput(f"{target} is no file, but a device or a pipe.", hint="Name the file to write.")
    return target


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
