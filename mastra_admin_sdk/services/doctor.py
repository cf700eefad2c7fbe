"""Checks of what this machine has, each with how to mend it."""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mastra_admin_sdk.errors import MastraAdminError, NoFreePort
from mastra_admin_sdk.models import ProcessStatus, SourceProject

from .deployments.servers import ALIVE, identify
from .parts import Parts
from .supervision.strays import find_strays
from .telemetry.progress import read_status


@dataclass(frozen=True, slots=True)
class Check:
    """One result. ``hint`` says how to mend what is not ``ok``."""

    name: str
    ok: bool
    text: str
    hint: str = ""


def examine(parts: Parts) -> Sequence[Check]:
    """Run all checks; one that fails never stops the others."""
    checks: Sequence[tuple[str, Callable[[Parts], str]]] = (
        ("home", _check_home),
        ("disk", _check_disk),
        ("database", _check_database),
        ("secret key", _check_secrets),
        ("node", _check_node),
        ("ports", _check_ports),
        ("servers", _check_servers),
        ("router", _check_router),
        ("router port", _check_router_port),
        ("engine", _check_engine),
        ("ingestion", _check_ingestion),
        ("source", _check_source),
    )
    return [_run(name, check, parts) for name, check in checks]


def _run(name: str, check: Callable[[Parts], str], parts: Parts) -> Check:
    try:
        return Check(name, True, check(parts))
    except MastraAdminError as exc:
        return Check(name, False, exc.message, exc.hint)
    except OSError as exc:
        return Check(name, False, str(exc), f"Look at {exc.filename or parts.home.path}.")
    except Exception as exc:
        # What is examined may be broken in any way; the other checks are wanted all the more then.
        return Check(name, False, f"{type(exc).__name__}: {exc}", "Please report this.")


def _check_home(parts: Parts) -> str:
    mode = parts.home.path.stat().st_mode & 0o777
    if mode & 0o077:
        raise MastraAdminError(f"{parts.home.path} has mode {mode:o}.", hint=f"Run: chmod 700 {parts.home.path}")
    return f"{parts.home.path} (mode 700)"


def _check_disk(parts: Parts) -> str:
    free = shutil.disk_usage(parts.home.path).free // 1_000_000
    if free < parts.settings.min_free_mb:
        raise MastraAdminError(
            f"Only {free} MB are free for {parts.home.path}.",
            hint=f"Free some space: builds need {parts.settings.min_free_mb} MB (MASTRA_ADMIN_MIN_FREE_MB).",
        )
    return f"{free / 1000:.1f} GB free"


def _check_database(parts: Parts) -> str:
    return f"{parts.storage.describe()}: {len(parts.storage.deployments.list())} deployments"


def _check_secrets(parts: Parts) -> str:
    probe = parts.secrets.encrypt("probe")
    if parts.secrets.decrypt(probe) != "probe":
        raise MastraAdminError("The secret key doesn't decrypt what it encrypted.", hint="Restore it from a backup.")
    return "encrypts and decrypts"


def _check_node(parts: Parts) -> str:
    # A project that lacks nothing: what is left to say is about this machine.
    complete = SourceProject(
        "", "doctor", str(parts.home.path), has_lockfile=True, has_mastra_cli=True, has_observability=True
    )
    return "; ".join(note.rstrip(".") for note in parts.runner.check_source(complete))


def _check_ports(parts: Parts) -> str:
    used = {item.port for item in parts.storage.processes.list(statuses=ALIVE)}
    try:
        port = parts.runner.find_port(frozenset(used))
    except NoFreePort as exc:
        raise NoFreePort(exc.message, hint="Stop a deployment, or widen MASTRA_ADMIN_SERVER_PORTS.") from exc
    return f"{parts.settings.server_ports}: {len(used)} in use, {port} is free"


def _check_servers(parts: Parts) -> str:
    strays = find_strays(parts)
    if strays:
        pids = ", ".join(str(pid) for each in strays.values() for pid in each)
        raise MastraAdminError(
            f"{len(strays)} servers run without a record (pids {pids}): their database was removed, or restored.",
            hint="`mastra-admin down` ends them, and so does the background process.",
        )
    running = parts.storage.processes.list(statuses=[ProcessStatus.RUNNING])
    silent = [item for item in running if not parts.runner.is_healthy(identify(item))]
    if silent:
        ports = ", ".join(str(item.port) for item in silent)
        raise MastraAdminError(
            f"{len(silent)} of {len(running)} servers don't answer (ports {ports}).",
            hint="`mastra-admin up` sees that they are started again; `mastra-admin logs` shows what they said.",
        )
    return f"{len(running)} run, each with its record"


def _check_router(parts: Parts) -> str:
    return f"{parts.router.describe()}: {'running' if parts.router.is_running() else 'not running; starts on demand'}"


def _check_router_port(parts: Parts) -> str:
    endpoint = parts.router.endpoint
    if parts.router.is_running():
        return f"{endpoint.address}:{endpoint.port} is ours"
    with socket.socket() as probe:
        probe.settimeout(1)
        taken = probe.connect_ex((endpoint.address.replace("0.0.0.0", "127.0.0.1"), endpoint.port)) == 0  # noqa: S104
    if taken:
        raise MastraAdminError(
            f"Port {endpoint.port} is taken by another program.",
            hint="End it, or choose another with MASTRA_ADMIN_ROUTER_PORT.",
        )
    return f"{endpoint.address}:{endpoint.port} is free"


def _check_engine(parts: Parts) -> str:
    store = parts.observability
    was_running = bool(store.status().get("running"))
    began = time.monotonic()
    try:
        # Whether it can start is what one wants to know; that it then runs for nobody isn't.
        store.init()
        version = store.status().get("version", "unknown")
        took = "" if was_running else f"; not running, starts in {time.monotonic() - began:.1f} s"
    finally:
        if not was_running:
            store.stop()
    return f"{store.describe()}: version {version}{took}"


def _check_ingestion(parts: Parts) -> str:
    status = read_status(parts.home)
    if status.trouble:
        since = f" since {status.since:%Y-%m-%d %H:%M} UTC" if status.since else ""
        raise MastraAdminError(
            f"Telemetry can't be stored{since}: {status.trouble}", hint="It waits in its files; nothing is lost."
        )
    rejected = parts.observability.count_rejects()
    told = f", {rejected:,} rejected: see the table mastra_admin_rejects" if rejected else ""
    if status.dropped:
        told += f", {status.dropped:,} dropped by servers: {status.dropped_reason or 'they did not say why'}"
    if status.sampled_out:
        told += f", {status.sampled_out:,} left out by sampling"
    return f"{status.lines:,} lines went to the store{told}"


def _check_source(parts: Parts) -> str:
    listing = parts.source.scan(refresh=True)
    skipped = f", {len(listing.skipped)} skipped" if listing.skipped else ""
    return f"{len(listing.projects)} Mastra projects{skipped} below {', '.join(listing.searched)}"
