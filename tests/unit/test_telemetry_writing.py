"""What Python writes into the telemetry files: whole lines, on the disk, through kills, full disks and others."""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import numpy as np
import pytest

from mastra_admin_sdk.errors import ForkedProcess, InvalidInput, NotFound, WriteFailed
from mastra_admin_sdk.ports.storage import ProcessRepository
from mastra_admin_sdk.services.telemetry import linefile
from mastra_admin_sdk.services.telemetry.chunks import read_chunks
from mastra_admin_sdk.services.telemetry.files import list_files
from mastra_admin_sdk.services.telemetry.linefile import close_abandoned, is_being_written
from mastra_admin_sdk.services.telemetry.writers import WriterWatch
from mastra_admin_sdk.services.telemetry.writing import LineOwner, LineType, TelemetryLine, TelemetryWriter

OWNER = LineOwner("project", "deployment", "build", "process")

# Writes one line at a time, and says the id of each when it is on the disk.
CHILD = """
import sys
from pathlib import Path
from mastra_admin_sdk.services.telemetry.writers import WriterWatch
from mastra_admin_sdk.services.telemetry.writing import LineOwner, LineType, TelemetryLine, TelemetryWriter
writer = TelemetryWriter(Path(sys.argv[1]))
for number in range(int(sys.argv[2])):
    line = TelemetryLine(LineType.LOG, None, None, {"message": "x" * 2000}, id=f"{sys.argv[3]}-{number}")
    writer.write(LineOwner("project"), [line])
    print(line.id, flush=True)
"""


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[TelemetryWriter]:
    with TelemetryWriter(tmp_path) as opened:
        yield opened


def make_line(name: str, *, type: LineType = LineType.LOG, **data: Any) -> TelemetryLine:
    return TelemetryLine(type, None, 1_800_000_000_000, {"message": name, **data}, id=name)


def read_ids(root: Path) -> list[str]:
    """Return the ids of all whole lines, as ingestion reads them."""
    pieces = (piece for file in list_files(root) for piece in read_chunks(file, 0))
    return [json.loads(line)["id"] for piece in pieces for line in piece.chunk.body.splitlines()]


def spawn(root: Path, count: int, name: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD, str(root), str(count), name]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_lines_stand_where_their_owner_and_type_belong(tmp_path: Path, writer: TelemetryWriter) -> None:
    span = TelemetryLine(LineType.SPAN, "ended", 5, {"id": "a", "traceId": "b", "name": "Zürich"})
    assert writer.write(OWNER, [span, make_line("one")]) == 2
    spans, logs = sorted(list_files(tmp_path), key=lambda file: file.stream, reverse=True)
    assert (spans.stream, logs.stream) == ("spans", "logs")
    assert spans.path.parent == tmp_path / "deployment" / "build" / "python" / "spans"
    assert not spans.closed
    assert spans.path.stat().st_mode & 0o777 == 0o600
    told = json.loads(spans.path.read_bytes())
    assert told.pop("id").endswith("-1")
    assert told == {
        "type": "span",
        "event": "ended",
        "projectId": "project",
        "deploymentId": "deployment",
        "buildId": "build",
        "processId": "process",
        "timestamp": 5,
        "data": span.data,
    }
    assert '"Zürich"' in spans.path.read_text("utf-8")
    assert "event" not in json.loads(logs.path.read_bytes())


def test_what_has_no_deployment_has_a_folder_too(tmp_path: Path, writer: TelemetryWriter) -> None:
    writer.write(LineOwner("project"), [make_line("one")])
    (file,) = list_files(tmp_path)
    assert file.key.startswith("none/none/python/logs/")
    assert json.loads(file.path.read_bytes())["deploymentId"] is None


@pytest.mark.parametrize("name", ["../../etc", "a/b", "", ".hidden", "x" * 200, "a\nb"])
def test_an_owner_can_not_leave_the_folder(tmp_path: Path, writer: TelemetryWriter, name: str) -> None:
    with pytest.raises(InvalidInput, match="deployment or build"):
        writer.write(LineOwner("project", name), [make_line("one")])
    assert list_files(tmp_path) == []


def test_what_json_can_not_hold_is_still_one_line_of_json(tmp_path: Path, writer: TelemetryWriter) -> None:
    odd = {
        "nan": [math.nan, math.inf],
        "half": "\ud83d",
        "nul": "\0",
        "numpy": np.float64(1.5),
        "time": datetime(2026, 1, 1, tzinfo=UTC),
        "path": Path("/x"),
        "set": {1},
        ("a", 1): np.float32("nan"),
    }
    writer.write(OWNER, [make_line("one", odd=odd)])
    (file,) = list_files(tmp_path)
    found = json.loads(file.path.read_text("utf-8"))["data"]["odd"]
    assert found["nan"] == [None, None]
    assert found["half"] == "?"
    assert found["nul"] == "\0"
    assert found["numpy"] == 1.5
    assert found["time"] == "2026-01-01T00:00:00+00:00"
    assert found["path"] == "/x"
    assert found["set"] == [1]
    assert found["('a', 1)"] is None


def test_a_file_that_is_full_is_closed_and_the_next_one_sorts_behind_it(tmp_path: Path) -> None:
    with TelemetryWriter(tmp_path, file_bytes=2000, clock=lambda: 1.0) as writer:
        for number in range(30):
            writer.write(OWNER, [make_line(f"line-{number}", text="x" * 100)])
        closed = [file.closed for file in list_files(tmp_path)]
        assert len(closed) > 2
        assert closed.count(False) == 1
    assert read_ids(tmp_path) == [f"line-{number}" for number in range(30)]
    assert all(file.closed and file.size <= 2000 for file in list_files(tmp_path))


def test_many_lines_at_once_go_into_several_files_and_a_line_is_never_split(tmp_path: Path) -> None:
    with TelemetryWriter(tmp_path, file_bytes=1000) as writer:
        assert writer.write(OWNER, [make_line(str(number), text="y" * 400) for number in range(10)]) == 10
        writer.write(OWNER, [make_line("long", text="z" * 5000)])
    assert read_ids(tmp_path) == [*map(str, range(10)), "long"]


def test_nothing_is_appended_to_a_file_that_rested_for_an_hour(tmp_path: Path) -> None:
    now = 1000.0
    with TelemetryWriter(tmp_path, clock=lambda: now) as writer:
        writer.write(OWNER, [make_line("one")])
        now += 3700
        writer.write(OWNER, [make_line("two")])
        assert [file.closed for file in list_files(tmp_path)] == [True, False]


def test_only_some_files_are_open_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mastra_admin_sdk.services.telemetry.writing._OPEN_FILES", 4)
    with TelemetryWriter(tmp_path) as writer:
        for number in range(10):
            writer.write(LineOwner("project", f"d{number}"), [make_line(str(number))])
        assert [file.closed for file in list_files(tmp_path)].count(False) == 4
    assert sorted(read_ids(tmp_path)) == sorted(map(str, range(10)))


def test_a_policy_says_what_is_written(tmp_path: Path) -> None:
    with TelemetryWriter(tmp_path, policy=lambda owner, lines: [line for line in lines if line.id != "two"]) as writer:
        assert writer.write(OWNER, [make_line("one"), make_line("two"), make_line("three")]) == 2
    assert read_ids(tmp_path) == ["one", "three"]


def test_threads_share_files_and_syncs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs = 0
    real = os.fsync

    def count(descriptor: int) -> None:
        nonlocal syncs
        syncs += 1
        real(descriptor)

    monkeypatch.setattr(linefile.os, "fsync", count)
    writer = TelemetryWriter(tmp_path, file_bytes=20_000)
    barrier = threading.Barrier(8)

    def work(name: int) -> None:
        barrier.wait()
        for number in range(25):
            writer.write(OWNER, [make_line(f"{name}-{number}", text="x" * 200)])

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close()
    assert sorted(read_ids(tmp_path)) == sorted(f"{name}-{number}" for name in range(8) for number in range(25))
    assert all(file.closed for file in list_files(tmp_path))
    assert syncs < 300


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    children = [spawn(tmp_path, 40, name) for name in ("a", "b")]
    for child in children:
        child.communicate(timeout=30)
        assert child.returncode == 0
    assert sorted(read_ids(tmp_path)) == sorted(f"{name}-{number}" for name in "ab" for number in range(40))
    assert len(list_files(tmp_path)) == 2


def test_what_was_confirmed_survives_a_kill_and_the_next_writer_closes_the_file(tmp_path: Path) -> None:
    with spawn(tmp_path, 100_000, "line") as child:
        assert child.stdout is not None
        confirmed = [child.stdout.readline().strip() for _ in range(20)]
        (file,) = list_files(tmp_path)
        assert is_being_written(file.path)
        assert not close_abandoned(file.path)
        child.send_signal(signal.SIGKILL)
        confirmed += child.stdout.read().split()
    assert not is_being_written(file.path)
    with file.path.open("ab") as torn:
        torn.write(b'{"id":"half')
    with TelemetryWriter(tmp_path) as writer:
        writer.write(OWNER, [make_line("next")])
        dead, alive = list_files(tmp_path)
        assert (dead.closed, alive.closed) == (True, False)
        assert dead.path.read_bytes().endswith(b"\n")
    found = read_ids(tmp_path)
    assert set(confirmed) <= set(found)
    assert len(found) == len(set(found))


def test_a_dead_writer_s_file_without_a_line_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "1_a.jsonl.open"
    path.write_bytes(b'{"id":"half' + b"x" * 100_000)
    assert close_abandoned(path)
    assert list(tmp_path.iterdir()) == []
    assert not close_abandoned(path)
    assert not is_being_written(path)


def test_a_full_disk_tears_nothing_and_later_lines_follow(
    tmp_path: Path, writer: TelemetryWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.write(OWNER, [make_line("one")])
    (file,) = list_files(tmp_path)
    real, room = os.pwrite, 1000

    def write_some(descriptor: int, body: memoryview, position: int) -> int:
        left = room - (position - file.size)
        if left <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, body[:left], position)

    monkeypatch.setattr(linefile.os, "pwrite", write_some)
    with pytest.raises(WriteFailed, match="No space left on device"):
        writer.write(OWNER, [make_line(f"two-{number}", text="x" * 200) for number in range(10)])
    room = 1 << 30
    writer.write(OWNER, [make_line("three")])
    # What stands there as whole lines may have been read already: it stays.
    found = read_ids(tmp_path)
    assert found[0] == "one"
    assert found[-1] == "three"
    assert 0 < len(found) - 2 < 10
    assert len(list_files(tmp_path)) == 1


def test_a_limit_of_the_kernel_is_met_as_a_full_disk(tmp_path: Path) -> None:
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n{CHILD}"
    command = [sys.executable, "-c", limited, str(tmp_path), "100", "line"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert "WriteFailed: Telemetry could not be written" in ended.stderr
    (file,) = list_files(tmp_path)
    assert file.path.read_bytes().endswith(b"\n")
    assert read_ids(tmp_path) == ended.stdout.split()


def test_a_disk_that_fails_to_sync_is_told_and_the_file_is_given_up(
    tmp_path: Path, writer: TelemetryWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.write(OWNER, [make_line("one")])

    def fail(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(linefile.os, "fsync", fail)
        with pytest.raises(WriteFailed, match="Input/output error"):
            writer.write(OWNER, [make_line("two")])
    writer.write(OWNER, [make_line("two")])
    assert len(list_files(tmp_path)) == 2
    assert set(read_ids(tmp_path)) == {"one", "two"}


def test_a_removed_folder_is_made_again_with_the_line_in_it(tmp_path: Path, writer: TelemetryWriter) -> None:
    writer.write(OWNER, [make_line("one")])
    (file,) = list_files(tmp_path)
    file.path.unlink()
    file.path.parent.rmdir()
    file.path.parent.parent.rmdir()
    writer.write(OWNER, [make_line("two")])
    assert read_ids(tmp_path) == ["two"]


def test_a_file_that_was_removed_to_make_room_is_let_go(
    tmp_path: Path, writer: TelemetryWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.write(OWNER, [make_line("one")])
    (file,) = list_files(tmp_path)
    file.path.unlink()

    def fail(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(linefile.os, "pwrite", fail)
        with pytest.raises(WriteFailed):
            writer.write(OWNER, [make_line("two")])
    opened = [os.readlink(entry) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()]
    assert not any(name.startswith(str(tmp_path)) for name in opened)
    writer.write(OWNER, [make_line("two")])
    assert read_ids(tmp_path) == ["two"]


def test_a_folder_that_can_not_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with TelemetryWriter(tmp_path / "file") as writer, pytest.raises(WriteFailed, match=r"Not a directory|File exists"):
        writer.write(OWNER, [make_line("one")])


def test_a_closed_writer_can_write_again(tmp_path: Path) -> None:
    writer = TelemetryWriter(tmp_path)
    for name in ("one", "two"):
        writer.write(OWNER, [make_line(name)])
        writer.close()
        writer.close()
    assert read_ids(tmp_path) == ["one", "two"]
    assert not any(file.path.name.endswith(".open") for file in list_files(tmp_path))


def test_a_writer_is_not_used_after_a_fork(
    tmp_path: Path, writer: TelemetryWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.write(OWNER, [make_line("one")])
    monkeypatch.setattr(writer, "_pid", -1)
    with pytest.raises(ForkedProcess):
        writer.write(OWNER, [make_line("two")])
    writer.close()
    assert [file.closed for file in list_files(tmp_path)] == [False]


@pytest.mark.parametrize("lives", [True, False], ids=["its-writer-lives", "its-writer-is-gone"])
def test_an_open_file_is_somebody_s_while_its_lock_is_held(tmp_path: Path, lives: bool) -> None:
    processes = create_autospec(ProcessRepository, instance=True)
    processes.get.side_effect = NotFound("There is no such process.")
    writer = TelemetryWriter(tmp_path)
    writer.write(OWNER, [make_line("one")])
    (file,) = list_files(tmp_path)
    if not lives:
        copy = tmp_path / "copy" / file.key
        copy.parent.mkdir(parents=True)
        file = replace(file, path=shutil.copy(file.path, copy))
    assert WriterWatch(processes).has_ended(file, if_unknown=True) is not lives
    writer.close()


@pytest.mark.parametrize(
    ("value", "found"),
    [
        pytest.param("x" * 300_000, f"{'x' * 262_144}… [37856 characters cut]", id="text"),
        pytest.param([1] * 200_000, [*[1] * 10_000, "[190000 more cut]"], id="list"),
    ],
)
def test_what_is_too_long_is_cut_with_a_mark(tmp_path: Path, writer: TelemetryWriter, value: Any, found: Any) -> None:
    writer.write(OWNER, [make_line("one", value=value)])
    (file,) = list_files(tmp_path)
    assert json.loads(file.path.read_bytes())["data"]["value"] == found


def test_a_line_that_is_too_long_loses_what_went_in_and_came_out(tmp_path: Path, writer: TelemetryWriter) -> None:
    data = {"input": ["i" * 250_000] * 5, "attributes": {"list": ["a" * 250_000] * 2}, "isRootSpan": True, "id": "a"}
    writer.write(OWNER, [TelemetryLine(LineType.SPAN, "ended", 1, data)])
    (file,) = list_files(tmp_path)
    assert file.size < 1_100_000
    told = json.loads(file.path.read_bytes())["data"]
    assert told["attributes"] == data["attributes"]
    assert told["isRootSpan"] is True
    assert told["input"][-1] == "[3 more cut]"


def test_what_is_nested_without_end_is_cut(tmp_path: Path, writer: TelemetryWriter) -> None:
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"in": deep}
    circle: list[Any] = []
    circle.append(circle)
    writer.write(OWNER, [make_line("one", deep=deep), make_line("two", circle=circle)])
    (file,) = list_files(tmp_path)
    assert file.path.read_text().count("[cut: nested too deep]") == 2
    while deep:  # so that it isn't freed in one recursion
        deep = deep.pop("in")
