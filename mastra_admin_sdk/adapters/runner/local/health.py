"""Asks a server whether it works, and the kernel whether the answer came from it.

Mastra answers ``GET /health`` with 200 whatever ``apiPrefix`` and ``auth`` an app sets: the route is outside of both.
An app's own middleware can put 401 or 403 before it, and Mastra before 0.20 has no such route and answers 404: these
are answers of a working server too. Only a server error isn't.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Callable
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who listens on the port, and on which other ports the server listens."""

    on_port: Listening
    other_ports: tuple[int, ...] = ()


def is_answering(host: str, port: int, timeout: float) -> bool:
    """True when ``GET /health`` is answered, over http or https, and not with a server error."""
    plain = _ask(lambda: http.client.HTTPConnection(host, port, timeout=timeout))
    if plain is None:
        # An app with a certificate of its own (`server.https`); whose it is was asked of the kernel.
        context = ssl._create_unverified_context()  # noqa: S323
        plain = _ask(lambda: http.client.HTTPSConnection(host, port, timeout=timeout, context=context))
    return plain is not None and plain < _SERVER_ERROR


def find_listeners(process_id: str, pid: int, port: int) -> Listeners:
    """Return who listens on a port, as seen from the server with this process id."""
    listeners = list_listeners()
    own = list_sockets(find_server(process_id, pid))
    ours = [listener for listener in listeners if listener.inode in own]
    others = tuple(sorted({listener.port for listener in ours} - {port}))
    here = [listener for listener in ours if listener.port == port]
    if here:
        everywhere = any(not listener.is_loopback for listener in here)
        return Listeners(Listening.OURS_EVERYWHERE if everywhere else Listening.OURS, others)
    is_taken = any(listener.port == port for listener in listeners)
    return Listeners(Listening.STRANGER if is_taken else Listening.NOBODY, others)


def find_server(process_id: str, pid: int) -> set[int]:
    """Return pids of all processes of a server; its own is 0 when it isn't known."""
    return find_marked(SERVER_MARKER, process_id) | (find_descendants(pid) | {pid} if pid else set())


def _ask(connect: Callable[[], http.client.HTTPConnection]) -> int | None:
    """Return the status of ``GET /health``, or ``None`` when there was no HTTP answer."""
    connection = connect()
    try:
        connection.request("GET", "/health", headers={"Connection": "close", "User-Agent": "mastra-admin"})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
