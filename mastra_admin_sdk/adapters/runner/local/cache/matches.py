"""Which version of a package belongs to which core: the registry's answer, kept, as exact versions never change."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from pathlib import Path

logger = logging.getLogger(__name__)


class MatchCache:
    """One small file an answer."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, package: str, core: str) -> str | None:
        """Return the version of ``package`` that belongs to a core, if it is known."""
        try:
            found = json.loads(self._locate(package, core).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return found if isinstance(found, str) else None

    def keep(self, package: str, core: str, version: str) -> None:
        """Remember an answer. One that can't be written is asked for again next time."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            descriptor, partial = tempfile.mkstemp(dir=self._folder, prefix=".")
            with open(descriptor, "w", encoding="utf-8") as file:
                json.dump(version, file)
            os.rename(partial, self._locate(package, core))
        except OSError as exc:
            logger.warning("The version of %s for core %s could not be kept: %s", package, core, exc)

    def _locate(self, package: str, core: str) -> Path:
        return self._folder / f"{package}@{core}.json".replace("/", "+")
