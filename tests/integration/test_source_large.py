"""A project of 100,000 files, with links that lead in circles: watched cheaply, copied, and cancelled at once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fixtures.projects import make_repository, write_project

from mastra_admin_sdk.adapters.source.git import GitProjectSource
from mastra_admin_sdk.adapters.source.local import LocalProjectSource
from mastra_admin_sdk.errors import BuildCancelled
from mastra_admin_sdk.home import open_home

FOLDERS, FILES = 400, 250


def write_large(folder: Path, folders: int) -> Path:
    """Write a project; the files of a folder are links to one, which is quicker to make and the same to read."""
    project = write_project(folder, "project")
    for number in range(folders):
        below = project / str(number)
        below.mkdir()
        (below / "0.ts").write_text(f"export const x = {number}\n" * 10)
        for name in range(1, FILES):
            os.link(below / "0.ts", below / f"{name}.ts")
        (below / "up").symlink_to("..")
        (below / "next").symlink_to(f"../{(number + 1) % folders}/next")
    return project


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_large(tmp_path_factory.mktemp("large"), FOLDERS)


class Cancelling:
    """A check that notes for how long it isn't asked, and raises once a part of the work is done."""

    def __init__(self, is_far: Callable[[], bool] = lambda: False) -> None:
        self.is_far = is_far
        self.asked = 0
        self.last = time.monotonic()
        self.longest_pause = 0.0

    def __call__(self) -> None:
        now = time.monotonic()
        self.longest_pause, self.last = max(self.longest_pause, now - self.last), now
        self.asked += 1
        if self.is_far():
            raise BuildCancelled("enough")


@pytest.mark.slow
def test_its_revision_takes_less_than_a_second(large: Path) -> None:
    source, config = LocalProjectSource(large), {"path": str(large)}
    started = time.process_time()
    first = source.read_revision(config, None)
    # CPU seconds, as other tests run at the same time.
    assert time.process_time() - started < 1
    os.utime(large / "399" / "249.ts", (1, 1))
    assert source.read_revision(config, None) != first


@pytest.mark.slow
def test_a_copy_of_it_is_complete_and_can_be_cancelled_at_any_moment(large: Path, tmp_path: Path) -> None:
    cancel = Cancelling()
    copy = LocalProjectSource(large).fetch({"path": str(large)}, None, tmp_path / "copy", cancel)
    assert cancel.longest_pause < 1
    assert copy.files == FOLDERS * FILES + 1
    assert {item.reason for item in copy.skipped} == {"a symbolic link that leads back to itself"}
    assert len(copy.skipped) == FOLDERS
    assert os.readlink(copy.path / "7" / "up") == ".."


@pytest.mark.slow
def test_nothing_is_left_of_a_copy_that_was_cancelled(large: Path, tmp_path: Path) -> None:
    cancel = Cancelling(lambda: cancel.asked > FOLDERS * FILES / 2)
    with pytest.raises(BuildCancelled):
        LocalProjectSource(large).fetch({"path": str(large)}, None, tmp_path / "copy", cancel)
    assert not (tmp_path / "copy").exists()


@pytest.mark.slow
def test_a_large_commit_is_the_same_and_can_be_cancelled_at_any_moment(tmp_path: Path) -> None:
    project = write_large(tmp_path, 100)
    make_repository(project)
    source = GitProjectSource(open_home(tmp_path / "home"), environment=os.environ)
    config, cancel = {"url": str(project), "path": ""}, Cancelling()
    copy = source.fetch(config, "main", tmp_path / "whole", cancel)
    assert copy.hash == LocalProjectSource(tmp_path).fetch({"path": str(project)}, None, tmp_path / "local").hash
    assert cancel.longest_pause < 1
    tree = tmp_path / "copy" / ".git" / "tree"
    cancel = Cancelling(lambda: tree.exists() and len(os.listdir(tree)) > 50)
    with pytest.raises(BuildCancelled):
        source.fetch(config, "main", tmp_path / "copy", cancel)
    assert not (tmp_path / "copy").exists()
