"""What can be followed: the log of a build, of a server, and of whichever server is a deployment's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path

from mastra_admin_sdk import LiveBuild, LiveDeployment, MastraAdmin
from mastra_admin_sdk.errors import NotFound
from mastra_admin_sdk.models import Build, Process

from ..api.schemas.builds import Build as ShownBuild
from ..api.schemas.processes import Process as ShownProcess
from .messages import Event


@dataclass(frozen=True, slots=True)
class Look:
    """What a source is at a moment.

    ``place`` names the log among those of the source (the id of the process), ``record`` is the event that shows the
    record behind it, and ``is_over`` says that nothing more will be written. Looks with an equal ``key`` tell viewers
    nothing new.
    """

    place: str
    path: Path | None
    record: Event
    key: tuple[object, ...]
    is_over: bool = field(default=False)


class Source(ABC):
    """Something that can be followed. ``name`` is the same for all that follow the same."""

    name: str

    @abstractmethod
    def look(self) -> Look:
        """Read its record; called some times a second, by one thread for all viewers."""

    @abstractmethod
    def find(self, place: str) -> Look | None:
        """Return an earlier log of the source by its place; ``None`` when there is none."""


class BuildSource(Source):
    """The log of a build."""

    def __init__(self, build: LiveBuild) -> None:
        self.name = f"build:{build.id}"
        self._build = build

    def look(self) -> Look:
        record = self._build.refresh().record
        path = Path(record.log_path) if record.log_path else None
        return Look(
            "", path, {"type": "build", "build": ShownBuild.of(record).to_json()}, _key_of(record), record.is_final
        )

    def find(self, place: str) -> Look | None:  # noqa: ARG002 - a build has one log
        return None


class ProcessSource(Source):
    """The log of one server."""

    def __init__(self, admin: MastraAdmin, process: Process) -> None:
        self.name = f"process:{process.id}"
        self._admin, self._process = admin, process

    def look(self) -> Look:
        process = self._admin.processes.get(self._process.id)
        return _look_at(process, is_over=not process.status.is_alive)

    def find(self, place: str) -> Look | None:  # noqa: ARG002 - a server has one log
        return None


class ServerSource(Source):
    """The log of a deployment's server: the one that serves, else the newest. It ends with the deployment."""

    def __init__(self, admin: MastraAdmin, deployment: LiveDeployment, replica: int | None = None) -> None:
        self.name = f"deployment:{deployment.id}:{'' if replica is None else replica}"
        self._admin, self._deployment, self._replica = admin, deployment, replica
        self._last: Look = Look("", None, {"type": "server", "server": None}, ())

    def look(self) -> Look:
        process = self._deployment.find_server(self._replica)
        if process:
            self._last = _look_at(process)
        elif self._is_deleted():
            self._last = Look(self._last.place, self._last.path, self._last.record, self._last.key, is_over=True)
        return self._last

    def find(self, place: str) -> Look | None:
        try:
            process = self._admin.processes.get(place)
        except NotFound:
            return None
        return _look_at(process) if process.deployment_id == self._deployment.id else None

    def _is_deleted(self) -> bool:
        try:
            self._deployment.refresh()
        except NotFound:
            return True
        return False


def _look_at(process: Process, *, is_over: bool = False) -> Look:
    path = Path(process.log_path) if process.log_path else None
    key = (process.id, process.status, process.pid, process.restarts, process.exit_code, process.exit_signal)
    return Look(process.id, path, {"type": "server", "server": ShownProcess.of(process).to_json()}, key, is_over)


def _key_of(build: Build) -> tuple[object, ...]:
    return build.status, tuple(build.phases.items()), build.cancel_requested, build.error_message, build.started_at
