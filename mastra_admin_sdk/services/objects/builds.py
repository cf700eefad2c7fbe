"""Builds, as `MastraAdmin` hands them out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mastra_admin_sdk.display.cards import render_build
from mastra_admin_sdk.display.progress import ProgressPrinter, say_detached
from mastra_admin_sdk.linelog import LogFile, follow_lines, read_lines
from mastra_admin_sdk.models import (
    Build,
    BuildStatus,
    LogLine,
)
from mastra_admin_sdk.services.builds.manifests import load_manifest
from mastra_admin_sdk.services.builds.waiting import OnProgress
from mastra_admin_sdk.services.environment.service import show_env
from mastra_admin_sdk.services.history.records import expect_seconds

if TYPE_CHECKING:
    from .deployments import LiveDeployment


from .base import Services


class LiveBuild:
    """One build of a deployment, as it goes on or as it ended."""

    def __init__(self, record: Build, services: Services) -> None:
        self.record = record
        self._services = services

    @property
    def id(self) -> str:
        """Its id, a UUID."""
        return self.record.id

    @property
    def number(self) -> int:
        """Its number in its deployment, from 1."""
        return self.record.number

    @property
    def status(self) -> BuildStatus:
        """Its status when it was last read."""
        return self.record.status

    @property
    def phases(self) -> Mapping[str, float]:
        """Seconds per phase."""
        return self.record.phases

    def expected_seconds(self) -> Mapping[str, float]:
        """Return the seconds that each of its phases is likely to take, from the last builds of its kind."""
        return expect_seconds(self._services.parts.storage, self.record.deployment_id, kind=self.record.kind)

    @property
    def env(self) -> Mapping[str, str]:
        """The variables it ran with, by name; secret values read ``***``. Empty before it began."""
        return show_env(self._services.parts, self.record.env_snapshot)

    @property
    def inventory(self) -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
        """What its server said it has when it went live: ``agents``, ``tools`` and ``workflows``, id → fields.

        Empty before that, and for a server that doesn't list them.
        """
        found = load_manifest(self._services.parts.home, self.id).get("inventory")
        return found if isinstance(found, dict) else {}

    @property
    def deployment(self) -> LiveDeployment:
        """The deployment it belongs to."""
        from .deployments import LiveDeployment  # which knows its builds as well

        found = self._services.parts.storage.deployments.get(self.record.deployment_id)
        return LiveDeployment(found, self._services)

    def refresh(self) -> LiveBuild:
        """Read the record anew and return this object."""
        self.record = self._services.parts.storage.builds.get(self.id)
        return self

    def wait(self, timeout: float | None = None, *, on_progress: OnProgress | None = None) -> LiveBuild:
        """Wait until it has succeeded and return this object.

        Parameters:
            timeout: seconds to wait at most; the build goes on after that.
            on_progress: called with the build's record as it changes; unless given, progress is shown in a terminal
                or notebook. Interrupting the wait leaves the build in the queue.

        Raises:
            BuildError: it ended otherwise; with the error it ended with.
            TimeoutError: it hasn't ended after ``timeout`` seconds; it goes on.
        """
        try:
            show = on_progress or ProgressPrinter.for_this_output()
            self._services.waiter.wait(self.id, timeout=timeout, on_progress=show)
        except KeyboardInterrupt:
            if on_progress is None:
                say_detached(self.record.number)
            raise
        finally:
            self.refresh()
        return self

    def cancel(self) -> LiveBuild:
        """Cancel it; one that has ended stays as it is."""
        self._services.queue.cancel(self.id)
        return self.refresh()

    @property
    def log(self) -> LogFile:
        """Its log, to read any page of it by the numbers of lines, and to search it; however long it is."""
        path = self.record.log_path
        return LogFile(Path(path) if path else None, home=self._services.parts.home.path)

    def logs(self, after: int = 0) -> Sequence[LogLine]:
        """Return the lines of its log with a number above ``after``."""
        return list(self.iter_log(after))

    def iter_log(self, after: int = 0) -> Iterator[LogLine]:
        """Yield the lines that `logs` returns, one by one: for logs that are too long to hold."""
        return read_lines(Path(self.record.log_path), after) if self.record.log_path else iter(())

    def follow(self, after: int = 0) -> Iterator[LogLine]:
        """Yield the lines of its log as they come, until it has ended and all is read."""
        return (line for line in self.poll_log(after) if line)

    def poll_log(self, after: int = 0) -> Iterator[LogLine | None]:
        """Yield what `follow` yields, and ``None`` about ten times a second while there is no line.

        For callers that have more to do than wait: look whether their reader is still there, send it a sign of life.
        The record of this object is read anew each time.
        """
        if not self.record.log_path:
            return iter(())
        return follow_lines(Path(self.record.log_path), after, is_over=lambda: self.refresh().record.is_final)

    def __repr__(self) -> str:
        record = self.record
        return render_build(record.number, record.status, sum(record.phases.values()), record.error_message)
