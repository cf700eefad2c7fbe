"""What a newer and an older version do when they meet: at a running engine, and at the data of another chDB."""

from __future__ import annotations

import re
from functools import cache
from importlib import metadata
from pathlib import Path

from mastra_admin_sdk import __version__
from mastra_admin_sdk.errors import EngineUnavailable

from .record import CONTRACT, VERSION_NAME, EngineRecord

PACKAGE = __version__
"""The version of this package."""

DISTRIBUTION = "chdb-core"


def is_outdated(record: EngineRecord) -> bool:
    """True when an engine is of an older package, or of an older chDB, than what is installed here."""
    is_older = parse_version(record.package) < parse_version(PACKAGE)
    return is_older or parse_version(record.version)[:2] < parse_version(_find_installed())[:2]


def check_usable(record: EngineRecord) -> None:
    """Raise `EngineUnavailable` for an engine that is too new for this package."""
    if record.contract > CONTRACT:
        raise EngineUnavailable(
            f"The analytics engine that runs is of mastra-admin-sdk {record.package}; {PACKAGE} can't use it.",
            hint="Upgrade mastra-admin-sdk here as well, or end what is newer: mastra-admin down, of that version.",
        )


def check_data(folder: Path) -> None:
    """Raise `EngineUnavailable` for data that a newer chDB has written; those of an older one are opened.

    ClickHouse reads what older versions wrote, and promises nothing the other way round.
    """
    written = read_version(folder)
    installed = _find_installed()
    if parse_version(written)[:2] > parse_version(installed)[:2]:
        raise EngineUnavailable(
            f"The telemetry in {folder} was last opened by chDB {written}; {installed}, installed here, is older.",
            hint=f"Upgrade mastra-admin-sdk, or {DISTRIBUTION} to {'.'.join(map(str, parse_version(written)[:2]))}.",
        )


def read_version(folder: Path) -> str:
    """Return the version of chDB that opened the data last; ``"0"`` when that isn't known."""
    try:
        return (folder / VERSION_NAME).read_text(encoding="ascii").strip() or "0"
    except (OSError, UnicodeDecodeError):
        return "0"


def write_version(folder: Path, version: str) -> None:
    """Write down which version of chDB has opened the data."""
    if read_version(folder) != version:
        temporary = folder / f"{VERSION_NAME}.new"
        temporary.write_text(version, encoding="ascii")
        temporary.replace(folder / VERSION_NAME)


@cache
def _find_installed() -> str:
    return metadata.version(DISTRIBUTION)


def parse_version(text: str) -> tuple[int, ...]:
    """Return the numbers of a version, for comparing; what isn't a number counts 0."""
    numbers = [int(number) for number in re.findall(r"\d+", text.split("+")[0])]
    return tuple((numbers + [0] * 4)[:4])
