"""The stores that every contract of a kind runs on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fixtures.observability import KINDS, open_store

from mastra_admin_sdk.ports.observability import ObservabilityStore


@pytest.fixture(scope="package", params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObservabilityStore]:
    """A telemetry store of each kind; all tests of contracts share it, each with ids of its own."""
    with open_store(request.param, tmp_path_factory.mktemp("home with space")) as opened:
        yield opened
