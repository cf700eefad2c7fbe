"""Ingestion of many files and deployments: fair, bounded, cheap, and sound while the store is away."""

from __future__ import annotations

import gzip
import json
import logging
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from fixtures.house import House
from fixtures.quick import wait_until

from mastra_admin_sdk.errors import EngineUnavailable, LeaseLost
from mastra_admin_sdk.models import Process, ProcessStatus
from mastra_admin_sdk.services.background.roles import RoleThread
from mastra_admin_sdk.services.doctor import examine
from mastra_admin_sdk.services.overview import look_around
from mastra_admin_sdk.services.telemetry import batches, files
from mastra_admin_sdk.services.telemetry.ingestion import LEASE_SECONDS, ROLE
from mastra_admin_sdk.services.telemetry.progress import read_status


def write(house: House, name: str, body: str | bytes, folder: str = "d/b/p/spans") -> Path:
    path = house.home.telemetry / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body.encode() if isinstance(body, str) else body)
    return path


def ingest(house: House) -> int:
    role = house.take(ROLE)
    try:
        return house.ingester.run_once(role)
    finally:
        house.parts.leases.release(role)


def age(path: Path, seconds: float = 60) -> None:
    moment = time.time() - seconds
    os.utime(path, (moment, moment))


@pytest.fixture
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BATCH_BYTES", "CHUNK_BYTES", "_SHARE_BYTES"):
        monkeypatch.setattr(batches, name, 100)


@pytest.mark.usefixtures("_small_batches")
def test_a_flood_of_one_deployment_keeps_no_other_waiting(house: House) -> None:
    flood = b"".join(b"flood %04d\n" % number for number in range(1000))
    for number in range(3):
        write(house, f"{number}_f.jsonl", flood, "flooding/b/p/spans")
    for number in range(4):
        write(house, f"9_{number}.jsonl", f"calm {number}\n", f"calm-{number}/b/p/logs")
    ingest(house)
    order = [chunk.path.split("/")[0] for chunk in house.engine.chunks]
    assert {f"calm-{number}" for number in range(4)} <= {*order[:6]}
    assert len(house.engine.lines) == 3004


@pytest.mark.usefixtures("_small_batches")
def test_what_comes_while_a_flood_is_stored_gets_its_turn(house: House) -> None:
    write(house, "1_f.jsonl", b"flood\n" * 500, "flooding/b/p/spans")
    sent: list[int] = []

    def come(chunks: Any) -> None:
        sent.append(len(chunks))
        if len(sent) == 3:
            write(house, "2_c.jsonl", "calm\n", "calm/b/p/spans")

    house.engine.before_insert = come
    ingest(house)
    assert house.engine.lines.index(b"calm") < 250  # one batch was being read already
    assert len(house.engine.lines) == 501


def test_the_lines_of_one_deployment_stay_in_their_order(house: House) -> None:
    for number in range(20):
        write(house, f"{number:02}_a.jsonl", f"{number}\n", f"d/b/p{number % 3}/spans")
    ingest(house)
    assert [int(line) for line in house.engine.lines] == [*range(20)]


def test_a_batch_holds_no_more_than_its_size(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in (("BATCH_BYTES", 400_000), ("CHUNK_BYTES", 100_000), ("_SHARE_BYTES", 1)):
        monkeypatch.setattr(batches, name, size)
    most: list[int] = []
    house.engine.before_insert = lambda chunks: most.append(sum(len(chunk.body) for chunk in chunks))
    for number in range(8):
        write(house, f"{number}_a.jsonl", (b"x" * 1000 + b"\n") * 300)
    ingest(house)
    assert len(most) > 4
    assert max(most) <= 500_000


def test_gzip_is_stored_once_also_when_it_grows_or_stays_torn(house: House) -> None:
    whole = gzip.compress(b"one\ntwo\n") + gzip.compress(os.urandom(3000).hex().encode() + b"\nthree\n")
    path = write(house, "1_a.jsonl.gz", whole[: len(whole) - 500])
    assert ingest(house) == 8
    assert ingest(house) == 0
    path.write_bytes(whole)
    ingest(house)
    assert [line for line in house.engine.lines if len(line) < 100] == [b"one", b"two", b"three"]
    assert house.storage.offsets.list()[0].done
    torn = write(house, "2_b.jsonl.gz", whole[:40])
    age(torn)
    ingest(house)
    assert [chunk.reason for chunk in house.engine.chunks if chunk.reason] == ["a gzip file without its end"]
    assert ingest(house) == 0


def test_a_line_that_is_too_long_is_recorded_with_its_reason(house: House) -> None:
    write(house, "1_a.jsonl", b"one\n" + b"x" * (17 * 1024**2) + b"\ntwo\n")
    ingest(house)
    assert [chunk.reason for chunk in house.engine.chunks] == ["", "a line longer than 16 MB", ""]
    assert ingest(house) == 0
    assert look_around(house.parts, house.ingester).ingestion.rejected == 1


def test_a_file_from_the_future_is_stored_and_has_no_negative_lag(house: House) -> None:
    path = write(house, "1_a.jsonl", "one\n{torn")
    age(path, -7200)
    lag = house.ingester.measure_lag()
    assert (lag.files, lag.seconds) == (1, 0.0)
    ingest(house)
    assert house.engine.lines == [b"one"]
    assert house.ingester.measure_lag().seconds >= 0


def test_the_lag_is_the_age_of_the_first_line_that_waits(house: House) -> None:
    then = int((time.time() - 90) * 1000)
    path = write(house, f"{then - 50_000}_a.jsonl.open", f'{{"timestamp":{then}}}\n')
    assert house.ingester.measure_lag().seconds == pytest.approx(90, abs=5)
    ingest(house)
    assert house.ingester.measure_lag() == type(house.ingester.measure_lag())(0, 0, 0.0)
    with path.open("a") as file:
        file.write('{"timestamp":1000000000000}\n{"timestamp":9999999999999}\n')
    # What was stored a moment ago can't have been waiting for years.
    assert house.ingester.measure_lag().seconds <= 70
    assert house.ingester.measure_lag().bytes == 56


def test_a_store_that_is_away_is_complained_of_once_and_shown(house: House, caplog: pytest.LogCaptureFixture) -> None:
    write(house, "1_a.jsonl", "one\n")
    house.engine.away = True
    passes: list[float] = []

    def step(role: Any) -> None:
        passes.append(time.monotonic())
        house.ingester.run_once(role)

    thread = RoleThread(ROLE, step, 0.01, house.parts.leases, ttl=LEASE_SECONDS, longest_pause=0.05)
    with caplog.at_level(logging.INFO):
        thread.start()
        wait_until(lambda: len(passes) > 8, timeout=5, what="several tries")
        shown = look_around(house.parts, house.ingester)
        checks = {check.name: check for check in examine(house.parts)}
        house.engine.away = False
        wait_until(lambda: not read_status(house.home).trouble, timeout=5, what="the end of the trouble")
        thread.stop()
    assert (shown.ingestion.trouble, shown.lag.files) == ("The engine is away.", 1)
    assert shown.ingestion.since is not None
    assert not checks["ingestion"].ok
    assert "The engine is away." in checks["ingestion"].text
    assert caplog.text.count("The engine is away.") == 1
    assert "works again" in caplog.text
    assert house.engine.lines == [b"one"]


def test_what_servers_dropped_is_added_up(house: House) -> None:
    for number, dropped in enumerate([3, 0, 4]):
        status = {"dropped": dropped, "dropped_reason": "the disk was full" if dropped else None}
        write(house, "status.json", json.dumps(status), f"d/b/p{number}")
    write(house, "status.json", "{half", "d/b/broken")
    shown = look_around(house.parts, house.ingester).ingestion
    assert (shown.dropped, shown.dropped_reason) == (7, "the disk was full")


def test_who_slept_through_its_lease_stores_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    write(house, "1_a.jsonl", "one\n")
    monkeypatch.setattr(house.parts.leases, "_renew", lambda _: None)  # it slept as well
    role = house.take(ROLE)
    role.renewed_at -= role.ttl + 1
    with pytest.raises(LeaseLost, match="not renewed in time"):
        house.ingester.run_once(role)
    assert house.engine.lines == []
    house.parts.leases.release(role)
    ingest(house)
    assert house.engine.lines == [b"one"]


def test_after_an_error_the_records_are_read_anew(house: House) -> None:
    write(house, "1_a.jsonl", "one\n")
    role = house.take(ROLE)
    house.engine.away = True
    with pytest.raises(EngineUnavailable):
        house.ingester.run_once(role)
    house.engine.away = False
    assert house.ingester.run_once(role) == 4
    assert house.ingester.run_once(role) == 0


def test_the_folder_of_a_server_that_ended_goes_with_its_last_file(house: House) -> None:
    deployment = house.add_deployment()
    build = house.claim(deployment)
    process = house.storage.processes.create(Process(deployment.id, build.id, "127.0.0.1", 1))
    path = write(house, "1_a.jsonl", "", f"d/b/{process.id}/spans")
    status = write(house, "status.json", "{}", f"d/b/{process.id}")
    age(path, 2 * 24 * 3600)
    ingest(house)
    assert (path.exists(), status.exists()) == (False, True)  # it still runs
    house.storage.processes.transition(process.id, ProcessStatus.EXITED, expected=[ProcessStatus.STARTING])
    path.parent.mkdir(exist_ok=True)
    path.touch()
    age(path, 2 * 24 * 3600)
    ingest(house)
    assert [*house.home.telemetry.iterdir()] == []


def test_settled_files_are_looked_at_again_only_when_something_changed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(50):
        age(write(house, f"{number}_a.jsonl", "one\n", f"d/b/p{number % 5}/spans"))
    for folder in house.home.telemetry.rglob("*"):
        age(folder) if folder.is_dir() else None
    age(house.home.telemetry)
    role = house.take(ROLE)
    assert house.ingester.run_once(role) == 200
    assert house.ingester.run_once(role) == 0  # it finds that nothing is left of them
    looks: list[Path] = []
    real = files._find
    monkeypatch.setattr(files, "_find", lambda path: (looks.append(path), real(path))[1])
    house.ingester.run_once(role)
    assert looks == []
    write(house, "new_a.jsonl", "two\n", "d/b/p3/spans")
    assert house.ingester.run_once(role) == 4
    assert {path.parent.parent.name for path in looks} == {"p3"}
    house.parts.leases.release(role)


def test_a_stored_file_that_is_written_over_is_found_by_the_sweep(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(house, "1_a.jsonl", '{"id":"a-1"}\n')
    role = house.take(ROLE)
    house.ingester.run_once(role)
    path.write_bytes(b'{"id":"b-1"}\n{"id":"b-2"}\n')
    monkeypatch.setattr(files, "SWEEP_SECONDS", 0.0)
    assert house.ingester.run_once(role) == 26
    assert house.engine.lines[1:] == [b'{"id":"b-1"}', b'{"id":"b-2"}']
    house.parts.leases.release(role)


def test_the_index_serves_threads_at_once(house: House) -> None:
    for number in range(200):
        write(house, f"{number}_a.jsonl", "one\n", f"d{number % 7}/b/p/spans")
    readers = [threading.Thread(target=house.ingester.measure_lag) for _ in range(4)]
    for reader in readers:
        reader.start()
    ingest(house)
    for reader in readers:
        reader.join(10)
    assert len(house.engine.lines) == 200


def test_a_pass_ends_while_a_server_goes_on_writing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(house, "1_a.jsonl", "first\n")
    insert = house.parts.observability.insert

    def insert_while_more_comes(chunks: Any) -> None:
        insert(chunks)
        assert path.stat().st_size < 600, "it goes on and on"
        with path.open("ab") as file:
            file.write(b"another\n")

    monkeypatch.setattr(house.parts.observability, "insert", insert_while_more_comes)
    assert ingest(house) == len("first\n")
    assert ingest(house) == len("another\n")
