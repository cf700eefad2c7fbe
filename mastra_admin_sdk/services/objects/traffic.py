"""Talking to a deployment, and reading what it did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mastra_admin_sdk.errors import NotFound, RequestFailed
from mastra_admin_sdk.linelog import LogFile, follow_lines, read_lines
from mastra_admin_sdk.models import (
    LogLine,
    Process,
)
from mastra_admin_sdk.services.deployments.clients import Agent, Workflow
from mastra_admin_sdk.services.deployments.requests import Response, request

if TYPE_CHECKING:
    import pandas as pd


from .base import LiveRecord


class Reachable(LiveRecord):
    """A deployment's agents and workflows, its telemetry and its logs."""

    # --- talking to it ------------------------------------------------------------------------------------------------

    def request(self, method: str, path: str, **options: Any) -> Response:
        """Send a request through the router, without needing DNS.

        Parameters:
            method: such as ``"GET"``.
            path: such as ``"/api/agents"``.
            options: ``json``, ``data``, ``headers``, ``timeout`` and ``stream``; see
                `services.deployments.requests.request`.

        Raises:
            RequestFailed: no usable answer; status and the beginning of the body are in its evidence.
        """
        host = self._services.deployments.list_hosts(self.record)[0]
        try:
            return request(self._services.parts.router.endpoint, host, method, path, **options)
        except RequestFailed as exc:
            if self.refresh().process is None:
                raise RequestFailed(
                    f"{self.project.slug}/{self.record.slug} is {self.status}: no server of it runs.",
                    hint="Start it with .start(), or deploy it again.",
                    evidence=exc.evidence,
                ) from exc
            raise

    def agent(self, agent_id: str) -> Agent:
        """Return one of its agents, to call it."""
        return Agent(self, agent_id)

    def workflow(self, workflow_id: str) -> Workflow:
        """Return one of its workflows, to start it."""
        return Workflow(self, workflow_id)

    @property
    def api_prefix(self) -> str:
        """Path under which its Mastra API answers, ``/api`` unless the app chose another."""
        process = self.process
        return str((process.trace_status if process else {}).get("api_prefix") or "/api").rstrip("/")

    # --- what it did --------------------------------------------------------------------------------------------------

    def spans(self, **filters: Any) -> pd.DataFrame:
        """Return its spans; filters as in `MastraAdmin.spans`."""
        return self._services.telemetry.spans(deployment=self.record, **filters)

    def traces(self, **filters: Any) -> pd.DataFrame:
        """Return its traces; filters as in `MastraAdmin.traces`."""
        return self._services.telemetry.traces(deployment=self.record, **filters)

    def logs(self, **filters: Any) -> pd.DataFrame:
        """Return its log lines; filters as in `MastraAdmin.logs`."""
        return self._services.telemetry.logs(deployment=self.record, **filters)

    def server_log(self, after: int = 0, *, replica: int | None = None) -> Sequence[LogLine]:
        """Return what its newest server printed, line by line; the lines with a number above ``after``.

        ``replica`` chooses one of several servers by its number.
        """
        process = self._newest_process(replica)
        return list(read_lines(Path(process.log_path or ""), after))

    def follow_log(self, after: int = 0, *, replica: int | None = None) -> Iterator[LogLine]:
        """Yield what its newest server prints, as it comes, until that server has ended; ``replica`` as above."""
        process = self._newest_process(replica)
        storage = self._services.parts.storage

        def is_over() -> bool:
            return not storage.processes.get(process.id).status.is_alive

        return (line for line in follow_lines(Path(process.log_path or ""), after, is_over=is_over) if line)

    def find_server(self, replica: int | None = None) -> Process | None:
        """Return the process that serves it, else its newest one; ``None`` when it never had a server.

        ``replica`` chooses one of several servers by its number; the first that serves unless given.
        """
        return self._services.deployments.find_server(self.id, replica)

    def open_log(self, replica: int | None = None) -> LogFile:
        """Return the log of that process, to read any page of it and to search it; empty when there is none."""
        process = self.find_server(replica)
        path = process.log_path if process else None
        return LogFile(Path(path) if path else None, home=self._services.parts.home.path)

    def _newest_process(self, replica: int | None) -> Process:
        process = self._services.deployments.last_process(self.id, replica)
        if process is None and replica:
            raise NotFound(
                f"{self._services.resolver.name(self.record)} never had a server {replica}.", hint="Numbers begin at 0."
            )
        if process is None:
            raise NotFound(f"{self._services.resolver.name(self.record)} never had a server.", hint="Deploy it first.")
        return process
