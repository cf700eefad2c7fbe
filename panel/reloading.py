"""The panel for developers: a process that starts the panel, and starts it anew when its code changes.

It starts a whole process instead of new workers: those are forked from one that has the old modules.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import mastra_admin_sdk

RELOAD = "--reload"
"""The argument that asks for it."""

FOLDERS = (Path(__file__).parent, Path(mastra_admin_sdk.__file__).parent)
_SUFFIXES = frozenset({".py", ".html", ".j2"})
_PASSED_OVER = frozenset({"__pycache__", "node_modules", "static"})
_POLL_SECONDS = 0.5
_GRACE_SECONDS = 15.0


def run_reloading(arguments: Sequence[str], folders: Sequence[Path] = FOLDERS) -> int:
    """Run the panel, anew after each change, until SIGTERM or SIGINT or until it ends well by itself.

    A panel that fails, as of code that is half written, is started again after the next change.

    Parameters:
        arguments: those of ``python -m mastra_admin_panel``.
        folders: where code and templates are looked at. Scripts and styles aren't: a page loads the new ones.

    Returns:
        The exit code.
    """
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    while True:
        before = stamp_files(folders)
        process = subprocess.Popen([sys.executable, "-m", "mastra_admin_panel", *arguments])
        try:
            if not _wait_for_change(process, before, folders, stopping):
                break
        finally:
            _end(process)
    return 0 if stopping.is_set() else process.returncode


def stamp_files(folders: Iterable[Path]) -> Mapping[Path, int]:
    """Return when each file of code or template was changed: nanoseconds of its time stamp."""
    return dict(stamp for folder in folders for stamp in _stamp(folder))


def _stamp(folder: Path) -> Iterator[tuple[Path, int]]:
    for path in folder.iterdir():
        try:
            if path.suffix in _SUFFIXES:
                yield path, path.stat().st_mtime_ns
            elif path.is_dir() and path.name not in _PASSED_OVER:
                yield from _stamp(path)
        except FileNotFoundError:
            continue  # an editor's file that was there for a moment


def _wait_for_change(
    process: subprocess.Popen[bytes], before: Mapping[Path, int], folders: Sequence[Path], stopping: threading.Event
) -> bool:
    """Return whether to start anew; False as soon as the panel is to end or has ended well."""
    told = False
    while not stopping.wait(_POLL_SECONDS):
        now = stamp_files(folders)
        if now != before:
            changed = sorted(path.name for path, _ in now.items() ^ before.items())
            _say(f"{changed[0]} has changed; the panel starts anew.")
            return True
        code = process.poll()
        if code == 0:
            return False
        if code is not None and not told:
            _say(f"The panel has ended with exit code {code}; it starts again after the next change.")
            told = True
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
