"""An engine that took parts into use which a full disk kept it from writing is started anew, and has all of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from fixtures.lines import make_chunk, make_span, new_trace, now

from mastra_admin_sdk.adapters.observability.clickhouse.store import ClickHouseStore


@pytest.mark.slow
def test_a_part_that_cannot_be_read_is_left_out_and_its_lines_can_be_stored_again(tmp_path: Path) -> None:
    store = ClickHouseStore(home=tmp_path, memory_mb=800)
    chunk = make_chunk(*(make_span("ended", new_trace(), f"{number:016x}", now(), 5) for number in range(50)))
    try:
        store.init()
        store.insert([chunk])
        before = store.status()["pid"]
        parts = store.sql("SELECT path FROM system.parts WHERE active AND table = 'mastra_admin_spans_finished'")
        for file in Path(parts["path"].iloc[0]).iterdir():
            file.write_bytes(b"")
        store.insert([chunk])
        assert int(store.sql("SELECT count() AS n FROM mastra_admin_spans")["n"].iloc[0]) == 50
        assert store.count_rejects() == 0
        assert store.status()["pid"] != before
    finally:
        store.stop()
