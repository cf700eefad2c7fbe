"""Fixtures that every test may ask for."""

from __future__ import annotations

pytest_plugins = [
    "fixtures.clickhouse",  # first: others import it
    "fixtures.cli",
    "fixtures.cli_process",
    "fixtures.homes",
    "fixtures.house",
    "fixtures.mastra",
    "fixtures.postgres",
    "fixtures.storage",
]
