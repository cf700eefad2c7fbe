"""Telemetry in ClickHouse: the schema, the queries, and an engine that comes with the package.

`store` is the adapter; `schema` and ``schema.sql`` are what it keeps, `inserts` how lines get in, `queries` and
`frames` how answers get out, `embedded` the engine for those who have no server.
"""

from .store import ClickHouseStore

__all__ = ["ClickHouseStore"]
