"""Routes and settings to Caddy's JSON and back. Pure: nothing here reads or writes anything.

A route's entry names its host; where it leads stands in a small file of its own, which Caddy reads for each request.
So a switch of target replaces one file, atomically, and Caddy's configuration stays as it is. That matters: a change
of configuration makes Caddy end connections whose request it has not read yet, and closes idle ones.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.models import Route, Tls
from mastra_admin_sdk.ports.router import ROUTER_HEADER

Entry = Mapping[str, Any]

IDENTITY_HOST = "router.mastra-admin.invalid"
IDENTITY_ID = "mastra-admin-router"
TARGETS_FOLDER = "targets"
ROUTES_PATH = "/config/apps/http/servers/router/routes"

_LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class RouterOptions:
    """Where the router listens, checked by `check_options`."""

    bind: str
    port: int
    base_domain: str
    tls: Tls

    @property
    def scheme(self) -> str:
        """What its addresses begin with."""
        return "http" if self.tls is Tls.OFF else "https"

    @property
    def local_address(self) -> str:
        """What a request from this machine connects to."""
        address = ipaddress.ip_address(self.bind)
        if not address.is_unspecified:
            return self.bind
        return "127.0.0.1" if address.version == 4 else "::1"

    def make_url(self, host: str) -> str:
        """Return the address that people open for a host."""
        suffix = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{suffix}"


def check_options(*, port: int, bind: str, base_domain: str, tls: str | None) -> RouterOptions:
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
    if not 1 <= port <= 65535:
        raise InvalidInput(f"The router can't listen on port {port}.", hint="Choose one from 1 to 65535.")
    if tls not in (None, *Tls):
        raise InvalidInput(f"The router knows no tls={tls!r}.", hint='It takes "off", "auto" or "internal".')
    if tls is None and not address.is_loopback:
        raise InvalidInput(
            f"The router would be reachable from other machines on {bind} without TLS.",
            hint='Choose tls="auto" (public certificates), "internal" (an authority of your own) or "off".',
        )
    return RouterOptions(str(address), port, check_host(base_domain), Tls(tls or Tls.OFF))


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
    """Return the route with its host in lower case, or raise `InvalidInput`."""
    target = route.target_host
    try:
        ipaddress.ip_address(target)
    except ValueError as exc:
        if not _HOST.fullmatch(target.lower()):
            raise InvalidInput(f"A route can't lead to {target[:300]!r}.", hint="Use an IP address or a name.") from exc
    if not 1 <= route.target_port <= 65535:
        raise InvalidInput(f"A route can't lead to port {route.target_port}.")
    return replace(route, host=check_host(route.host))


# --- routes -----------------------------------------------------------------------------------------------------------


def make_key(host: str) -> str:
    """Return the ``@id`` of a host's route, which is also the name of the file that holds its target."""
    return f"route-{hashlib.sha256(host.encode()).hexdigest()[:20]}"


def format_target(host: str, port: int) -> str:
    """Return a target as Caddy dials and reports it: ``127.0.0.1:4101`` or ``[::1]:4101``."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_target(text: str) -> tuple[str, int] | None:
    """Return host and port of what `format_target` wrote; ``None`` for anything else."""
    host, separator, port = text.strip().rpartition(":")
    return (host.strip("[]"), int(port)) if separator and host and port.isdecimal() else None


def build_route(route: Route) -> dict[str, Any]:
    """Return the entry of a route."""
    key = make_key(route.host)
    facts = {"deployment_id": route.deployment_id, "route_id": route.id, "created_at": route.created_at.isoformat()}
    return {
        "@id": key,
        "match": [{"host": [route.host]}],
        "handle": [{"handler": "vars", **facts}, _build_proxy(key)],
        "terminal": True,
    }


def parse_route(entry: Entry, target: tuple[str, int] | None) -> Route | None:
    """Return the route that an entry stands for; ``None`` when it is none of ours or leads nowhere."""
    if not str(entry.get("@id", "")).startswith("route-") or target is None:
        return None
    try:
        facts = entry["handle"][0]
        return Route(
            entry["match"][0]["host"][0],
            *target,
            deployment_id=facts["deployment_id"],
            id=facts["route_id"],
            created_at=datetime.fromisoformat(facts["created_at"]).astimezone(UTC),
        )
    except (LookupError, TypeError, ValueError):
        return None


def _build_proxy(key: str) -> dict[str, Any]:
    return {
        "handler": "reverse_proxy",
        # Relative to Caddy's working folder: a path with braces would end the placeholder early.
        "upstreams": [{"dial": f"{{file.{TARGETS_FOLDER}/{key}}}"}],
        # A request that read the old target just before it closed is sent to the new one: a refused connection is
        # dialled again, and each attempt reads the file again.
        "load_balancing": {"try_duration": "500ms", "try_interval": "50ms"},
        # Event streams and answers without a length are flushed at once anyway. -1 would do it for all, but then Caddy
        # no longer tells the server that a client has gone, and its requests would count as open while draining.
        "flush_interval": "1ms",
        # A change of configuration would otherwise close the websockets of every route.
        "stream_close_delay": "24h",
        "headers": {"response": {"delete": [ROUTER_HEADER]}},
        # No time limit on answers: an agent's turn may take hours. Idle connections are dropped before Node (5 s) does.
        "transport": {"protocol": "http", "compression": False, "keep_alive": {"idle_timeout": "2s"}},
    }


# --- the whole configuration ------------------------------------------------------------------------------------------


def build_config(options: RouterOptions, *, listener: int, socket: str, log_file: str, nonce: str) -> dict[str, Any]:
    """Return the configuration that Caddy starts with: no routes yet.

    Parameters:
        listener: number of the inherited file descriptor that listens on the port.
        socket: path of the Unix socket of the admin API.
        log_file: path of Caddy's own log.
        nonce: what the identity route answers.
    """
    return {
        "admin": {"listen": f"unix/{socket}|0600", "config": {"persist": False}},
        "logging": {"logs": {"default": _build_log(log_file)}},
        "apps": {"http": _build_http(options, listener, nonce), **_build_tls_apps(options)},
    }


def build_routes(options: RouterOptions, routes: Iterable[Route], nonce: str) -> list[dict[str, Any]]:
    """Return the whole list of entries: ours first, the routes by host, the answer to unknown hosts last."""
    ordered = sorted(routes, key=lambda route: route.host)
    return [_CLOSE_CONNECTIONS, _build_identity(options, nonce), *map(build_route, ordered), _UNKNOWN_HOST]


def read_identity(entry: Entry) -> dict[str, Any]:
    """Return what the identity entry says: nonce, bind, port and tls."""
    found: dict[str, Any] = json.loads(entry["handle"][0]["body"])
    return found


def list_route_keys(entries: Sequence[Entry]) -> list[str]:
    """Return the ids of the entries that are routes to deployments."""
    return [str(entry["@id"]) for entry in entries if str(entry.get("@id", "")).startswith("route-")]


def _build_http(options: RouterOptions, listener: int, nonce: str) -> dict[str, Any]:
    server: dict[str, Any] = {
        # Inherited, so that all configurations share one kernel socket. Sockets that Caddy opens itself are reopened
        # with SO_REUSEPORT at each change: waiting connections are reset, and a second Caddy could share the port.
        "listen": [f"fd/{listener}"],
        "protocols": ["h1", "h2"],
        "routes": build_routes(options, (), nonce),
        "errors": {"routes": [_NO_ANSWER]},
    }
    if options.tls is Tls.OFF:
        return {"servers": {"router": {**server, "automatic_https": {"disable": True}}}}
    secured = {"automatic_https": {"disable_redirects": True}, "tls_connection_policies": [{}]}
    return {"https_port": options.port, "servers": {"router": {**server, **secured}}}


def _build_tls_apps(options: RouterOptions) -> dict[str, Any]:
    if options.tls is Tls.OFF:
        return {}
    internal = [{"module": "internal"}]
    subjects = {"subjects": [IDENTITY_HOST]} if options.tls is Tls.AUTO else {}
    return {
        "tls": {"automation": {"policies": [{**subjects, "issuers": internal}]}},
        # Caddy would try to add its root to the system's trust store, asking for root rights.
        "pki": {"certificate_authorities": {"local": {"install_trust": False}}},
    }


def _build_log(log_file: str) -> dict[str, Any]:
    # Errors of requests are logged with headers and address, where people put tokens.
    hidden = {"request>headers": {"filter": "delete"}, "request>uri": {"filter": "delete"}}
    return {
        "writer": {
            "output": "file",
            "filename": log_file.replace("{", "\\{"),
            "mode": "0600",
            "roll_size_mb": 10,
            "roll_keep": 3,
            "roll_gzip": False,
        },
        "encoder": {"format": "filter", "wrap": {"format": "json", "time_format": "iso8601"}, "fields": hidden},
        "exclude": ["admin.api"],
    }


def _build_identity(options: RouterOptions, nonce: str) -> dict[str, Any]:
    facts = {"nonce": nonce, "bind": options.bind, "port": options.port, "tls": options.tls}
    return {
        "@id": IDENTITY_ID,
        "match": [{"host": [IDENTITY_HOST]}],
        "handle": [{"handler": "static_response", "body": json.dumps(facts)}],
        "terminal": True,
    }


def _build_notice(status: str, reason: str, text: str) -> dict[str, Any]:
    # Plain text that no browser takes for anything else: the host in it is whatever a stranger sent.
    headers = {
        ROUTER_HEADER: [reason],
        "Content-Type": ["text/plain; charset=utf-8"],
        "X-Content-Type-Options": ["nosniff"],
        "Cache-Control": ["no-store"],
    }
    return {"handler": "static_response", "status_code": status, "headers": headers, "body": text}


# Adding or removing a host changes the configuration, and Caddy then closes idle connections, also at the moment in
# which a client uses one again. Over HTTP/1 a client can't tell whether that request was served. HTTP/2 can.
_CLOSE_CONNECTIONS: dict[str, Any] = {
    "match": [{"protocol": "http/1.0"}, {"protocol": "http/1.1"}],
    "handle": [
        {
            "handler": "headers",
            # Not on 1xx: an upgrade needs its own Connection header.
            "response": {
                "deferred": True,
                "require": {"status_code": [2, 3, 4, 5]},
                "set": {"Connection": ["close"]},
            },
        }
    ],
}

_UNKNOWN_HOST: dict[str, Any] = {
    "handle": [
        _build_notice(
            "404",
            "no-route",
            "No deployment answers on {http.request.host}.\n"
            "Look at the address, or at `mastra-admin ps` for the ones that are there.\n",
        )
    ]
}

_NO_ANSWER: dict[str, Any] = {
    "match": [{"expression": "{http.error.status_code} in [502, 503, 504]"}],
    "handle": [
        _build_notice(
            "{http.error.status_code}",
            "no-answer",
            "The server of {http.request.host} does not answer.\n"
            "It may have stopped or be restarting: see `mastra-admin ps` and `mastra-admin logs`.\n",
        )
    ],
}
