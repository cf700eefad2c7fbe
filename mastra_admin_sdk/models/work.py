"""What sources and runners are asked for, and what they answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from mastra_admin_sdk.display.shown import Shown

from .showing_more import (
    describe_line,
    describe_removal,
    describe_skipped,
    describe_source,
)
from .states import PackageManager


@dataclass(frozen=True, slots=True, repr=False)
class SourceProject(Shown):
    """What a project source found.

    ``env_files`` are names of ``.env*`` files, which are never copied. ``workspace_root`` is set when it is a package
    of a monorepo: the folder above it whose lock file and sibling packages it is built with.
    """

    id: str
    name: str
    path: str
    version: str | None = None
    package_manager: PackageManager = PackageManager.NPM
    has_lockfile: bool = False
    mastra_version: str | None = None
    has_mastra_cli: bool = False
    has_observability: bool = False
    node_range: str | None = None
    env_files: tuple[str, ...] = ()
    git_branch: str | None = None
    git_commit: str | None = None
    git_dirty: bool | None = None
    workspace_root: str | None = None

    _describe = describe_source


@dataclass(frozen=True, slots=True, repr=False)
class SkippedFolder(Shown):
    """A folder that a scan passed over although it looked like a project, and why."""

    path: str
    reason: str

    _describe = describe_skipped


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """What a runner needs to turn a source copy into an artifact.

    ``workspace`` holds the isolated copy of the source and may be changed; ``subdir`` is where in it the project lies,
    empty at its root. ``artifact_dir`` doesn't exist yet. With ``fresh`` nothing is taken from a cache of ours.
    ``env`` are the project's variables that aren't secret: ``mastra build`` sees them, the install step doesn't.
    ``redact`` are secret values that must not reach a log.
    """

    build_id: str
    project: SourceProject
    workspace: Path
    artifact_dir: Path
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    redact: tuple[str, ...] = field(default=(), repr=False)
    subdir: str = ""
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Artifact:
    """A finished build folder: immutable, and all that a server start needs.

    ``entry`` is relative to ``path``; ``node`` is the Node program that it was built with and runs under. ``studio`` is
    the path under which the app serves its own Mastra Studio, if it does. ``packages`` are the installed versions of
    what package.json names. ``stats``: ``bytes`` and ``files`` of the folder, ``peak_memory_bytes`` of the commands,
    ``dependencies`` and ``output`` (each ``hit``, ``miss`` or ``off``: whether the cache had them).
    """

    path: Path
    entry: str
    node: str
    node_version: str
    mastra_version: str | None
    observability: str | None
    phases: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    studio: str | None = None
    packages: Mapping[str, str] = field(default_factory=dict)
    stats: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ServerSpec:
    """What a runner needs to start one server of an artifact.

    ``data_dir`` is the deployment's persistent folder, ``telemetry_dir`` that of this process.
    ``env`` is the project's own environment, decrypted; ``redact`` the values in it that are secret.
    ``memory_mb`` is what all its processes together may hold before it is ended and started again.
    ``telemetry_policy`` is what of its telemetry may be stored, as `policy.TelemetryPolicy.to_json` writes it.
    """

    process_id: str
    project_id: str
    deployment_id: str
    build_id: str
    artifact: Artifact
    host: str
    port: int
    data_dir: Path
    telemetry_dir: Path
    log_path: Path
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    redact: tuple[str, ...] = field(default=(), repr=False)
    drain_seconds: float = 60.0
    memory_mb: int | None = None
    nice: int = 0
    telemetry_policy: str = ""


@dataclass(frozen=True, slots=True)
class ServerIdentity:
    """What tells one running server from everything else, also after a reboot; part of `Process`."""

    process_id: str
    host: str
    port: int
    pid: int
    start_ticks: int
    shim_pid: int
    shim_start_ticks: int
    boot_id: str


@dataclass(frozen=True, slots=True)
class ServerExit:
    """How a server ended. ``signal`` is set when one ended it; ``reason`` is a sentence for people."""

    code: int | None
    signal: int | None
    reason: str
    log_tail: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ServerUsage:
    """What a server and all processes below it hold at the moment."""

    memory_bytes: int
    open_files: int
    processes: int
    threads: int
    cpu_seconds: float


@dataclass(frozen=True, slots=True, repr=False)
class Removal(Shown):
    """One thing that was removed to free space, or would be: what, why, and how many bytes that frees."""

    path: str
    what: str
    reason: str
    bytes: int

    _describe = describe_removal


@dataclass(frozen=True, slots=True, repr=False)
class LogLine(Shown):
    """One numbered line of a build or server log; ``time`` is UTC, ``stream`` is ``out``, ``err`` or ``info``."""

    number: int
    time: datetime
    stream: str
    text: str

    _describe = describe_line
