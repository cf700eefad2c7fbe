"""Ingestion: what the files hold is stored once and only once, through renames, kills and other processes."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from fixtures.house import House

from mastra_admin_sdk.errors import EngineUnavailable, LeaseLost
from mastra_admin_sdk.models import Offset, Process, ProcessStatus, utc_now
from mastra_admin_sdk.ports.observability import Chunk, Stream
from mastra_admin_sdk.services.telemetry import batches, chunks, ingestion
from mastra_admin_sdk.services.telemetry import files as files_module
from mastra_admin_sdk.services.telemetry.files import TelemetryFile


def write(house: House, name: str, text: str, folder: str = "d/b/p/spans") -> Path:
    path = house.home.telemetry / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(text)
    return path


def ingest(house: House) -> int:
    role = house.take("ingester")
    try:
        return house.ingester.run_once(role)
    finally:
        house.parts.leases.release(role)


def make_old(house: House, path: Path) -> None:
    """Let a file and what is known of it be two days old."""
    then = time.time() - 2 * 24 * 3600
    os.utime(path, (then, then))
    for key, offset in list(house.storage.offsets._offsets.items()):
        moved = utc_now() - timedelta(days=2)
        house.storage.offsets._offsets[key] = Offset(
            offset.path, offset.position, offset.inode, offset.done, updated_at=moved
        )


def test_lines_are_stored_once_and_a_rename_changes_nothing(house: House) -> None:
    path = write(house, "1_a.jsonl.open", "one\ntwo\nthr")
    assert ingest(house) == 8
    with path.open("a") as file:
        file.write("ee\n")
    path.rename(path.with_suffix(""))
    assert ingest(house) == 6
    assert ingest(house) == 0
    assert house.engine.lines == [b"one", b"two", b"three"]
    (offset,) = house.storage.offsets.list()
    assert (offset.position, offset.done) == (14, True)


@pytest.mark.parametrize("moment", ["before-it-is-looked-at", "before-it-is-opened"])
def test_a_file_that_is_closed_while_it_is_looked_for_is_read_at_once(
    house: House, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    path = write(house, "1_a.jsonl.open", "one\n")
    module, name = (files_module, "_find") if moment == "before-it-is-looked-at" else (chunks, "_open")
    real = getattr(module, name)

    def close_first(found: object) -> object:
        if path.exists():
            path.rename(path.with_suffix(""))
        return real(found)

    monkeypatch.setattr(module, name, close_first)
    house.ingester.catch_up()
    assert house.engine.lines == [b"one"]


def test_a_listing_that_holds_both_names_of_a_file_reads_it_once(house: House) -> None:
    path = write(house, "1_a.jsonl.open", "one\n")
    os.link(path, path.with_suffix(""))
    ingest(house)
    assert house.engine.lines == [b"one"]


def test_one_file_that_cannot_be_read_does_not_keep_the_others(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = write(house, "1_a.jsonl", "one\n")
    write(house, "2_b.jsonl", "two\n")
    write(house, "3_c.jsonl/x", "a folder")
    real = chunks._open

    def refuse(file: TelemetryFile) -> object:
        if file.path == broken:
            raise PermissionError(13, "Permission denied", str(file.path))
        return real(file)

    monkeypatch.setattr(chunks, "_open", refuse)
    with caplog.at_level(logging.WARNING):
        house.ingester.catch_up()
        ingest(house)
    assert house.engine.lines == [b"two"]
    assert caplog.text.count("can't be read") == 1
    make_old(house, broken)
    ingest(house)
    assert broken.exists()


def test_the_unfinished_line_of_a_closed_file_is_handed_over_as_it_is(house: House) -> None:
    path = write(house, "1_a.jsonl", 'one\n{"torn')
    house.ingester.catch_up()
    assert house.engine.lines == [b"one"]  # it may be a copy that is still under way
    make_old(house, path)
    house.ingester.catch_up()
    assert house.engine.lines == [b"one", b'{"torn']
    assert ingest(house) == 0


def test_the_unfinished_line_of_a_live_writer_waits_and_that_of_a_dead_one_does_not(house: House) -> None:
    deployment = house.add_deployment()
    build = house.claim(deployment)
    process = house.storage.processes.create(Process(deployment.id, build.id, "127.0.0.1", 1))
    write(house, "1_a.jsonl.open", "torn", f"d/b/{process.id}/spans")
    assert ingest(house) == 0
    house.storage.processes.transition(process.id, ProcessStatus.EXITED, expected=[ProcessStatus.STARTING])
    assert ingest(house) == 5
    assert ingest(house) == 0
    assert house.engine.lines == [b"torn"]


def test_an_engine_that_is_away_loses_nothing(house: House) -> None:
    write(house, "1_a.jsonl", "one\n")
    house.engine.away = True
    with pytest.raises(EngineUnavailable):
        ingest(house)
    with pytest.raises(EngineUnavailable):
        house.ingester.catch_up()
    assert house.storage.offsets.list() == []
    house.engine.away = False
    house.ingester.catch_up()
    assert house.engine.lines == [b"one"]


def test_an_offset_is_never_saved_by_one_who_lost_the_role(house: House) -> None:
    write(house, "1_a.jsonl", "one\n")
    role = house.take("ingester")

    def take_over(_: Sequence[Chunk]) -> None:
        house.storage.leases.acquire("ingester", "thief", 60, replace_generation=role.current.generation)

    house.engine.before_insert = take_over
    with pytest.raises(LeaseLost):
        house.ingester.run_once(role)
    assert house.storage.offsets.list() == []


def test_a_read_waits_for_the_process_that_ingests(house: House) -> None:
    write(house, "1_a.jsonl", "one\n")
    role = house.take("ingester")
    reader = threading.Thread(target=house.ingester.catch_up)
    reader.start()
    try:
        assert reader.is_alive()
        house.ingester.run_once(role)
        reader.join(timeout=3)
        assert not reader.is_alive()
    finally:
        house.parts.leases.release(role)
        reader.join()
    assert house.engine.lines == [b"one"]


def test_a_read_does_not_wait_for_ever(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingestion, "_FRESH_TIMEOUT", 0.1)
    write(house, "1_a.jsonl", "one\n")
    house.take("ingester")
    house.ingester.catch_up()
    assert house.engine.lines == []
    lag = house.ingester.measure_lag()
    assert (lag.files, lag.bytes) == (1, 4)


def test_a_read_with_nothing_new_asks_nobody(house: House) -> None:
    house.engine.away = True
    house.ingester.catch_up()
    assert house.ingester.measure_lag().files == 0


def test_a_long_pass_ends_between_batches_when_asked(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "BATCH_BYTES", 4)
    for number in range(3):
        write(house, f"{number}_a.jsonl", "one\n")
    role = house.take("ingester")
    assert house.ingester.run_once(role, stopping=lambda: True) == 4
    assert house.ingester.run_once(role) == 8
    assert house.engine.lines == [b"one"] * 3


def test_both_streams_come_with_their_kind_and_place(house: House) -> None:
    write(house, "1_a.jsonl", "span\n")
    write(house, "1_b.jsonl", "log\n", "d/b/p/logs")
    ingest(house)
    assert [(chunk.stream, chunk.path, chunk.position) for chunk in house.engine.chunks] == [
        (Stream.SPANS, "d/b/p/spans/1_a.jsonl", 0),
        (Stream.LOGS, "d/b/p/logs/1_b.jsonl", 0),
    ]


@pytest.mark.parametrize("text", ["one\n", ""], ids=["stored", "empty"])
def test_a_file_is_removed_a_day_after_it_was_stored(house: House, text: str) -> None:
    path = write(house, "1_a.jsonl", text)
    ingest(house)
    assert path.exists()
    make_old(house, path)
    ingest(house)
    assert list(house.home.telemetry.iterdir()) == []
    assert house.storage.offsets.list() == []


def test_what_was_not_stored_is_never_removed(house: House) -> None:
    path = write(house, "1_a.jsonl", "one\n")
    make_old(house, path)
    house.engine.away = True
    with pytest.raises(EngineUnavailable):
        ingest(house)
    assert path.exists()


def test_a_file_whose_server_lives_is_kept(house: House) -> None:
    deployment = house.add_deployment()
    build = house.claim(deployment)
    process = house.storage.processes.create(Process(deployment.id, build.id, "127.0.0.1", 1))
    path = write(house, "1_a.jsonl.open", "one\n", f"d/b/{process.id}/spans")
    ingest(house)
    make_old(house, path)
    ingest(house)
    assert path.exists()
