"""``/api/{builds,deployments,processes}/<id>/logs``: any lines of a log by their numbers, searches, and all as text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flask import Blueprint, Response

from mastra_admin_sdk.errors import InvalidInput, NotFound
from mastra_admin_sdk.linelog import LogFile, read_lines
from mastra_admin_sdk.linelog import Query as Wanted
from mastra_admin_sdk.models import Process

from ..context import current_panel
from ..lookup import find_build, find_deployment, find_process
from ..openapi import endpoint, make_field_error
from .schemas.logs import (
    Matches,
    PageOfLines,
    PageOfLinesQuery,
    PageOfServerLinesQuery,
    ReplicaQuery,
    SearchQuery,
    ServerSearchQuery,
)

blueprint = Blueprint("api_logs", __name__)

_TEXT = "text/plain"


@dataclass(frozen=True, slots=True)
class _Log:
    """A log, whose it is, and whether it goes on."""

    file: LogFile
    process: str | None
    is_final: bool


@blueprint.get("/builds/<build_id>/logs")
@endpoint()
def list_build_lines(build_id: str, query: PageOfLinesQuery) -> PageOfLines:
    """List lines of the log of a build."""
    return _read(_open_build(build_id), query)


@blueprint.get("/builds/<build_id>/logs/search")
@endpoint()
def search_build_lines(build_id: str, query: SearchQuery) -> Matches:
    """Search the log of a build."""
    return _search(_open_build(build_id), query)


@blueprint.get("/builds/<build_id>/log.txt")
@endpoint(media=_TEXT)
def send_build_log(build_id: str) -> Response:
    """Get the whole log of a build as text."""
    return _send(_open_build(build_id))


@blueprint.get("/deployments/<deployment_id>/logs")
@endpoint()
def list_deployment_lines(deployment_id: str, query: PageOfServerLinesQuery) -> PageOfLines:
    """List lines that the server of a deployment has printed: the one that serves, else its newest."""
    return _read(_open_deployment(deployment_id, query), query)


@blueprint.get("/deployments/<deployment_id>/logs/search")
@endpoint()
def search_deployment_lines(deployment_id: str, query: ServerSearchQuery) -> Matches:
    """Search what the server of a deployment has printed."""
    return _search(_open_deployment(deployment_id, query), query)


@blueprint.get("/deployments/<deployment_id>/log.txt")
@endpoint(media=_TEXT)
def send_deployment_log(deployment_id: str, query: ReplicaQuery) -> Response:
    """Get all that the server of a deployment has printed as text, as far as it is kept."""
    return _send(_open_deployment(deployment_id, query))


@blueprint.get("/processes/<process_id>/logs")
@endpoint()
def list_process_lines(process_id: str, query: PageOfLinesQuery) -> PageOfLines:
    """List lines that a server has printed."""
    return _read(_open_process(find_process(process_id)), query)


@blueprint.get("/processes/<process_id>/logs/search")
@endpoint()
def search_process_lines(process_id: str, query: SearchQuery) -> Matches:
    """Search what a server has printed."""
    return _search(_open_process(find_process(process_id)), query)


@blueprint.get("/processes/<process_id>/log.txt")
@endpoint(media=_TEXT)
def send_process_log(process_id: str) -> Response:
    """Get all that a server has printed as text, as far as it is kept."""
    return _send(_open_process(find_process(process_id)))


def _open_build(build_id: str) -> _Log:
    build = find_build(build_id)
    return _Log(build.log, None, build.record.is_final)


def _open_deployment(deployment_id: str, query: ReplicaQuery) -> _Log:
    deployment = find_deployment(deployment_id)
    if query.process is None:
        return _open_process(deployment.find_server(query.replica))
    process = find_process(query.process)
    if process.deployment_id != deployment.id:
        raise NotFound(f"The server {query.process!r} isn't one of this deployment.")
    return _open_process(process)


def _open_process(process: Process | None) -> _Log:
    if process is None:
        return _Log(LogFile(None), None, False)
    return _Log(current_panel().admin.processes.open_log(process), process.id, not process.status.is_alive)


def _read(log: _Log, query: PageOfLinesQuery) -> PageOfLines:
    page = log.file.read_page(after=query.after, before=query.before, limit=query.limit)
    return PageOfLines.of(page, query, process=log.process, is_final=log.is_final)


def _search(log: _Log, query: SearchQuery) -> Matches:
    wanted = Wanted(query.q, regex=query.regex, case=query.case)
    try:
        found = log.file.search(wanted, after=query.after, before=query.before, limit=query.limit)
    except InvalidInput as exc:
        raise make_field_error({"q": exc.message}) from exc
    return Matches.of(found, process=log.process)


def _send(log: _Log) -> Response:
    def generate() -> Iterator[str]:
        lines = read_lines(log.file.path) if log.file.path else iter(())
        return (f"{line.text}\n" for line in lines)

    return Response(generate(), mimetype=_TEXT)
