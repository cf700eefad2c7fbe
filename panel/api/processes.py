"""``/api/processes``: the servers; `logs` has what they print."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from ..context import current_panel
from ..lookup import find_process
from ..openapi import endpoint
from ..paging import cut_page, read_cursor
from .schemas.processes import Process, ProcessItem, ProcessPage, ProcessQuery
from .scopes import narrow

blueprint = Blueprint("api_processes", __name__)


@blueprint.get("/processes")
@endpoint(conditional=True, fails=[404])
def list_processes(query: ProcessQuery) -> ProcessPage:
    """List servers, newest first; those that haven't exited unless `status` says otherwise."""
    chosen: dict[str, Any] = {"statuses": query.status} if query.status else {}
    found = current_panel().admin.processes.list(
        **narrow(query.team, query.project, query.deployment),
        **chosen,
        limit=query.limit + 1,
        after=read_cursor(query.cursor),
    )
    processes, following = cut_page(found, query.limit)
    return ProcessPage(processes=[Process.of(item) for item in processes], next=following)


@blueprint.get("/processes/<process_id>")
@endpoint(conditional=True)
def show_process(process_id: str) -> ProcessItem:
    """Show a server, also one that has exited."""
    return ProcessItem(process=Process.of(find_process(process_id)))
