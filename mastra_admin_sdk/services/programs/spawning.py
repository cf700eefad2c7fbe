"""Starting processes of our own that outlive the command which started them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from mastra_admin_sdk.settings import SETTINGS, Settings

_KEPT = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "PYTHONPATH")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")
_CERTIFICATES = ("NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "SSL_CERT_DIR")
# Without them the same repository could be read here and not in the background.
_GIT = ("XDG_CONFIG_HOME", "SSH_AUTH_SOCK", "GIT_SSH", "GIT_SSH_COMMAND")
_GIT_CERTIFICATES = ("CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH")
_LOG_MAX_BYTES = 5 * 1024 * 1024

# Kept until the interpreter ends: a Popen that is collected while its process runs gives a warning.
_started: list[subprocess.Popen[bytes]] = []


def make_environment(settings: Settings, folder: str) -> dict[str, str]:
    """Return the environment of a process of ours: little of the caller's, and the settings that were given.

    Settings travel by environment because arguments are shown to everybody on the machine.

    Parameters:
        settings: those in force; what is written in settings.toml is read from there again.
        folder: where projects are searched when no setting says so: the caller's current folder.
    """
    proxies = [*_PROXIES, *(name.lower() for name in _PROXIES)]
    names = [*_KEPT, *proxies, *_CERTIFICATES, *_GIT, *_GIT_CERTIFICATES]
    kept = {name: settings.environment[name] for name in names if settings.environment.get(name)}
    given = [item for item in SETTINGS if settings.origin(item.name) in ("argument", "environment")]
    ours = {item.env: encode_setting(settings[item.name]) for item in given}
    if not settings.source_paths:
        ours["MASTRA_ADMIN_SOURCE_PATHS"] = folder
    return {**kept, **ours, "MASTRA_ADMIN_HOME": settings.home, "PYTHONUNBUFFERED": "1"}


def encode_setting(value: object) -> str:
    """Return a setting's value as its environment variable carries it."""
    if isinstance(value, dict):
        return json.dumps(value)
    return os.pathsep.join(map(str, value)) if isinstance(value, list) else str(value)


def make_module_command(module: str, *arguments: str) -> tuple[str, ...]:
    """Return how to run a module with this very Python."""
    return (sys.executable, "-m", module, *arguments)


def spawn_detached(argv: Sequence[str], env: Mapping[str, str], *, cwd: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, its output appended to a log file; it goes on after we have ended."""
    _rotate(log)
    with log.open("ab") as output:
        log.chmod(0o600)
        process = subprocess.Popen(
            argv,
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    _started.append(process)
    return process


def reap_ended() -> None:
    """Take note of those started here that have ended: nothing of them stays in the list of processes."""
    _started[:] = [process for process in _started if process.poll() is None]


def read_tail(log: Path, lines: int = 20, *, after: int = 0) -> list[str]:
    """Return the last lines of a log file, of what was written behind a position."""
    try:
        with log.open("rb") as file:
            file.seek(max(after, file.seek(0, os.SEEK_END) - 64 * 1024))
            return file.read().decode("utf-8", errors="replace").splitlines()[-lines:]
    except FileNotFoundError:
        return []


def _rotate(log: Path) -> None:
    if log.exists() and log.stat().st_size > _LOG_MAX_BYTES:
        log.replace(log.with_name(f"{log.name}.1"))
