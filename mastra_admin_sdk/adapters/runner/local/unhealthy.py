"""Why a server that runs didn't become healthy, in words for people."""

from __future__ import annotations

from collections.abc import Sequence

from mastra_admin_sdk.errors import ServerUnhealthy
from mastra_admin_sdk.models import ServerIdentity

from .health import Listening, list_own_ports

_NOT_WHERE_WE_SAID = (
    "Let the app listen on the port in the variable PORT. Mastra's own server does so whatever the configuration says."
)


def explain_silence(
    server: ServerIdentity, listening: Listening, timeout: float, tail: Sequence[str]
) -> ServerUnhealthy:
    """Return the error for a server that didn't answer in time; ``tail`` are its last lines."""
    others = list_own_ports(server.process_id, server.pid)
    return ServerUnhealthy(
        f"The server did not become healthy within {timeout:g} s: {_describe(server, listening, others)}",
        hint=_NOT_WHERE_WE_SAID
        if others and listening is Listening.NOBODY
        else "Look at its last lines; raise MASTRA_ADMIN_HEALTH_TIMEOUT if it only needs longer.",
        evidence={
            "port": server.port,
            "port_taken": listening is Listening.STRANGER,
            "listens_on": others,
            "log_tail": list(tail),
        },
    )


def explain_exposure(server: ServerIdentity, tail: Sequence[str]) -> ServerUnhealthy:
    """Return the error for a server that other machines could reach."""
    return ServerUnhealthy(
        f"The server listens on port {server.port} of every interface, where other machines can reach it.",
        hint="Let it listen on 127.0.0.1. What the server's own process opens is held there already, so this is a "
        "process that it starts.",
        evidence={"port": server.port, "port_taken": False, "log_tail": list(tail)},
    )


def _describe(server: ServerIdentity, listening: Listening, others: Sequence[int]) -> str:
    match listening:
        case Listening.STRANGER:
            return f"another program listens on its port {server.port}."
        case Listening.NOBODY if others:
            return f"it listens on {', '.join(map(str, others))} instead of {server.port}."
        case Listening.NOBODY:
            return f"it never listened on port {server.port}."
        case _:
            return "it listens, and answered /health with an error or not at all."
