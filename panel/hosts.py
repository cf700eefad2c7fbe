"""Under which names a panel answers, and which pages may talk to it. Pure functions on header values."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_WILDCARDS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared with, not listened on
_DEFAULT_PORTS = {"http": 80, "https": 443}


def is_allowed_host(header: str, *, bind: str, port: int, names: Iterable[str] = ()) -> bool:
    """True when a ``Host`` header names this panel: a loopback name or the bind address with the port, or ``names``.

    Names are for proxies in front of the panel, whose port is another one, so they match with any port.
    A page of a stranger whose name was made to resolve to this machine sends its own name, and is refused by this.
    """
    host, given_port = split_host(header)
    if not host:
        return False
    if host in {name.lower().rstrip(".") for name in names}:
        return True
    own = _LOOPBACK if bind in _WILDCARDS else _LOOPBACK | {bind.lower()}
    return host in own and (given_port or 80) == port


def is_loopback_name(name: str) -> bool:
    """True when a host name is one of this machine in every browser."""
    return name in _LOOPBACK or name.startswith("127.") or name.endswith(".localhost")


def is_same_origin(origin: str, host_header: str) -> bool:
    """True when an ``Origin`` header is that of the panel's own pages, as the ``Host`` header names them.

    The scheme isn't compared: behind a proxy with TLS the panel itself speaks plain HTTP.
    """
    try:
        parts = urlsplit(origin)
        origin_port = parts.port or _DEFAULT_PORTS[parts.scheme]
    except (KeyError, ValueError):
        return False
    host, port = split_host(host_header)
    return parts.hostname == host and origin_port == (port or _DEFAULT_PORTS[parts.scheme])


def split_host(header: str) -> tuple[str, int | None]:
    """Return name (lower case, without brackets) and port of a ``Host`` header; an empty name when it is no host."""
    try:
        parts = urlsplit(f"//{header.strip()}")
        name, port = parts.hostname, parts.port
    except ValueError:
        return "", None
    if not name or parts.netloc != header.strip() or parts.username is not None:
        return "", None
    return name.rstrip("."), port
