"""`LocalRunner`: builds and runs Mastra servers as processes of this machine."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mastra_admin_sdk.errors import ToolMissing
from mastra_admin_sdk.home import Home
from mastra_admin_sdk.models import (
    Artifact,
    BuildRequest,
    Removal,
    ServerExit,
    ServerIdentity,
    ServerSpec,
    ServerUsage,
    SourceProject,
)
from mastra_admin_sdk.ports.checks import CancelCheck
from mastra_admin_sdk.ports.runner import LogSink, PhaseCallback, Runner

from . import artifact as artifacts
from .builder import BUILD_FORMAT, Builder, BuildLimits
from .cache.keeper import BuildCache, Remains
from .commands import make_server_environment, pick_base
from .managers import describe_manager
from .ports import find_free_port
from .processes import BUILD_MARKER, find_marked, find_servers, kill_until_gone
from .server import Servers
from .toolchain import Toolchain, choose_toolchain

_HOST = "127.0.0.1"
_KILL_SECONDS = 10.0
_PRELOAD = Path(__file__).resolve().parent / "node" / "activate.mjs"


class LocalRunner(Runner):
    """Runs servers under small processes that outlive the SDK.

    Parameters:
        home: where artifacts, logs and records are.
        ports: first and last loopback port for servers.
        node: a Node program to use; empty: the system's if it fits, else the wheel's.
        install_timeout, build_timeout: seconds that each phase may take.
        build_memory_mb, build_nice: memory that a build's commands may hold together (0: any), and how much they yield.
        build_cache: whether installed packages are taken from earlier builds and kept for later ones.
        drain_timeout: seconds that a server gets to stop when nobody says how many, as at a shutdown of the machine.
        log_max_bytes, log_keep: size at which a server's log is rotated, and how many old ones are kept.
        environment: where PATH, HOME, LANG, TZ, proxies and certificates come from; the rest of it is not passed on.
    """

    def __init__(
        self,
        home: Home,
        *,
        environment: Mapping[str, str],
        ports: tuple[int, int] = (4100, 4199),
        node: str = "",
        install_timeout: float = 900.0,
        build_timeout: float = 900.0,
        build_memory_mb: int = 0,
        build_nice: int = 10,
        build_cache: bool = True,
        log_max_bytes: int = 10 * 1024 * 1024,
        log_keep: int = 5,
        drain_timeout: float = 60.0,
    ) -> None:
        self._home = home
        self._environment = dict(environment)
        self._ports = range(ports[0], ports[1] + 1)
        self._node = node
        self._limits = BuildLimits(install_timeout, build_timeout, build_memory_mb, build_nice)
        self._cache = BuildCache(home.cache / "packages")
        self._uses_cache = build_cache
        self._remains: dict[str, Remains] = {}
        self._servers = Servers(home.path, home.run, log_max_bytes, log_keep, drain_timeout)

    # --- builds -------------------------------------------------------------------------------------------------------

    def build(self, request: BuildRequest, log: LogSink, cancel: CancelCheck, on_phase: PhaseCallback) -> Artifact:
        cache = self._cache if self._uses_cache else None
        builder = Builder(self._home, self._environment, self._node, self._limits, log, cancel, cache)
        artifact = builder.run(request, on_phase)
        if builder.remains:
            self._remains[request.build_id] = builder.remains
        return artifact

    def settle_build(self, build_id: str, workspace: Path, *, succeeded: bool) -> None:
        remains = self._remains.pop(build_id, None)
        if remains is None:
            return
        try:
            if succeeded:
                self._cache.put_away(remains, workspace)
        finally:
            remains.close()

    def read_fingerprint(self, project: SourceProject) -> str:
        tools = self._choose_tools(project.node_range)
        where = f"{sys.platform}-{platform.machine()}"
        return f"{BUILD_FORMAT}/{tools.version}/{where}/{self._describe_manager(project, tools)}"

    def trim_cache(self, max_bytes: int, *, dry_run: bool = False) -> Sequence[Removal]:
        return self._cache.trim(max_bytes, dry_run=dry_run)

    def measure_cache(self) -> int:
        return self._cache.measure()

    def end_build(self, build_id: str) -> None:
        kill_until_gone(lambda: find_marked(BUILD_MARKER, build_id), _KILL_SECONDS)

    def load_artifact(self, record: Mapping[str, Any]) -> Artifact:
        return artifacts.load_artifact(record)

    def dump_artifact(self, artifact: Artifact) -> Mapping[str, Any]:
        return artifacts.dump_artifact(artifact)

    def check_source(self, project: SourceProject) -> tuple[str, ...]:
        tools = self._choose_tools(project.node_range)
        notes = [f"Node {tools.version} ({tools.origin}) builds and runs it.", *tools.notes]
        notes.append(f"{self._describe_manager(project, tools)} installs its dependencies.")
        if not project.has_lockfile:
            notes.append(f"There is no lock file of {project.package_manager}: each build takes the newest versions.")
        if not project.has_mastra_cli:
            notes.append("The project has no Mastra CLI of its own: the one that belongs to its core will be used.")
        if not project.has_observability:
            notes.append("@mastra/observability will be added to the built output, for tracing.")
        return tuple(notes)

    # --- servers ------------------------------------------------------------------------------------------------------

    def find_port(self, taken: frozenset[int]) -> int:
        return find_free_port(_HOST, self._ports, taken)

    def start(self, spec: ServerSpec) -> ServerIdentity:
        tools = self._find_tools(spec.artifact)
        base = pick_base(self._environment, tools.bin)
        return self._servers.start(spec, tools.node, make_server_environment(spec, base, self._home.path, _PRELOAD))

    def wait_healthy(self, server: ServerIdentity, timeout: float, cancel: CancelCheck) -> None:
        self._servers.wait_healthy(server, timeout, cancel)

    def is_healthy(self, server: ServerIdentity) -> bool:
        return self._servers.is_healthy(server)

    def is_running(self, server: ServerIdentity) -> bool:
        return self._servers.is_running(server)

    def measure(self, server: ServerIdentity) -> ServerUsage | None:
        return self._servers.measure(server)

    def stop(self, server: ServerIdentity, grace: float) -> ServerExit:
        return self._servers.stop(server, grace)

    def read_exit(self, server: ServerIdentity) -> ServerExit | None:
        return self._servers.read_exit(server)

    def read_trace_status(self, server: ServerIdentity) -> Mapping[str, Any]:
        return self._servers.read_trace_status(server)

    def find_servers(self) -> Mapping[str, Sequence[int]]:
        return find_servers(self._home.path)

    # --- description --------------------------------------------------------------------------------------------------

    def describe(self) -> str:
        node = self._node or "the system's Node or the wheel's"
        return f"processes on this machine, ports {self._ports.start}-{self._ports.stop - 1}, {node}"

    def __repr__(self) -> str:
        return f"LocalRunner({self._home.path}, ports={self._ports.start}-{self._ports.stop - 1})"

    # --- helpers ------------------------------------------------------------------------------------------------------

    def _find_tools(self, artifact: Artifact) -> Toolchain:
        """Return the tools that an artifact was built with, or such as fit it when they were removed or replaced."""
        try:
            tools = choose_toolchain(self._home, self._environment, node=artifact.node)
        except ToolMissing:
            return self._choose_tools(None)
        return tools

    def _describe_manager(self, project: SourceProject, tools: Toolchain) -> str:
        root = Path(project.workspace_root or project.path)
        kind = project.package_manager
        return describe_manager(kind, root, tools=tools, home=self._home, environment=self._environment)

    def _choose_tools(self, node_range: str | None) -> Toolchain:
        return choose_toolchain(self._home, self._environment, node=self._node, node_range=node_range)
