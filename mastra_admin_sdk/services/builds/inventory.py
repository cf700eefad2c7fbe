"""What a server has: its agents, tools and workflows, as its own API lists them right after it went live."""

from __future__ import annotations

import hashlib
import http.client
import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from mastra_admin_sdk.errors import RequestFailed
from mastra_admin_sdk.models import Process

logger = logging.getLogger(__name__)

KINDS = ("agents", "tools", "workflows")
"""What is listed; each is a path of Mastra's API."""

_SECONDS = 5.0
_MOST_BYTES = 16_000_000
_PIECE = 65536
_PLAIN = {
    "agents": ("name", "description", "modelId", "provider", "modelVersion"),
    "tools": ("description", "requireApproval"),
    "workflows": ("name", "description"),
}
_NAMES = {"agents": ("tools", "workflows", "agents"), "workflows": ("steps",), "tools": ()}
_SUMS = {
    "agents": ("instructions", "defaultOptions", "skills", "inputProcessors", "outputProcessors"),
    "tools": ("inputSchema", "outputSchema"),
    "workflows": ("inputSchema", "outputSchema", "stepGraph", "allSteps"),
}


@dataclass(frozen=True, slots=True)
class Inventory:
    """What was listed, and why the rest wasn't.

    ``found`` maps each of `KINDS` that answered to id → fields; ``notes`` each that didn't to the reason.
    """

    found: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)


def take_inventory(process: Process, *, seconds: float = _SECONDS) -> Inventory:
    """Ask a server what it has, over its loopback address; never raises for what the server does.

    Parameters:
        process: the server, just healthy.
        seconds: how long all of it may take.
    """
    deadline = time.monotonic() + seconds
    prefix = str(process.trace_status.get("api_prefix") or "/api").rstrip("/")
    found: dict[str, Mapping[str, Mapping[str, Any]]] = {}
    notes: dict[str, str] = {}
    for kind in KINDS:
        try:
            found[kind] = describe_all(kind, _ask(process, f"{prefix}/{kind}", deadline))
        except RequestFailed as exc:
            notes[kind] = _explain(exc)
            logger.debug("No inventory of %s: %s", kind, exc.message)
    return Inventory(found, notes)


def describe_all(kind: str, listed: Any) -> dict[str, dict[str, Any]]:
    """Return id → fields of what the API listed: short texts as they are, long ones as a checksum.

    Raises:
        RequestFailed: it is no listing.
    """
    if not isinstance(listed, Mapping) or (listed and not any(isinstance(item, Mapping) for item in listed.values())):
        raise RequestFailed(f"What answers for {kind} is no listing of them.")
    return {str(key): _describe(kind, item) for key, item in sorted(listed.items()) if isinstance(item, Mapping)}


def _describe(kind: str, item: Mapping[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {name: str(item[name]) for name in _PLAIN[kind] if item.get(name)}
    fields |= {name: _list_names(item[name]) for name in _NAMES[kind] if name in item}
    fields |= {f"{name}_sha256": _sum(item[name]) for name in _SUMS[kind] if item.get(name)}
    return fields


def _list_names(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return sorted(map(str, value))
    return sorted(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else []


def _sum(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _ask(process: Process, path: str, deadline: float) -> Any:
    left = deadline - time.monotonic()
    if left <= 0:
        raise RequestFailed(f"{path} was not asked: the time for it was over.")
    connection = http.client.HTTPConnection(process.host, process.port, timeout=left)
    try:
        connection.request("GET", path, headers={"Accept": "application/json"})
        answer = connection.getresponse()
        if answer.status != HTTPStatus.OK:
            raise RequestFailed(f"{path} answered {answer.status}.", evidence={"status": answer.status})
        return json.loads(_read(answer, path, deadline))
    except (OSError, http.client.HTTPException, ValueError, RecursionError) as exc:
        raise RequestFailed(f"{path}: {type(exc).__name__}.") from exc
    finally:
        connection.close()


def _read(answer: http.client.HTTPResponse, path: str, deadline: float) -> bytes:
    """Read a body in pieces: neither an endless one nor one that trickles may hold a deploy up."""
    body = bytearray()
    while piece := answer.read1(_PIECE):
        body += piece
        if len(body) > _MOST_BYTES:
            raise RequestFailed(f"{path} is larger than {_MOST_BYTES:,} bytes.")
        if time.monotonic() > deadline:
            raise RequestFailed(f"{path} took too long.")
    return bytes(body)


def _explain(exc: RequestFailed) -> str:
    status = exc.evidence.get("status")
    if status in (401, 403):
        return f"the app guards its API (status {status})"
    return f"the API answered {status}" if status else f"the API gave no usable answer ({exc.message.rstrip('.')})"
