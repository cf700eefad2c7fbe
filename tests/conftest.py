"""Fixtures that every test may ask for."""

from __future__ import annotations

pytest_plugins = [
    "fixtures.cli",
    "fixtures.cli_process",
    "fixtures.clickhouse",
    "fixtures.homes",
    "fixtures.house",
    "fixtures.mastra",
    "fixtures.postgres",
    "fixtures.storage",
]
