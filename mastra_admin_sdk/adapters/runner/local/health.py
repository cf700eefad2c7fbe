"""Asks a server whether it works, and the kernel whether the answer came from it.

Mastra answers ``GET /health`` with 200 whatever ``apiPrefix`` and ``auth`` an app sets: the route is outside of both.
An app's own middleware can put 401 or 403 before it, and Mastra before 0.20 has no such route and answers 404: these
are answers of a working server too. Only a server error isn't.
"""

from __future__ import annotations

import http.client
import ssl
from enum import StrEnum

from .ports import list_listeners, list_sockets
from .processes import SERVER_MARKER, find_descendants, find_marked

_SERVER_ERROR = 500


class Listening(StrEnum):
    """Who listens on a server's port."""

    NOBODY = "nobody"
    OURS = "ours"
    OURS_EVERYWHERE = "ours, on every interface"
    STRANGER = "stranger"


def is_answering(host: str, port: int, timeout: float) -> bool:
    """True when ``GET /health`` is answered, over http or https, and not with a server error."""
    try:
        status = _ask(http.client.HTTPConnection(host, port, timeout=timeout))
        if status is None:
            # An app with a certificate of its own (`server.https`); whose listener it is was asked of the kernel.
            context = ssl._create_unverified_context()  # noqa: S323
            status = _ask(http.client.HTTPSConnection(host, port, timeout=timeout, context=context))
    except TimeoutError:
        return False
    return status is not None and status < _SERVER_ERROR


def find_listening(process_id: str, pid: int, port: int) -> Listening:
    """Return who listens on a port, as seen from the server with this process id."""
    here = [listener for listener in list_listeners() if listener.port == port]
    if not here:
        return Listening.NOBODY
    own = list_sockets(find_server(process_id, pid))
    ours = [listener for listener in here if listener.inode in own]
    if not ours:
        return Listening.STRANGER
    return Listening.OURS if all(listener.is_loopback for listener in ours) else Listening.OURS_EVERYWHERE


def list_own_ports(process_id: str, pid: int) -> list[int]:
    """Return the ports on which a server listens."""
    own = list_sockets(find_server(process_id, pid))
    return sorted({listener.port for listener in list_listeners() if listener.inode in own})


def find_server(process_id: str, pid: int) -> set[int]:
    """Return pids of all processes of a server; its own is 0 when it isn't known."""
    return find_marked(SERVER_MARKER, process_id) | (find_descendants(pid) | {pid} if pid else set())


def _ask(connection: http.client.HTTPConnection) -> int | None:
    """Return the status of ``GET /health``, or ``None`` when what answered doesn't speak this protocol."""
    try:
        connection.request("GET", "/health", headers={"Connection": "close", "User-Agent": "mastra-admin"})
        return connection.getresponse().status
    except TimeoutError:
        raise
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
