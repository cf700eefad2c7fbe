"""``admin.processes``: servers as records and as a DataFrame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mastra_admin_sdk.linelog import LogFile
from mastra_admin_sdk.models import Cursor, Process, ProcessStatus, choose
from mastra_admin_sdk.services.deployments.servers import ALIVE
from mastra_admin_sdk.services.history.frames import make_frame
from mastra_admin_sdk.services.labels import Labels
from mastra_admin_sdk.services.parts import Parts
from mastra_admin_sdk.services.references import DeploymentRef, ProjectRef, Resolver, TeamRef

if TYPE_CHECKING:
    import pandas as pd

_TIME = "datetime64[ns, UTC]"

PROCESS_COLUMNS: Mapping[str, str] = {
    "process_id": "object",
    "team": "category",
    "project": "category",
    "deployment": "category",
    "build": "Int64",
    "replica": "int64",
    "status": "category",
    "healthy": "boolean",
    "pid": "Int64",
    "port": "int64",
    "restarts": "int64",
    "memory_bytes": "Int64",
    "open_files": "Int64",
    "threads": "Int64",
    "cpu_seconds": "float64",
    "traced": "boolean",
    "started_at": _TIME,
    "measured_at": _TIME,
    "exited_at": _TIME,
    "exit_code": "Int64",
    "exit_signal": "Int64",
    "exit_reason": "object",
    "last_line": "object",
}
"""Columns and dtypes of servers. ``build`` is a number; memory, files, threads and seconds on the CPU are those of the
server and all that it started, at ``measured_at``. ``last_line`` is what a server that ended printed last."""


class ProcessCollection:
    """All servers."""

    def __init__(self, parts: Parts, resolver: Resolver) -> None:
        self._parts, self._resolver = parts, resolver

    def get(self, process_id: str) -> Process:
        """Return a server by its id, also one that ended; `NotFound` when there is none."""
        return self._parts.storage.processes.get(process_id)

    def open_log(self, process: Process) -> LogFile:
        """Return what a server printed, to read any page of it and to search it."""
        return LogFile(Path(process.log_path) if process.log_path else None, home=self._parts.home.path)

    def list(
        self,
        deployment: DeploymentRef | None = None,
        *,
        project: ProjectRef | None = None,
        team: TeamRef | None = None,
        statuses: Iterable[ProcessStatus | str] | None = ALIVE,
        limit: int | None = None,
        after: Cursor | None = None,
    ) -> Sequence[Process]:
        """Return servers of a deployment, project or team, or of all, newest first.

        Parameters:
            deployment, project, team: whose.
            statuses: ``starting``, ``running``, ``draining``, ``exited``; those that haven't exited unless given, and
                all with ``None``.
            limit: how many at most; all unless given.
            after: only those after a place in that order, such as ``Cursor.of(page[-1])``.
        """
        return self._parts.storage.processes.list(
            self._resolver.deployment(deployment).id if deployment is not None else None,
            project_id=self._resolver.project(project).id if project is not None else None,
            team_id=self._resolver.team(team).id if team is not None else None,
            statuses=None if statuses is None else [choose(ProcessStatus, item) for item in statuses],
            limit=limit,
            after=after,
        )

    def frame(
        self,
        deployment: DeploymentRef | None = None,
        *,
        statuses: Iterable[ProcessStatus | str] | None = None,
    ) -> pd.DataFrame:
        """Return a row a server, running or ended, newest first; parameters as in `list`.

        Returns:
            Columns and dtypes of `PROCESS_COLUMNS`. Figures are those of the last look of the supervisor.
        """
        labels, found = Labels(self._parts.storage), self.list(deployment, statuses=statuses)
        labels.learn(item.build_id for item in found)
        return make_frame(PROCESS_COLUMNS, [_make_row(item, labels) for item in found])


def _make_row(process: Process, labels: Labels) -> dict[str, Any]:
    deployment = labels.deployment(process.deployment_id)
    build = labels.build(process.build_id)
    stats = process.stats
    lines = stats.get("last_lines") or [None]
    return {
        **{name: getattr(process, name, stats.get(name)) for name in PROCESS_COLUMNS},
        "process_id": process.id,
        "team": labels.team_of(deployment.project_id) if deployment else None,
        "project": labels.project(deployment.project_id) if deployment else None,
        "deployment": deployment.slug if deployment else None,
        "build": build.number if build else None,
        "status": process.status.value,
        "traced": process.trace_status.get("traced"),
        "measured_at": _parse(stats.get("measured_at")),
        "last_line": lines[-1],
    }


def _parse(moment: str | None) -> datetime | None:
    return datetime.fromisoformat(moment) if moment else None
