"""Files of a home that nothing needs any more: found by name and age, never by guess.

Folders are listed before records are read: what is made meanwhile isn't among them, what ends meanwhile is still known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from mastra_admin_sdk.errors import NotFound
from mastra_admin_sdk.models import Build, Process, ProcessStatus, utc_now
from mastra_admin_sdk.services.parts import Parts

KEPT_PROCESSES = 20
"""How many records of servers that ended are kept of each deployment, however old."""

_STRANGER_SECONDS = 86400.0


@dataclass(frozen=True, slots=True)
class Leftover:
    """Files that belong together and may go: what they are and why."""

    paths: tuple[Path, ...]
    what: str
    reason: str


def find_folders(parts: Parts) -> list[Leftover]:
    """Return what builds that are over left: workspaces, artifacts that are on no record or are half removed, and
    manifests of builds that are gone.
    """
    workspaces, artifacts = _list_entries(parts.home.workspaces), _list_entries(parts.home.artifacts)
    manifests = _list_entries(parts.home.manifests)
    found = [
        Leftover((path,), "workspace", reason)
        for path in workspaces
        if (reason := _explain_workspace(parts, path)) is not None
    ]
    return found + (_find_artifacts(parts, artifacts) if artifacts else []) + _find_manifests(parts, manifests)


def find_logs(parts: Parts) -> list[Leftover]:
    """Return logs that are older than the setting says; those of what serves, or served last, stay."""
    days = int(parts.settings.log_days)
    before = (utc_now() - timedelta(days=days)).timestamp()
    reason = f"older than {days} days"
    builds = _group_logs(parts.home.build_logs, before)
    servers = _group_logs(parts.home.server_logs, before)
    kept = _list_kept_logs(parts) if builds or servers else set()
    found = [Leftover(paths, "build log", reason) for name, paths in builds.items() if name not in kept]
    found += [Leftover(paths, "server log", reason) for name, paths in servers.items() if name not in kept]
    rotated = [path for path in _list_entries(parts.home.logs) if ".log." in path.name and path.is_file()]
    found += [Leftover((path,), "rotated log", reason) for path in rotated if _read_time(path) < before]
    return found


def find_old_processes(parts: Parts) -> Iterator[Sequence[Process]]:
    """Yield, for each deployment that has some, records of servers that ended long ago."""
    before = utc_now() - timedelta(days=int(parts.settings.log_days))
    for deployment in parts.storage.deployments.list():
        ended = parts.storage.processes.list(deployment.id, statuses=[ProcessStatus.EXITED])
        old = [item for item in ended[KEPT_PROCESSES:] if (item.exited_at or item.created_at) < before]
        if old:
            yield old


# --- folders ----------------------------------------------------------------------------------------------------------


def _explain_workspace(parts: Parts, path: Path) -> str | None:
    build = _find_build(parts, path)
    if build:
        return f"build #{build.number} is {build.status}" if build.is_final else None
    return "no build of that name is on record" if _is_old(path) else None


def _find_artifacts(parts: Parts, artifacts: Sequence[Path]) -> list[Leftover]:
    held = {build.artifact.get("path") for build in parts.storage.builds.list()}
    # Where no folder at all is on record, this is another database than the one the home was used with.
    is_ours = any(str(path) in held for path in artifacts)
    found = []
    for path in artifacts:
        build = _find_build(parts, path)
        is_over = build.is_final if build else is_ours and _is_old(path)
        # One that is still worked on will say itself what becomes of its folders.
        if path.name.endswith(".trash"):
            found.append(Leftover((path,), "artifact", "its removal was interrupted"))
        elif str(path) not in held and is_over:
            is_partial = path.name.endswith(".partial")
            found.append(Leftover((path,), "artifact", "it was never finished" if is_partial else "no build has it"))
    return found


def _find_manifests(parts: Parts, manifests: Sequence[Path]) -> list[Leftover]:
    lost = [path for path in manifests if _find_build(parts, path) is None]
    # Where none is of a build on record, this is another database than the one the home was used with.
    is_ours = len(lost) < len(manifests)
    return [Leftover((path,), "manifest", "no build has it") for path in lost if is_ours and _is_old(path)]


def _find_build(parts: Parts, path: Path) -> Build | None:
    try:
        return parts.storage.builds.get(path.name.partition(".")[0])
    except NotFound:
        return None


# --- logs -------------------------------------------------------------------------------------------------------------


def _list_kept_logs(parts: Parts) -> set[str]:
    """Names (ids) of builds and servers whose logs stay however old they are."""
    kept: set[str] = set()
    for deployment in parts.storage.deployments.list():
        kept |= {each for each in (deployment.current_build_id, deployment.previous_build_id) if each}
        processes = parts.storage.processes.list(deployment.id)
        kept |= {item.id for item in processes if item.status.is_alive} | {item.id for item in processes[:1]}
    return kept | {build.id for build in parts.storage.builds.list() if not build.is_final}


def _group_logs(folder: Path, before: float) -> dict[str, tuple[Path, ...]]:
    """Return the files of each log, rotated ones too, by its name; only logs that weren't written to since."""
    groups: dict[str, list[Path]] = {}
    for path in _list_entries(folder):
        groups.setdefault(path.name.partition(".")[0], []).append(path)
    return {name: tuple(paths) for name, paths in groups.items() if max(map(_read_time, paths)) < before}


def _is_old(path: Path) -> bool:
    return _read_time(path) < utc_now().timestamp() - _STRANGER_SECONDS


def _read_time(path: Path) -> float:
    with suppress(FileNotFoundError):  # it has gone meanwhile
        return path.lstat().st_mtime
    return utc_now().timestamp()


def _list_entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []
