"""Processes: the servers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from pydantic import Field

from mastra_admin_sdk import models
from mastra_admin_sdk.services.overview import ServerView

from .base import Answer, Moment, Page, PageQuery, Reference


class Process(Answer):
    """One running server of one artifact."""

    id: str
    deployment_id: str
    build_id: str
    status: models.ProcessStatus
    pid: int | None
    port: int
    local_url: str = Field(description="The address of the server itself, on this machine.")
    replica: int = Field(description="Which of the deployment's servers, from 0.")
    restarts: int
    started_at: Moment
    exited_at: Moment | None
    exit_code: int | None
    exit_signal: int | None
    exit_reason: str | None
    traced: bool | None = Field(description="Whether its agents are traced; null before it said so.")

    @classmethod
    def of(cls, process: models.Process) -> Self:
        """Return a server as the API shows it."""
        return cls(**_describe(process))


class Server(Process):
    """A server that was just asked whether it answers."""

    answers: bool
    memory_bytes: int | None
    open_files: int | None

    @classmethod
    def look(cls, server: ServerView) -> Self:
        """Return a server as it was just seen; figures are those on record, which don't move with each look."""
        stats = server.process.stats
        return cls(
            **_describe(server.process),
            answers=server.answers,
            memory_bytes=stats.get("memory_bytes"),
            open_files=stats.get("open_files"),
        )


class ProcessItem(Answer):
    """One server."""

    process: Process


class ProcessPage(Page):
    """A page of servers."""

    processes: Sequence[Process]


class ProcessQuery(PageQuery):
    """Which servers."""

    deployment: Reference | None = Field(None, description="Of a deployment: its id, or `team/project/slug`.")
    project: Reference | None = Field(None, description="Of a project: its id or slug.")
    team: Reference | None = Field(None, description="Of a team: its id or slug.")
    status: tuple[models.ProcessStatus, ...] = Field(
        (), description="Only those with one of these; those that haven't exited unless given.", max_length=10
    )


def _describe(process: models.Process) -> dict[str, Any]:
    return {
        "id": process.id,
        "deployment_id": process.deployment_id,
        "build_id": process.build_id,
        "status": process.status,
        "pid": process.pid,
        "port": process.port,
        "local_url": f"http://{process.host}:{process.port}",
        "replica": process.replica,
        "restarts": process.restarts,
        "started_at": process.started_at,
        "exited_at": process.exited_at,
        "exit_code": process.exit_code,
        "exit_signal": process.exit_signal,
        "exit_reason": process.exit_reason,
        "traced": process.trace_status.get("traced"),
    }
