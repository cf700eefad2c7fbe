"""Routes to entries of Caddy's configuration and back. Pure: nothing here reads or writes anything.

A route's entry names its host; where it leads stands in small files of its own (see `targets`), which Caddy reads for
each request. So a switch of targets changes files, in one rename, and Caddy's configuration stays as it is. That
matters: a change of configuration makes Caddy end connections whose request it has not read yet, and closes idle ones.

Each entry has a fixed number of upstreams, its slots; the targets are repeated over them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from mastra_admin_sdk.models import Route, Tls
from mastra_admin_sdk.ports.router import MAX_TARGETS, ROUTER_HEADER

from .options import RouterOptions, parse_target

Entry = Mapping[str, Any]

TARGETS_FOLDER = "targets"
SLOTS = MAX_TARGETS

# Each slot of a target is found out by a request of its own, so all of them must be within the time that one is marked.
_PASSED_OVER = "10s"
_PATIENCE, _LAST_PATIENCE = "300ms", "3s"
# 503 is only said when every slot was marked; a connection that failed while it was made has carried nothing.
_WAS_SENT_TO_NOBODY = (
    {"vars": {"{http.error.status_code}": ["503"]}},
    {"vars_regexp": {"{http.error.message}": {"pattern": "^dial "}}},
)


def make_key(host: str) -> str:
    """Return the ``@id`` of a host's route, which is also the name of the folder that holds its targets."""
    return f"route-{hashlib.sha256(host.encode()).hexdigest()[:20]}"


def is_route(entry: Entry) -> bool:
    """True for an entry that leads to a deployment."""
    return str(entry.get("@id", "")).startswith("route-")


def build_route(route: Route) -> dict[str, Any]:
    """Return the entry that leads the requests of a host to its targets."""
    key = make_key(route.host)
    facts = {
        "deployment_id": route.deployment_id,
        "route_id": route.id,
        "created_at": route.created_at.isoformat(),
        "tls": route.tls,
    }
    return {
        "@id": key,
        "match": [{"host": [route.host]}],
        "handle": [{"handler": "vars", **facts}, _build_spread(key)],
        "terminal": True,
    }


def build_redirect(options: RouterOptions, route: Route) -> dict[str, Any]:
    """Return the entry that sends plain requests of a host with a certificate to where it is served."""
    location = options.make_url(route.host, route.tls)
    headers = {"Location": [f"{location}{{http.request.uri}}"], "Cache-Control": ["no-store"]}
    return {
        "match": [{"host": [route.host]}],
        # 308 keeps method and body: a POST stays one.
        "handle": [{"handler": "static_response", "status_code": "308", "headers": headers}],
        "terminal": True,
    }


def parse_route(entry: Entry, targets: Sequence[str]) -> Route | None:
    """Return the route that an entry stands for; ``None`` when it is none of ours or leads nowhere."""
    main = parse_target(targets[0]) if targets else None
    if not is_route(entry) or main is None:
        return None
    try:
        facts = entry["handle"][0]
        return Route(
            entry["match"][0]["host"][0],
            *main,
            deployment_id=facts["deployment_id"],
            more_targets=tuple(targets[1:]),
            tls=Tls(facts["tls"]),
            id=facts["route_id"],
            created_at=datetime.fromisoformat(facts["created_at"]).astimezone(UTC),
        )
    except (LookupError, TypeError, ValueError):
        return None


def _build_spread(key: str) -> dict[str, Any]:
    """Spread requests over the slots that could be connected to lately; when there is none, over all of them."""
    spread = _build_proxy(key, {"selection_policy": {"policy": "round_robin"}, "retries": SLOTS}, _PATIENCE)
    # A slot stays marked for a while although it may lead elsewhere by now, so the mark must not be the last word. What
    # reached nobody is tried on all slots again, until a switch that is under way has been made.
    marks = {"passive": {"max_fails": 1, "fail_duration": _PASSED_OVER}}
    regardless = _build_proxy(
        key,
        {"selection_policy": {"policy": "round_robin"}, "try_duration": "500ms", "try_interval": "50ms"},
        _LAST_PATIENCE,
    )
    return {
        "handler": "subroute",
        "routes": [{"handle": [{**spread, "health_checks": marks}]}],
        "errors": {
            "routes": [
                {
                    "match": list(_WAS_SENT_TO_NOBODY),
                    "handle": [regardless],
                    "terminal": True,
                },
                {"handle": [{"handler": "error", "status_code": "{http.error.status_code}"}]},
            ]
        },
    }


def _build_proxy(key: str, balancing: Mapping[str, Any], patience: str) -> dict[str, Any]:
    return {
        "handler": "reverse_proxy",
        # Relative to Caddy's working folder: a path with braces would end the placeholder early.
        "upstreams": [{"dial": f"{{file.{TARGETS_FOLDER}/{key}/{slot}}}"} for slot in range(SLOTS)],
        # A request that was refused a connection has been sent to nobody: it is tried again on the next slot, whose
        # file is read then. So a target that closes just after a switch loses nothing.
        "load_balancing": balancing,
        # Event streams and answers without a length are flushed at once anyway. -1 would do it for all, but then Caddy
        # no longer tells the server that a client has gone, and its requests would count as open while draining.
        "flush_interval": "1ms",
        # A change of configuration would otherwise close the websockets of every route.
        "stream_close_delay": "24h",
        "headers": {"response": {"delete": [ROUTER_HEADER]}},
        # No time limit on answers: an agent's turn may take hours. Idle connections are dropped before Node (5 s) does.
        "transport": {
            "protocol": "http",
            "compression": False,
            "dial_timeout": patience,
            "keep_alive": {"idle_timeout": "2s"},
        },
    }
