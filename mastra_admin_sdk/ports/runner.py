"""What turns sources into artifacts and artifacts into running servers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

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

from .checks import CancelCheck


class LogSink(Protocol):
    """Takes the lines of a build's log. Each is numbered and redacted where it is written."""

    def write(self, text: str, *, stream: str = "out") -> None:
        """Write one line. ``stream`` is ``out``, ``err``, or ``info`` for what MastraAdmin itself says."""

    def tail(self, count: int = 100) -> list[str]:
        """Return the texts of the last lines, redacted."""


PhaseCallback = Callable[[str], None]
"""Called with the name of each phase as it starts."""


class Runner(ABC):
    """Builds and runs Mastra servers.

    Servers outlive the process that started them: whoever holds a `ServerIdentity` can ask after a server and stop it.
    """

    @abstractmethod
    def build(self, request: BuildRequest, log: LogSink, cancel: CancelCheck, on_phase: PhaseCallback) -> Artifact:
        """Install and build the copy in ``request.workspace`` and leave the artifact in ``request.artifact_dir``.

        Phases: ``install`` and ``build``. A failure leaves no artifact and no process behind. The workspace stays the
        caller's: after `settle_build` it is the caller who removes it.

        Raises:
            CommandFailed: a command failed; command, exit code and last lines are in its evidence.
            PhaseTimeout, BuildCancelled, ToolMissing.
        """

    @abstractmethod
    def settle_build(self, build_id: str, workspace: Path, *, succeeded: bool) -> None:
        """Put away what a build installed, for later builds; called once for each, after its end.

        Nobody waits for it. Nothing is kept unless the build ``succeeded``. A build that this object didn't make is no
        error.

        Parameters:
            workspace: where the workspace is by now, as `build` left it; files may be taken out of it.
        """

    @abstractmethod
    def read_fingerprint(self, project: SourceProject) -> str:
        """Return what decides, besides source and environment, what a build of a project makes.

        Node's version, the platform, the package manager with its version, and the way of building. Nothing volatile.
        """

    @abstractmethod
    def trim_cache(self, max_bytes: int, *, dry_run: bool = False) -> Sequence[Removal]:
        """Remove from the build cache what was not used longest until it has at most ``max_bytes``; return what went.

        What a build uses at the moment stays. With ``dry_run`` nothing is removed.
        """

    @abstractmethod
    def measure_cache(self) -> int:
        """Return the bytes that the build cache holds on disk."""

    @abstractmethod
    def end_build(self, build_id: str) -> None:
        """End whatever a build that nobody runs any more has left running on this host: its worker died."""

    @abstractmethod
    def load_artifact(self, record: Mapping[str, Any]) -> Artifact:
        """Return the artifact that `dump_artifact` described; `BuildError` when its folder is gone."""

    @abstractmethod
    def dump_artifact(self, artifact: Artifact) -> Mapping[str, Any]:
        """Describe an artifact as JSON for the build's record."""

    @abstractmethod
    def find_port(self, taken: frozenset[int]) -> int:
        """Return a port of the range that isn't ``taken`` and on which nobody listens.

        Raises:
            NoFreePort: none is left; the message names the range and who has how many.
        """

    @abstractmethod
    def start(self, spec: ServerSpec) -> ServerIdentity:
        """Start a server and return as soon as its process exists.

        From then on it is held to ``spec.memory_mb``: holding more ends it, which `read_exit` then tells. It yields
        the CPU as ``spec.nice`` says, and writes no core files.

        Raises:
            ServerError: the process could not be started.
        """

    @abstractmethod
    def wait_healthy(self, server: ServerIdentity, timeout: float, cancel: CancelCheck) -> None:
        """Wait until the server answers its health check and the listener is one of its own processes.

        Raises:
            ServerUnhealthy: it ended or didn't answer in time; ``evidence["log_tail"]`` has its last 100 lines, and
                ``evidence["port_taken"]`` is true when its port was taken by a stranger.
        """

    @abstractmethod
    def is_healthy(self, server: ServerIdentity) -> bool:
        """Ask the server's health check once, briefly."""

    @abstractmethod
    def is_running(self, server: ServerIdentity) -> bool:
        """True while the server and the small process above it exist: same pids, same start, same boot."""

    @abstractmethod
    def measure(self, server: ServerIdentity) -> ServerUsage | None:
        """Return what a server and the processes below it hold at the moment; ``None`` when it doesn't run."""

    @abstractmethod
    def stop(self, server: ServerIdentity, grace: float) -> ServerExit:
        """End a server: one SIGTERM, up to ``grace`` seconds, then SIGKILL to all that is left of it.

        Afterwards none of its processes exists and nothing of it listens on its port. A server that is gone already
        is no error. With a pid of 0 (its starter died before it could record one) it goes by the process id alone.
        """

    @abstractmethod
    def read_exit(self, server: ServerIdentity) -> ServerExit | None:
        """Return how a server ended as the process above it recorded, or ``None`` while it runs."""

    @abstractmethod
    def read_trace_status(self, server: ServerIdentity) -> Mapping[str, Any]:
        """Return what the tracing module in the server says: ``{"traced": bool, "reason": str | None, …}``, or empty.

        Keys: ``traced``, ``reason``, ``mastra``, ``core_version``, ``observability``, ``written``, ``dropped``.
        """

    @abstractmethod
    def check_source(self, project: SourceProject) -> tuple[str, ...]:
        """Return notes on how a project would be built, such as which Node; `ToolMissing` when it can't be."""

    @abstractmethod
    def find_servers(self) -> Mapping[str, Sequence[int]]:
        """Return whatever runs of servers of this home, on this host, whether or not anybody has a record of it.

        By process id: the pids of the server, of what it started, and of the small process above it.
        """

    @abstractmethod
    def describe(self) -> str:
        """Return in a few words what this is, for reprs and ``doctor``."""
