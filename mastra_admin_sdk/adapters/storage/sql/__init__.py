"""Storage in SQL databases: SQLite by default, PostgreSQL through the same code."""

from __future__ import annotations

from .store import PostgresAdminStorage, SqliteAdminStorage

__all__ = ["PostgresAdminStorage", "SqliteAdminStorage"]
