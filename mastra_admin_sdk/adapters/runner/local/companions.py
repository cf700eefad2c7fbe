"""Finds the version of a Mastra package that belongs to a core: from earlier answers, else from the registry.

What a lock file tells already is asked for in a thread, while the dependencies are installed.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from mastra_admin_sdk.errors import BuildCancelled, BuildError
from mastra_admin_sdk.ports.checks import CancelCheck

from .cache.matches import MatchCache
from .matching import Candidate, choose_candidate, parse_candidates

logger = logging.getLogger(__name__)

Ask: TypeAlias = Callable[[str, CancelCheck], str]
"""Runs ``npm view`` on a package, and returns what it printed."""

Fetch: TypeAlias = Callable[[str, CancelCheck], None]
"""Puts ``name@version`` into npm's cache."""


class Companions:
    """The versions that one build asks for."""

    def __init__(self, kept: MatchCache, ask: Ask, cancel: CancelCheck, fetch: Fetch | None = None) -> None:
        self._kept, self._ask, self._cancel, self._fetch = kept, ask, cancel, fetch
        self._is_over = threading.Event()
        self._asked: dict[tuple[str, str], str | BuildError | None] = {}
        self._threads: dict[tuple[str, str], threading.Thread] = {}

    def ask_ahead(self, package: str, core: str) -> None:
        """Begin to find a version that `find` will be asked for, and to fetch it: it will be installed later."""
        if self._kept.find(package, core) is None:
            thread = threading.Thread(target=self._run, args=(package, core), name="mastra-admin-view", daemon=True)
            self._threads[package, core] = thread
            thread.start()

    def find(self, package: str, core: str) -> str | None:
        """Return the version of ``package`` that belongs to a core, or ``None`` when none is published for it.

        Raises:
            BuildError: the registry can't be asked, or its answer can't be read.
        """
        if kept := self._kept.find(package, core):
            return kept
        thread = self._threads.pop((package, core), None)
        if thread is None:
            return self._look_up(package, core, self._cancel)
        thread.join()
        answer = self._asked[package, core]
        if isinstance(answer, BuildError):
            raise answer
        return answer

    def find_with_needs(self, package: str, core: str) -> tuple[str, ...]:
        """Return the version that `find` returns and those of the Mastra packages it needs, each ``name@version``.

        It asks for ranges of them, whose newest versions may need a newer core. Empty when there is none.

        Raises:
            BuildError: as `find`.
        """
        name = f"{package} with its needs"
        if kept := self._kept.find(name, core):
            return tuple(kept.split())
        chosen = self._choose(package, core, self._cancel)
        if chosen is None:
            return ()
        needed = {name: self._choose(name, core, self._cancel, within) for name, within in chosen.needs.items()}
        others = [f"{name}@{found.text}" for name, found in needed.items() if found]
        answer = (f"{package}@{chosen.text}", *others)
        self._kept.keep(name, core, " ".join(answer))
        return answer

    def close(self) -> None:
        """End what was begun and isn't needed any more."""
        self._is_over.set()
        for thread in self._threads.values():
            thread.join()

    def _run(self, package: str, core: str) -> None:
        try:
            version = self._asked[package, core] = self._look_up(package, core, self._check)
            if version:
                self._fetch_ahead(f"{package}@{version}")
        except BuildError as exc:
            self._asked[package, core] = exc
        except Exception as exc:
            # Whatever it was belongs to whoever asks for the answer, who may never do so.
            self._asked[package, core] = BuildError(f"The versions of {package} could not be looked up: {exc}")

    def _fetch_ahead(self, package: str) -> None:
        if self._fetch is None:
            return
        try:
            self._fetch(package, self._check)
        except BuildError as exc:
            # The install fetches it itself then, and says what is wrong.
            logger.debug("%s could not be fetched ahead: %s", package, exc.message)

    def _look_up(self, package: str, core: str, cancel: CancelCheck) -> str | None:
        chosen = self._choose(package, core, cancel)
        if chosen is None:
            return None
        self._kept.keep(package, core, chosen.text)
        return chosen.text

    def _choose(self, package: str, core: str, cancel: CancelCheck, within: str = "*") -> Candidate | None:
        output = self._ask(package, cancel)
        try:
            return choose_candidate(parse_candidates(output), core, within)
        except ValueError as exc:
            raise BuildError(
                f"npm's answer on the versions of {package} can't be read: {exc}.", hint="Try again."
            ) from exc

    def _check(self) -> None:
        if self._is_over.is_set():
            raise BuildCancelled("The answer isn't needed any more.")
        self._cancel()


def read_locked_version(folder: Path, package: str) -> str | None:
    """Return the version of a package that npm's lock file says will be installed; ``None`` when it doesn't."""
    try:
        lock = json.loads((folder / "package-lock.json").read_text(encoding="utf-8"))
        version = lock["packages"][f"node_modules/{package}"]["version"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return version if isinstance(version, str) else None
