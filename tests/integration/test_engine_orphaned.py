"""An engine whose starter was killed serves on, and one that fails holds nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mastra_admin_sdk import ClickHouseStore
from mastra_admin_sdk.home import open_home

pytestmark = pytest.mark.slow  # starts an engine

MODULE = "mastra_admin_sdk.adapters.observability.clickhouse.embedded"


def test_an_engine_whose_starter_died_before_it_was_ready_serves_on(tmp_path: Path) -> None:
    home = open_home(tmp_path / "home")
    reader, told = os.pipe()
    os.close(reader)  # as when the starter was killed
    config = {
        "run_folder": str(home.run),
        "data_folder": str(home.clickhouse),
        "memory_mb": 1000,
        "idle_seconds": 60.0,
        "threads": 1,
        "ready_fd": told,
        "log_path": str(home.logs / "engine.log"),
    }
    environment = {"MASTRA_ADMIN_HOME": str(home.path), "PYTHONPATH": str(Path(__file__).parents[2]), "TZ": "UTC"}
    with (home.logs / "engine.log").open("ab") as log:
        subprocess.run(
            [sys.executable, "-P", "-m", MODULE],
            input=json.dumps(config).encode(),
            stdout=log,
            stderr=log,
            env=environment,
            cwd=home.path,
            pass_fds=(told,),
            start_new_session=True,
            timeout=60,
            check=True,
        )
    os.close(told)
    store = ClickHouseStore(home=home, memory_mb=1000)
    try:
        assert store.sql("SELECT 1 AS one")["one"].tolist() == [1]
    finally:
        store.stop()
    assert store.status()["running"] is False
