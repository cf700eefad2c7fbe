"""MastraAdmin: run many Mastra servers on your own machines, and see what their agents do as DataFrames.

Importing this package stays fast: everything heavy is loaded on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .adapters.observability.clickhouse import ClickHouseStore
    from .adapters.router.caddy import LocalRouter
    from .adapters.runner.local import LocalRunner
    from .adapters.source.local import LocalProjectSource
    from .adapters.storage.sql import PostgresAdminStorage, SqliteAdminStorage
    from .admin import MastraAdmin
    from .errors import MastraAdminError
    from .services.objects import LiveBuild, LiveDeployment
    from .services.telemetry.traces import Trace

__version__ = "0.1.0"

_HOMES = {
    "ClickHouseStore": ".adapters.observability.clickhouse",
    "LiveBuild": ".services.objects",
    "LiveDeployment": ".services.objects",
    "LocalProjectSource": ".adapters.source.local",
    "LocalRouter": ".adapters.router.caddy",
    "LocalRunner": ".adapters.runner.local",
    "MastraAdmin": ".admin",
    "MastraAdminError": ".errors",
    "PostgresAdminStorage": ".adapters.storage.sql",
    "SqliteAdminStorage": ".adapters.storage.sql",
    "Trace": ".services.telemetry.traces",
}

__all__ = [
    "ClickHouseStore",
    "LiveBuild",
    "LiveDeployment",
    "LocalProjectSource",
    "LocalRouter",
    "LocalRunner",
    "MastraAdmin",
    "MastraAdminError",
    "PostgresAdminStorage",
    "SqliteAdminStorage",
    "Trace",
    "__version__",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name], __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
