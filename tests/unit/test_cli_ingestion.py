"""What `ps` says of telemetry on its way into the store."""

from __future__ import annotations

import json
from datetime import timedelta

from fixtures.cli import CommandLine

from mastra_admin_sdk.cli.ingestion import summarize_ingestion
from mastra_admin_sdk.models import utc_now
from mastra_admin_sdk.services.telemetry.lag import Lag
from mastra_admin_sdk.services.telemetry.progress import IngestionStatus

NOTHING = Lag(0, 0, 0.0)


def test_all_is_well() -> None:
    assert summarize_ingestion(NOTHING, IngestionStatus(), 80) == ["ingestion   up to date"]


def test_what_waits_is_told_with_its_age() -> None:
    (line,) = summarize_ingestion(Lag(2, 3_000_000, 61.0), IngestionStatus(), 80)
    assert line.startswith("ingestion   ")
    assert "in 2 files behind (1 min" in line


def test_trouble_and_losses_are_told_in_lines_that_fit() -> None:
    status = IngestionStatus(
        trouble="Storing telemetry failed: the connection to the analytics engine broke (timed out).",
        since=utc_now() - timedelta(minutes=5),
        rejected=1,
        dropped=1200,
        dropped_reason="more than 8 MB were waiting: ENOSPC",
    )
    lines = summarize_ingestion(Lag(1, 10, 300.0), status, 80)
    text = " ".join(line.strip() for line in lines)
    assert max(map(len, lines)) <= 80
    assert "nothing can be stored, since 5 min ago: Storing telemetry failed" in text
    assert '1 line rejected: `sql "SELECT * FROM mastra_admin_rejects"` tells why; 1,200 lines dropped' in text
    assert "dropped by servers: more than 8 MB" in text


def test_ps_tells_what_servers_dropped(command_line: CommandLine) -> None:
    folder = command_line.home / "telemetry" / "d" / "b" / "p"
    folder.mkdir(parents=True)
    (folder / "status.json").write_text(json.dumps({"dropped": 7, "dropped_reason": "the disk was full"}))
    assert "7 lines dropped by servers: the disk was full" in command_line.run("ps").stdout
    found = command_line.run_json("ps")
    assert (found["ingestion"]["dropped"], found["ingestion"]["trouble"]) == (7, "")
    assert found["ingestion_lag"] == {"files": 0, "bytes": 0, "seconds": 0.0}
