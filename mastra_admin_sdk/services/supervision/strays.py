"""Servers that run without a record: their database was removed or restored, or their deployment is gone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from mastra_admin_sdk.errors import MastraAdminError
from mastra_admin_sdk.models import ServerIdentity
from mastra_admin_sdk.services.deployments.servers import ALIVE, LOOPBACK
from mastra_admin_sdk.services.parts import Parts

logger = logging.getLogger(__name__)

_GRACE = 10.0


def find_strays(parts: Parts) -> Mapping[str, Sequence[int]]:
    """Return pids by process id of what runs of this home's servers though no record says that it should."""
    # In this order: a server has its record before it is started, so that none that was seen here can be so new that
    # its record isn't there to be read.
    found = parts.runner.find_servers()
    if not found:
        return {}
    known = {process.id for process in parts.storage.processes.list(statuses=ALIVE)}
    return {process_id: pids for process_id, pids in found.items() if process_id not in known}


def end_strays(parts: Parts, check: Callable[[], object] = lambda: None) -> int:
    """End what `find_strays` finds, and return how many servers that were; ``check`` may raise in between."""
    ended = 0
    for process_id, pids in find_strays(parts).items():
        check()
        try:
            end_stray(parts, process_id)
        except MastraAdminError as exc:
            # It is tried again; one that can't be ended must not keep the others running.
            logger.warning("The stray server %s could not be ended: %s", process_id, exc)
            continue
        ended += 1
        logger.warning("Ended the server %s (pids %s): no record of it was left", process_id, sorted(pids))
        parts.record("stray_ended", "process", process_id, pids=sorted(pids))
    return ended


def end_stray(parts: Parts, process_id: str) -> None:
    """End all that runs of one server, which is found by its id alone."""
    parts.runner.stop(ServerIdentity(process_id, LOOPBACK, 0, 0, 0, 0, 0, ""), _GRACE)
