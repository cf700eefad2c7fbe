"""The router's port: opened here, handed to Caddy, and held by it alone for as long as it lives.

A socket that is bound without SO_REUSEPORT is a lock kept by the kernel: no second router, of this home, another home
or another user, can listen on the port beside it. Caddy's own sockets would share the port silently.
"""

from __future__ import annotations

import errno
import logging
import socket

from mastra_admin_sdk.errors import RouterError
from mastra_admin_sdk.models import Tls

from .options import RouterOptions, format_target

logger = logging.getLogger(__name__)

_BACKLOG = 4096
_HINT = "End that program, or choose another port with router_port (MASTRA_ADMIN_ROUTER_PORT)."


def open_listener(options: RouterOptions, port: int) -> socket.socket:
    """Return a socket that listens on a port of the router, which nobody else does.

    Raises:
        RouterError: the port is taken (the message names by whom, if the system tells), not allowed, or the address
            isn't one of this machine.
    """
    try:
        return _listen(options.bind, port)
    except OSError as exc:
        raise _explain(options, port, exc) from exc


def open_secure_listener(options: RouterOptions) -> socket.socket | None:
    """Return the socket for hosts with a certificate; ``None`` when there is no need for it, or the port is taken.

    It can be handed to Caddy only when that starts, so it is opened before any host needs it. Taken by somebody else,
    it keeps nothing from working that works without; `explain_no_secure_port` tells a host that needs it.
    """
    if options.tls is not Tls.OFF:
        return None
    try:
        return _listen(options.bind, options.https_port)
    except OSError as exc:
        where = format_target(options.bind, options.https_port)
        logger.info("No host can have a certificate of its own: %s can't be listened on: %s", where, exc)
        return None


def explain_no_secure_port(options: RouterOptions, host: str) -> RouterError:
    """Return why a host with a certificate can't be served by a router that started without the port for it."""
    holders = describe_holders(options.https_port)
    taken = f"taken by {holders}" if holders else "it was taken when the router started"
    return RouterError(
        f"{host} can't be served with a certificate: the router doesn't listen on port {options.https_port} ({taken}).",
        hint="End that program or choose another port with router_https_port (MASTRA_ADMIN_ROUTER_HTTPS_PORT); then "
        "stop the router (`mastra-admin down`) and start it again.",
    )


def describe_holders(port: int) -> str:
    """Return who listens on a port, for people: pid and program, the home it belongs to, or the user; may be empty."""
    import psutil

    try:
        connections = psutil.net_connections("tcp")
    except psutil.Error:  # some systems show connections to root only
        return ""
    found = [
        item for item in connections if item.status == psutil.CONN_LISTEN and item.laddr and item.laddr.port == port
    ]
    pids = sorted({item.pid for item in found if item.pid})
    if found and not pids:
        return "a program of another user"
    return ", ".join(_describe(pid) for pid in pids)


def _listen(address: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_DEFER_ACCEPT"):
            # A connection is handed over once its request has begun to arrive: a change of configuration ends those
            # that were accepted but not read yet.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 1)
        listener.bind((address, port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _explain(options: RouterOptions, port: int, exc: OSError) -> RouterError:
    where = format_target(options.bind, port)
    if exc.errno == errno.EADDRINUSE:
        holders = describe_holders(port)
        return RouterError(
            f"The router can't listen on {where}: taken{f' by {holders}' if holders else ''}.", hint=_HINT
        )
    if exc.errno == errno.EACCES:
        return RouterError(
            f"The router may not listen on {where}: ports below 1024 take special rights.",
            hint="Choose a higher port with router_port, or lower the system's net.ipv4.ip_unprivileged_port_start.",
        )
    return RouterError(
        f"The router can't listen on {where}: {exc.strerror or exc}.",
        hint="Give router_bind an address of this machine; 127.0.0.1 always is.",
    )


def _describe(pid: int) -> str:
    import psutil

    try:
        process = psutil.Process(pid)
        name = process.name()
        home = process.environ().get("MASTRA_ADMIN_HOME")
    except psutil.Error:
        return f"pid {pid}"
    return f"pid {pid} ({name}{f', of the home {home}' if home else ''})"
