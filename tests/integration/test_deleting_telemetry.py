"""Telemetry that is deleted is in no table and in no file, also after the engine restarted and ingestion ran again."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from fixtures.lines import new_trace, now
from fixtures.recorded import make_run, record, recorded_admin

from mastra_admin_sdk.admin import MastraAdmin
from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.services.telemetry.lines import LineOwner, LineType, TelemetryLine
from mastra_admin_sdk.services.telemetry.writing import TelemetryWriter

pytestmark = pytest.mark.slow  # an engine starts, and its answers are waited for

KEPT_TABLES = ("spans_finished", "spans_open", "trace_times", "logs", "metrics", "scores", "feedback", "rejects")


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MastraAdmin]:
    with recorded_admin(tmp_path_factory.mktemp("deleting")) as opened:
        yield opened


def search_files(admin: MastraAdmin, *needles: str) -> list[str]:
    """Return the telemetry files that hold any of some texts, decompressed."""
    found = []
    for path in admin.home.telemetry.rglob("*.jsonl*"):
        body = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        found += [path.name] if any(needle.encode() in body for needle in needles) else []
    return found


def search_tables(admin: MastraAdmin, *needles: str) -> dict[str, int]:
    """Return how many rows of each kept table hold any of some texts, in any column."""
    found = {}
    for table in KEPT_TABLES:
        query = f"SELECT countIf(multiSearchAny(toJSONString(tuple(*)), %(needles)s)) AS n FROM mastra_admin_{table}"
        found[table] = int(admin.sql(query, {"needles": list(needles)})["n"].iloc[0])
    return {table: count for table, count in found.items() if count}


def read_again(admin: MastraAdmin) -> None:
    """Read every file from its start and restart the engine, as after a loss of both."""
    admin.storage.offsets.delete([offset.path for offset in admin.storage.offsets.list()])
    admin.observability.stop()
    admin._ingester._generation = -1
    admin.spans(limit=1)


def test_nothing_of_a_user_is_left(admin: MastraAdmin) -> None:
    user, other = "u-4711@example.com", "u-1@example.com"
    mine, running, theirs = new_trace(), new_trace(), new_trace()
    started = [TelemetryLine(LineType.SPAN, "started", None, dict(make_run(running, user=user)[0].data))]
    broken = TelemetryLine(LineType.SPAN, "paused", None, {"traceId": mine, "id": "9" * 16})
    mention = TelemetryLine(LineType.LOG, None, None, {"message": "hi", "level": "info", "data": {"userId": user}})
    record(admin, [*make_run(mine, user=user), *started, broken, mention, *make_run(theirs, user=other)])
    folder = next(admin.home.telemetry.glob("*/*/*/spans"))
    lines = "".join(f"{make_line(line)}\n" for line in [*make_run(mine, user=user)[:3], *make_run(theirs)[:3]])
    (folder / f"{10**12}_copied.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    admin.score(trace_id=mine, name="q", score=1, reason=f"{user} liked it")
    admin.label(trace_id=mine, label="x")
    admin.datasets.create("from-traces", traces=[mine, theirs])
    assert search_files(admin, user)
    assert set(search_tables(admin, user, mine)) == set(KEPT_TABLES) - {"metrics"} | {"metrics"}

    counted = admin.delete_telemetry(user=user, dry_run=True)
    assert counted.dry_run
    assert search_files(admin, user)
    deleted = admin.delete_telemetry(user=user)
    assert (deleted.traces, deleted.spans, deleted.logs, deleted.metrics) == (2, 4, 2, 1)
    assert (deleted.scores, deleted.feedback, deleted.rejects, deleted.dataset_items) == (1, 1, 1, 1)
    assert deleted.frame().set_index("what").loc["spans", "count"] == counted.spans

    for _ in range(2):
        assert search_files(admin, user, mine, running) == []
        assert search_tables(admin, user, mine, running) == {}
        read_again(admin)
    assert len(admin.spans(trace_id=theirs)) == 3
    assert len(admin.datasets.get("from-traces")) == 1
    assert admin.delete_telemetry(user=user).spans == 0


def make_line(line: TelemetryLine) -> str:
    """Return a line as a server writes it."""
    return json.dumps({"id": new_trace(), "type": line.type, "event": line.event, "data": line.data})


def test_the_audit_log_says_that_it_was_done_and_not_for_whom(admin: MastraAdmin) -> None:
    record(admin, make_run(user="somebody"))
    admin.delete_telemetry(user="somebody")
    event = next(item for item in admin.events.list() if (item.action, item.object_type) == ("delete", "telemetry"))
    assert event.details["spans"] == 3
    assert "somebody" not in json.dumps(event.details)
    assert event.details["user"] != ""


def test_a_thread_of_a_user_goes_and_the_others_stay(admin: MastraAdmin) -> None:
    first, second, third = new_trace(), new_trace(), new_trace()
    record(admin, make_run(first, user="eva", thread="x"))
    record(admin, make_run(second, user="eva", thread="y"))
    record(admin, make_run(third, user="max", thread="x"))
    assert admin.delete_telemetry(user="eva", thread="x").traces == 1
    assert [len(admin.spans(trace_id=trace)) for trace in (first, second, third)] == [0, 3, 3]
    assert admin.delete_telemetry(thread="y").traces == 1
    assert [len(admin.spans(trace_id=trace)) for trace in (first, second, third)] == [0, 0, 3]


def test_what_is_old_goes_by_its_own_time(admin: MastraAdmin) -> None:
    old, new = new_trace(), new_trace()
    record(admin, [*make_run(old, start=now() - timedelta(days=40)), *make_run(new)])
    assert admin.delete_telemetry(until="30d").spans == 3
    assert [len(admin.spans(trace_id=trace)) for trace in (old, new)] == [0, 3]
    assert search_files(admin, old) == []


def test_without_a_restriction_nothing_is_deleted(admin: MastraAdmin) -> None:
    with pytest.raises(InvalidInput, match="neither a user or thread"):
        admin.delete_telemetry()


def test_a_writer_goes_on_in_a_file_whose_lines_were_erased(admin: MastraAdmin) -> None:
    mine, later = new_trace(), new_trace()
    with TelemetryWriter(admin.home.telemetry) as writer:
        writer.write(LineOwner("p"), make_run(mine, user="gone"))
        files = [path for path in admin.home.telemetry.rglob("spans/*.open") if mine.encode() in path.read_bytes()]
        (file,) = files
        size = file.stat().st_size
        admin.delete_telemetry(user="gone")
        assert file.stat().st_size == size
        assert all(json.loads(line) == {"type": "erased"} for line in Path(file).read_text().splitlines())
        writer.write(LineOwner("p"), make_run(later, user="stays"))
    assert [len(admin.spans(trace_id=trace)) for trace in (mine, later)] == [0, 3]
    assert admin.rejects().empty
