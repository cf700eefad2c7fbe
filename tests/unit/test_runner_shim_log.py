"""The log of a server when the disk gives trouble."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mastra_admin_sdk.adapters.runner.local import shim_log
from mastra_admin_sdk.adapters.runner.local.shim_log import ShimLog
from mastra_admin_sdk.linelog import LineLog, read_lines


def read(path: Path) -> list[str]:
    return [line.text for line in read_lines(path)]


def test_lines_are_redacted_also_in_the_tail(tmp_path: Path) -> None:
    log = ShimLog(str(tmp_path / "server.log"), ["s3cret"], 0, 5)
    log.write("key=s3cret", "out")
    log.write("we say so", "info")
    assert read(tmp_path / "server.log") == ["key=***", "we say so"]
    assert log.tail(10) == ["key=***"]
    log.close()


def test_a_disk_that_refuses_costs_lines_that_are_counted_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "server.log"
    log = ShimLog(str(path), [], 0, 5)
    with monkeypatch.context() as full:
        full.setattr(LineLog, "write", refuse)
        for number in range(3):
            log.write(f"line {number}", "out")
    monkeypatch.setattr(shim_log, "_RETRY_SECONDS", 0.0)
    log._retry_at = 0.0
    log.write("works again", "out")
    assert read(path) == ["3 lines were lost: the log could not be written.", "works again"]
    assert log.tail(2) == ["line 2", "works again"]
    log.close()


def test_a_folder_that_was_removed_is_made_again_at_the_next_rotation(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "server.log"
    log = ShimLog(str(path), [], 200, 2)
    log.write("before", "out")
    shutil.rmtree(path.parent)
    log._retry_at = 0.0
    for number in range(12):
        log.write(f"after {number}", "out")
        log._retry_at = 0.0
    assert read(path)[-1] == "after 11"
    log.close()


def refuse(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")
