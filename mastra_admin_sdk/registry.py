"""From a setting or a name to an adapter, loaded only when it is used.

Adapters of other people register under the entry-point group ``mastra_admin_sdk.adapters`` with a name such as
``router:traefik``; the object is a callable that takes `Home` and `Settings`.
"""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Callable, Mapping
from typing import Any, cast

from .errors import InvalidInput
from .home import Home
from .models import SourceType
from .ports.observability import ObservabilityStore
from .ports.router import Router
from .ports.runner import Runner
from .ports.source import ProjectSource
from .ports.storage import AdminStorage
from .settings import Settings

GROUP = "mastra_admin_sdk.adapters"

Factory = Callable[[Home, Settings], Any]


def make_storage(home: Home, settings: Settings) -> AdminStorage:
    """Return PostgreSQL storage when ``database_url`` is set, else SQLite in the home."""
    return cast(AdminStorage, make("storage", "postgres" if settings.database_url else "sqlite", home, settings))


def make_source(home: Home, settings: Settings) -> ProjectSource:
    """Return the source of local folders."""
    return cast(ProjectSource, make("source", "local", home, settings))


def make_sources(home: Home, settings: Settings, local: ProjectSource) -> Mapping[SourceType, ProjectSource]:
    """Return a source for each type that a project can have; ``local`` is that of folders."""
    return {SourceType.LOCAL: local, SourceType.GIT: cast(ProjectSource, make("source", "git", home, settings))}


def make_runner(home: Home, settings: Settings) -> Runner:
    """Return the runner of local processes."""
    return cast(Runner, make("runner", "local", home, settings))


def make_router(home: Home, settings: Settings) -> Router:
    """Return the router on Caddy."""
    return cast(Router, make("router", "caddy", home, settings))


def make_observability(home: Home, settings: Settings) -> ObservabilityStore:
    """Return the store on ClickHouse: a server by URL, else the embedded engine."""
    return cast(ObservabilityStore, make("observability", "clickhouse", home, settings))


def make(port: str, name: str, home: Home, settings: Settings) -> Any:
    """Return an adapter by port and name; `InvalidInput` lists the names there are."""
    key = f"{port}:{name}"
    if key in _BUILT_IN:
        return _BUILT_IN[key](home, settings)
    for point in importlib.metadata.entry_points(group=GROUP):
        if point.name == key:
            return point.load()(home, settings)
    known = [*_BUILT_IN, *(point.name for point in importlib.metadata.entry_points(group=GROUP))]
    names = sorted(item.partition(":")[2] for item in known if item.startswith(f"{port}:"))
    raise InvalidInput(f"There is no {port} adapter {name!r}.", hint=f"There are: {', '.join(names)}.")


def _sqlite(home: Home, _: Settings) -> AdminStorage:
    from .adapters.storage.sql import SqliteAdminStorage

    return SqliteAdminStorage(home.database)


def _postgres(_: Home, settings: Settings) -> AdminStorage:
    from .adapters.storage.sql import PostgresAdminStorage

    return PostgresAdminStorage(url=settings.database_url, schema=settings.database_schema)


def _local_source(home: Home, settings: Settings) -> ProjectSource:
    from .adapters.source.local import LocalProjectSource

    return LocalProjectSource(
        settings.source_paths or [os.getcwd()],
        include=tuple(settings.source_include),
        exclude=tuple(settings.source_exclude),
        max_depth=settings.source_max_depth,
        home=home.path,
    )


def _git_source(home: Home, settings: Settings) -> ProjectSource:
    from .adapters.source.git import GitProjectSource

    return GitProjectSource(
        home,
        exclude=tuple(settings.source_exclude),
        environment=settings.environment,
        credentials=settings.git_credentials,
        timeout=settings.copy_timeout,
    )


def _local_runner(home: Home, settings: Settings) -> Runner:
    from .adapters.runner.local import LocalRunner

    return LocalRunner(
        home,
        ports=parse_range(settings.server_ports),
        node=settings.node,
        install_timeout=settings.install_timeout,
        build_timeout=settings.build_timeout,
        build_memory_mb=settings.build_memory_mb,
        build_nice=settings.build_nice,
        build_cache=settings.build_cache,
        log_max_bytes=settings.log_max_bytes,
        log_keep=settings.log_keep,
        drain_timeout=settings.drain_timeout,
        environment=settings.environment,
    )


def _caddy(home: Home, settings: Settings) -> Router:
    from .adapters.router.caddy import LocalRouter

    return LocalRouter(
        home,
        port=settings.router_port,
        https_port=settings.router_https_port,
        bind=settings.router_bind,
        base_domain=settings.base_domain,
        tls=settings.router_tls or None,
        environment=settings.environment,
    )


def _clickhouse(home: Home, settings: Settings) -> ObservabilityStore:
    from .adapters.observability.clickhouse import ClickHouseStore
    from .adapters.observability.clickhouse.retention import Signal

    return ClickHouseStore(
        settings.clickhouse_url,
        home=home,
        memory_mb=settings.engine_memory_mb,
        idle_seconds=settings.engine_idle_seconds,
        retention_days=settings.telemetry_days,
        retention={signal: days for signal in Signal if (days := settings[f"telemetry_days_{signal}"])},
        cluster=settings.clickhouse_cluster,
        replicated=settings.clickhouse_replicated,
    )


_BUILT_IN: Mapping[str, Factory] = {
    "storage:sqlite": _sqlite,
    "storage:postgres": _postgres,
    "source:local": _local_source,
    "source:git": _git_source,
    "runner:local": _local_runner,
    "router:caddy": _caddy,
    "observability:clickhouse": _clickhouse,
}


def parse_range(text: str) -> tuple[int, int]:
    """Return a port range such as ``4100-4199`` as two numbers.

    Raises:
        InvalidInput: it isn't one.
    """
    low, _, high = text.partition("-")
    if not (low.strip().isdigit() and high.strip().isdigit() and 1024 <= int(low) <= int(high) <= 65535):
        raise InvalidInput(
            f"{text!r} is no range of ports.", hint="Write two numbers from 1024 to 65535, such as 4100-4199."
        )
    return int(low), int(high)
