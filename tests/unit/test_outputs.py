"""Files that people get: what they may and may not take the place of."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.services.outputs import write_whole


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / "spans"
    target.write_text("before")
    with write_whole(target) as draft:
        draft.write_text("after")
        assert target.read_text() == "before"
    assert target.read_text() == "after"
    assert os.listdir(tmp_path) == ["spans"]


def test_a_pipe_or_device_is_refused_and_stays(tmp_path: Path) -> None:
    """Replacing is by renaming: for root, who writes to /dev, that would be the end of the device."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "link").symlink_to(pipe)
    for name in ("pipe", "link"):
        with pytest.raises(InvalidInput, match="a device or a pipe"), write_whole(tmp_path / name):
            pass
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert sorted(os.listdir(tmp_path)) == ["link", "pipe"]


@pytest.mark.parametrize("name", ["a\0b", "x" * 300, "\ud800", "circle"])
def test_names_that_no_file_can_have_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    with pytest.raises(InvalidInput, match="can't be written"), write_whole(tmp_path / name):
        pass
