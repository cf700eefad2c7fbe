"""What docs/engine.md shows is run as it stands there, and its figures are those of the code."""

from __future__ import annotations

from pathlib import Path

import pytest
from fixtures.docs import check_command, read_page

from mastra_admin_sdk import ClickHouseStore
from mastra_admin_sdk.adapters.observability.clickhouse.embedded import insertion, logfile, protocol, server, sessions
from mastra_admin_sdk.settings import SETTINGS

PAGE = read_page("engine")


@pytest.mark.slow  # starts an engine
def test_the_samples_run_in_the_order_they_stand_in(tmp_path: Path) -> None:
    home = tmp_path / "home"
    store = ClickHouseStore(home=home)
    store.init()
    try:
        found = PAGE.run_all({"home": home})
        assert found["status"]["running"] is True
        assert {"pid", "port", "version", "package", "seconds", "memory_bytes"} <= set(found["status"])
    finally:
        found["store"].stop()
        store.stop()


@pytest.mark.parametrize("line", PAGE.commands)
def test_commands_exist(line: str) -> None:
    check_command(line)


def test_figures_are_those_of_the_code() -> None:
    defaults = {setting.name: setting.default for setting in SETTINGS}
    for sentence in (
        f"| `engine_memory_mb` | `{defaults['engine_memory_mb']}` |",
        f"| `engine_idle_seconds` | `{defaults['engine_idle_seconds']:.0f}` |",
        f"announces revision {protocol.REVISION}:",
        f"| connections | {server.MAX_CLIENTS} |",
        f"| {sessions.READERS}; {sessions.QUEUE_LENGTH} more wait, up to {sessions.QUEUE_SECONDS:.0f} s |",
        f"| {insertion.MAX_BYTES >> 20} MB; above {insertion.MEMORY_BYTES >> 20} MB it is gathered",
        f"({logfile.MAX_BYTES >> 20} MB, and",
        f"blocks of up to {int(sessions._READER_SETTINGS['max_block_size']):,} rows",
    ):
        assert sentence in PAGE.text, sentence
