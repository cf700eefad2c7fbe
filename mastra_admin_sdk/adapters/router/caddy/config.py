"""The whole of Caddy's configuration, from settings and routes. Pure: nothing here reads or writes anything."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mastra_admin_sdk.models import Route, Tls
from mastra_admin_sdk.ports.router import ROUTER_HEADER

from .entries import Entry, build_redirect, build_route, is_route
from .options import IDENTITY_HOST, RouterOptions

APPS_PATH = "/config/apps"
IDENTITY_ID = "mastra-admin-router"
PROBE_HEADER = "X-Mastra-Admin-Probe"
TARGET_HEADER = "X-Mastra-Admin-Target"

# Requests are counted by host; those for unknown ones together, so that strangers can't fill the memory.
_COUNTED = {"per_host": True}
_PROBE_ID = "mastra-admin-probe"
_MAIN, _SECURE = "router", "secure"


@dataclass(frozen=True, slots=True)
class Instance:
    """What one running Caddy goes by.

    ``listener`` and ``secure_listener`` are numbers of inherited file descriptors; the second is ``None`` when its port
    was taken. ``nonce`` is what the identity route answers, new with each configuration. A request that carries
    ``secret`` is told which target answered it.
    """

    listener: int
    secure_listener: int | None
    nonce: str
    secret: str


def build_config(
    options: RouterOptions, instance: Instance, routes: Iterable[Route] = (), *, socket: str, log_file: str
) -> dict[str, Any]:
    """Return a configuration to start Caddy with.

    Parameters:
        options: where it listens.
        instance: what it goes by.
        routes: the routes in it.
        socket: path of the Unix socket of the admin API.
        log_file: path of Caddy's own log.
    """
    return {
        "admin": {"listen": f"unix/{socket}|0600", "config": {"persist": False}},
        "logging": {"logs": {"default": _build_log(log_file)}},
        "apps": build_apps(options, instance, routes),
    }


def build_apps(options: RouterOptions, instance: Instance, routes: Iterable[Route]) -> dict[str, Any]:
    """Return the part of the configuration that changes with the routes."""
    ordered = sorted(routes, key=lambda route: route.host)
    return {"http": _build_http(options, instance, ordered), **_build_tls_apps(options, ordered)}


def read_identity(entry: Entry) -> dict[str, Any]:
    """Return what the identity entry says: nonce, bind, port, tls, https_port and listeners."""
    found: dict[str, Any] = json.loads(entry["handle"][0]["body"])
    return found


def read_instance(apps: Mapping[str, Any]) -> Instance:
    """Return what the Caddy goes by whose configuration this is."""
    entries = {entry.get("@id"): entry for entry in apps["http"]["servers"][_MAIN]["routes"]}
    identity = read_identity(entries[IDENTITY_ID])
    (secret,) = entries[_PROBE_ID]["match"][0]["header"][PROBE_HEADER]
    main, secure = identity["listeners"]
    return Instance(main, secure, identity["nonce"], secret)


def list_entries(apps: Mapping[str, Any]) -> dict[str, Entry]:
    """Return the entries of routes to deployments by their ids."""
    servers = apps["http"]["servers"].values()
    return {str(entry["@id"]): entry for server in servers for entry in server["routes"] if is_route(entry)}


def is_secure_apart(options: RouterOptions, route: Route) -> bool:
    """True for a route that is served on the port for hosts with a certificate, beside the main one."""
    return options.tls is Tls.OFF and route.tls is not Tls.OFF


def _build_http(options: RouterOptions, instance: Instance, routes: Sequence[Route]) -> dict[str, Any]:
    identity = _build_identity(options, instance)
    first = [_CLOSE_CONNECTIONS, _build_probe(instance.secret), identity]
    apart = [route for route in routes if is_secure_apart(options, route)]
    main = [build_redirect(options, route) if route in apart else build_route(route) for route in routes]
    if options.tls is not Tls.OFF:
        server = _build_server(instance.listener, [*first, *main], secured=True)
        return {"https_port": options.port, "metrics": _COUNTED, "servers": {_MAIN: server}}
    servers = {_MAIN: _build_server(instance.listener, [*first, *main], secured=False)}
    if instance.secure_listener is not None:
        # Without a host that needs a certificate none is made, not even the authority's own.
        entries = [_strip_id(item) for item in first] + [build_route(route) for route in apart] if apart else []
        servers[_SECURE] = _build_server(instance.secure_listener, entries, secured=True)
    # The ports tell Caddy where challenges of a certificate authority arrive.
    return {"http_port": options.port, "https_port": options.https_port, "metrics": _COUNTED, "servers": servers}


def _build_server(listener: int, entries: Sequence[Entry], *, secured: bool) -> dict[str, Any]:
    server: dict[str, Any] = {
        # Inherited, so that all configurations share one kernel socket. Sockets that Caddy opens itself are reopened
        # with SO_REUSEPORT at each change: waiting connections are reset, and a second Caddy could share the port.
        "listen": [f"fd/{listener}"],
        "protocols": ["h1", "h2"],
        "routes": [*entries, _UNKNOWN_HOST],
        "errors": {"routes": [_NO_ANSWER]},
    }
    if not secured:
        return {**server, "automatic_https": {"disable": True}}
    return {**server, "automatic_https": {"disable_redirects": True}, "tls_connection_policies": [{}]}


def _build_tls_apps(options: RouterOptions, routes: Sequence[Route]) -> dict[str, Any]:
    own = [route for route in routes if route.tls is not Tls.OFF]
    if options.tls is Tls.OFF and not own:
        return {}
    internal = [IDENTITY_HOST, *(route.host for route in own if route.tls is Tls.INTERNAL)]
    public = [route.host for route in own if route.tls is Tls.AUTO]
    policies: list[dict[str, Any]] = [{"subjects": internal, "issuers": [{"module": "internal"}]}]
    if public:
        policies.append({"subjects": public})
    if options.tls is Tls.INTERNAL:
        policies.append({"issuers": [{"module": "internal"}]})
    return {
        "tls": {"automation": {"policies": policies}},
        # Caddy would try to add its root to the system's trust store, asking for root rights.
        "pki": {"certificate_authorities": {"local": {"install_trust": False}}},
    }


def _build_identity(options: RouterOptions, instance: Instance) -> dict[str, Any]:
    facts = {
        "nonce": instance.nonce,
        "bind": options.bind,
        "port": options.port,
        "tls": options.tls,
        "https_port": options.https_port,
        "listeners": [instance.listener, instance.secure_listener],
    }
    return {
        "@id": IDENTITY_ID,
        "match": [{"host": [IDENTITY_HOST]}],
        "handle": [{"handler": "static_response", "body": json.dumps(facts)}],
        "terminal": True,
    }


def _build_probe(secret: str) -> dict[str, Any]:
    """Tell whoever knows the secret which target answered, whatever the target itself says; the target learns nothing.

    Deferred: which one it is stands fixed when the answer begins.
    """
    target = {"deferred": True, "set": {TARGET_HEADER: ["{http.reverse_proxy.upstream.hostport}"]}}
    return {
        "@id": _PROBE_ID,
        "match": [{"header": {PROBE_HEADER: [secret]}}],
        "handle": [{"handler": "headers", "request": {"delete": [PROBE_HEADER]}, "response": target}],
    }


def _strip_id(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name != "@id"}


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
