"""Where the router listens, and what may be a host or a target; all that comes from outside is checked here."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, replace

from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.models import Route, Tls
from mastra_admin_sdk.ports.router import MAX_TARGETS

IDENTITY_HOST = "router.mastra-admin.invalid"

_LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class RouterOptions:
    """Where the router listens, checked by `check_options`.

    ``tls`` is that of every host on ``port``; hosts with a certificate of their own are served on ``https_port``.
    """

    bind: str
    port: int
    base_domain: str
    tls: Tls
    https_port: int

    @property
    def scheme(self) -> str:
        """What its addresses begin with."""
        return "http" if self.tls is Tls.OFF else "https"

    @property
    def secure_port(self) -> int:
        """The port on which hosts with a certificate are served: the only one, when all hosts have one."""
        return self.https_port if self.tls is Tls.OFF else self.port

    @property
    def local_address(self) -> str:
        """What a request from this machine connects to."""
        address = ipaddress.ip_address(self.bind)
        if not address.is_unspecified:
            return self.bind
        return "127.0.0.1" if address.version == 4 else "::1"

    def make_url(self, host: str, tls: Tls = Tls.OFF) -> str:
        """Return the address that people open for a host."""
        scheme, port = (self.scheme, self.port) if tls is Tls.OFF else ("https", self.secure_port)
        return f"{scheme}://{host}{'' if port == _DEFAULT_PORTS[scheme] else f':{port}'}"


def check_options(*, port: int, bind: str, base_domain: str, tls: str | None, https_port: int) -> RouterOptions:
    """Return the options, or raise `InvalidInput` naming the one that can't be used.

    Listening beyond this machine takes a choice of TLS: without one, what agents say would cross the network in clear.
    """
    try:
        address = ipaddress.ip_address({"localhost": "127.0.0.1"}.get(bind, bind))
    except ValueError as exc:
        raise InvalidInput(
            f"The router can't listen on {bind!r}: it takes an IP address.",
            hint="Use 127.0.0.1 for this machine alone, 0.0.0.0 for every interface.",
        ) from exc
    _check_ports(port, https_port, is_one_enough=tls in (Tls.AUTO, Tls.INTERNAL))
    if tls not in (None, *Tls):
        raise InvalidInput(f"The router knows no tls={tls!r}.", hint='It takes "off", "auto" or "internal".')
    if tls is None and not address.is_loopback:
        raise InvalidInput(
            f"The router would be reachable from other machines on {bind} without TLS.",
            hint='Choose tls="auto" (public certificates), "internal" (an authority of your own) or "off".',
        )
    return RouterOptions(str(address), port, check_host(base_domain), Tls(tls or Tls.OFF), https_port)


def check_host(host: str) -> str:
    """Return a host name in lower case, or raise `InvalidInput`: only DNS labels pass, no wildcard, no placeholder."""
    lowered = host.lower()
    if len(lowered) > 253 or not lowered.isascii() or not _HOST.fullmatch(lowered) or lowered == IDENTITY_HOST:
        raise InvalidInput(
            f"{host[:300]!r} can't be the host of a route.",
            hint="A host is made of labels of letters, digits and inner hyphens, 1 to 63 each, joined by dots.",
        )
    return lowered


def check_route(route: Route) -> Route:
    """Return the route with its host in lower case and its targets as Caddy writes them, or raise `InvalidInput`."""
    if len(route.targets) > MAX_TARGETS:
        raise InvalidInput(f"A route can't lead to {len(route.targets)} targets: {MAX_TARGETS} is the most.")
    _check_target(route.target_host, route.target_port)
    more = tuple(format_target(*_split_target(text)) for text in route.more_targets)
    return replace(route, host=check_host(route.host), more_targets=more)


def format_target(host: str, port: int) -> str:
    """Return a target as Caddy dials and reports it: ``127.0.0.1:4101`` or ``[::1]:4101``."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_target(text: str) -> tuple[str, int] | None:
    """Return host and port of what `format_target` wrote; ``None`` for anything else."""
    host, separator, port = text.strip().rpartition(":")
    return (host.strip("[]"), int(port)) if separator and host and port.isdecimal() else None


def list_targets(route: Route) -> tuple[str, ...]:
    """Return all targets of a checked route as Caddy dials them, each once, the main one first."""
    return tuple(dict.fromkeys((format_target(route.target_host, route.target_port), *route.more_targets)))


def _check_ports(port: int, https_port: int, *, is_one_enough: bool) -> None:
    for number in (port, https_port):
        if not 1 <= number <= 65535:
            raise InvalidInput(f"The router can't listen on port {number}.", hint="Choose one from 1 to 65535.")
    if port == https_port and not is_one_enough:
        raise InvalidInput(
            f"The router can't listen on port {port} twice.",
            hint="Give router_port and router_https_port different numbers.",
        )


def _split_target(text: str) -> tuple[str, int]:
    found = parse_target(text)
    if found is None:
        raise InvalidInput(f"A route can't lead to {text[:300]!r}.", hint="Write address:port.")
    _check_target(*found)
    return found


def _check_target(host: str, port: int) -> None:
    try:
        ipaddress.ip_address(host)
    except ValueError as exc:
        if not _HOST.fullmatch(host.lower()):
            raise InvalidInput(f"A route can't lead to {host[:300]!r}.", hint="Use an IP address or a name.") from exc
    if not 1 <= port <= 65535:
        raise InvalidInput(f"A route can't lead to port {port}.")
