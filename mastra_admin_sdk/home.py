"""The home: the one folder that holds database, artifacts, logs, telemetry and keys.

Mode 0700, a format version inside, and never on a network file system, where neither SQLite's locks nor Unix sockets
can be trusted.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from .errors import HomeError

FORMAT_VERSION = 1
"""Rises when an older SDK could no longer read a home."""

_NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "afs", "ceph", "glusterfs"}
)


@dataclass(frozen=True, slots=True)
class Home:
    """Paths of a home; `open_home` makes and checks the folder."""

    path: Path

    @property
    def database(self) -> Path:
        """SQLite file of the embedded storage."""
        return self.path / "admin.db"

    @property
    def secret_key(self) -> Path:
        """Fernet key, mode 0600, made at first use."""
        return self.path / "secret.key"

    @property
    def artifacts(self) -> Path:
        """Finished builds: one folder a build."""
        return self.path / "artifacts"

    @property
    def workspaces(self) -> Path:
        """Isolated source copies while they are built."""
        return self.path / "cache" / "workspaces"

    @property
    def cache(self) -> Path:
        """What can be removed at any time and is made again."""
        return self.path / "cache"

    @property
    def git_mirrors(self) -> Path:
        """Bare copies of repositories that projects come from: ``<key>.git`` with ``<key>.lock`` beside each."""
        return self.path / "cache" / "git"

    @property
    def manifests(self) -> Path:
        """What went into each build and what came out of it, for comparing builds also after their artifact is gone."""
        return self.path / "manifests"

    @property
    def data(self) -> Path:
        """What deployed apps wrote: one folder a deployment."""
        return self.path / "data"

    @property
    def build_logs(self) -> Path:
        """One numbered-line file a build."""
        return self.path / "logs" / "builds"

    @property
    def server_logs(self) -> Path:
        """Numbered-line files of the servers."""
        return self.path / "logs" / "servers"

    @property
    def logs(self) -> Path:
        """All log files, ours too."""
        return self.path / "logs"

    @property
    def telemetry(self) -> Path:
        """JSONL files: ``<deployment>/<build>/<process>/{spans,logs}``."""
        return self.path / "telemetry"

    @property
    def clickhouse(self) -> Path:
        """Data of the embedded engine."""
        return self.path / "clickhouse"

    @property
    def caddy(self) -> Path:
        """Configuration and data of the reverse proxy."""
        return self.path / "caddy"

    @property
    def run(self) -> Path:
        """Pids, sockets and locks."""
        return self.path / "run"


def open_home(path: str | Path) -> Home:
    """Make the folder if it isn't there, check that it can be used, and return its paths.

    Raises:
        HomeError: it can't be written, is on a network file system, or was written by a newer version.
    """
    home = Home(Path(path))
    try:
        home.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_purpose(home.path)
        home.path.chmod(0o700)
        for folder in (home.run, home.logs, home.build_logs, home.server_logs, home.telemetry, home.cache, home.data):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_file_system(home.path)
        _check_format(home.path / "format")
    except OSError as exc:
        raise HomeError(
            f"The home folder {home.path} can't be used: {exc.strerror or exc}.",
            hint="Choose a folder that you may write with MASTRA_ADMIN_HOME or home=….",
        ) from exc
    return home


def _check_purpose(path: Path) -> None:
    """Refuse folders that others need: a home belongs to one user, and its mode is set to 0700."""
    is_shared = bool(path.stat().st_mode & stat.S_ISVTX)
    if is_shared or os.path.realpath(path) in {"/", os.path.realpath(os.path.expanduser("~"))}:
        raise HomeError(
            f"{path} can't be a home: {'other users share it' if is_shared else 'it holds more than that'}.",
            hint=f"Choose a folder of its own, such as {path / 'mastra-admin'}.",
        )


def _check_format(marker: Path) -> None:
    try:
        found = int(marker.read_text(encoding="ascii"))
    except FileNotFoundError:
        temporary = marker.with_name(f"format.{os.getpid()}")
        temporary.write_text(f"{FORMAT_VERSION}\n", encoding="ascii")
        temporary.replace(marker)
        return
    except ValueError as exc:
        raise HomeError(
            f"The file {marker} doesn't hold a format version.", hint="Restore it, or choose another home."
        ) from exc
    if found > FORMAT_VERSION:
        raise HomeError(
            f"The home {marker.parent} has format {found}; this version reads up to {FORMAT_VERSION}.",
            hint="Upgrade mastra-admin-sdk, or choose another home.",
        )


def _check_file_system(path: Path) -> None:
    kind = file_system_of(path)
    if kind in _NETWORK_FILE_SYSTEMS:
        raise HomeError(
            f"The home {path} is on a network file system ({kind}), where locks can't be trusted.",
            hint="Put the home on a local disk with MASTRA_ADMIN_HOME; use PostgreSQL to share a database.",
        )


def file_system_of(path: Path) -> str:
    """Return the type of the file system that holds a path, such as ``ext4``; empty when it can't be told."""
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    real = os.path.realpath(path)
    best, kind = "", ""
    for line in mounts:
        _, mount, found, *_ = line.split(" ")
        mount = mount.replace("\\040", " ")
        inside = mount == "/" or real == mount or real.startswith(mount + "/")
        if inside and len(mount) >= len(best):
            best, kind = mount, found
    return kind
