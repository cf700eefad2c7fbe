"""The files that say where routes lead: a set of targets is in force as a whole, or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mastra_admin_sdk.adapters.router.caddy import targets as module
from mastra_admin_sdk.adapters.router.caddy.entries import SLOTS
from mastra_admin_sdk.adapters.router.caddy.targets import TargetFiles

ONE, TWO, THREE = "127.0.0.1:4101", "127.0.0.1:4102", "[::1]:4103"


@pytest.fixture
def files(tmp_path: Path) -> TargetFiles:
    files = TargetFiles(tmp_path / "targets")
    files.prepare()
    return files


def read_slots(folder: Path, key: str = "route-1") -> list[str]:
    """Return what Caddy reads for each slot."""
    return [(folder / "targets" / key / str(slot)).read_text() for slot in range(SLOTS)]


def test_targets_are_repeated_over_the_slots(files: TargetFiles, tmp_path: Path) -> None:
    files.write("route-1", [ONE, TWO, THREE])
    assert read_slots(tmp_path) == [ONE, TWO, THREE] * 4
    assert files.read("route-1") == (ONE, TWO, THREE)


def test_each_route_has_its_own(files: TargetFiles, tmp_path: Path) -> None:
    files.write("route-1", [ONE])
    files.write("route-10", [TWO])
    files.write("route-1", [THREE])
    assert (files.read("route-1"), files.read("route-10")) == ((THREE,), (TWO,))
    files.remove("route-1")
    assert (files.read("route-1"), files.read("route-10")) == ((), (TWO,))


def test_a_write_that_fails_in_the_middle_leaves_the_targets_before(
    files: TargetFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write("route-1", [ONE])
    write, written = module._write, []

    def fail_in_the_middle(path: Path, text: str) -> None:
        if len(written) == 5:
            raise OSError(28, "No space left on device", str(path))
        written.append(path)
        write(path, text)

    monkeypatch.setattr(module, "_write", fail_in_the_middle)
    with pytest.raises(OSError, match="No space left"):
        files.write("route-1", [TWO])
    assert read_slots(tmp_path) == [ONE] * SLOTS
    assert files.read("route-1") == (ONE,)
    assert len(list((tmp_path / "targets").iterdir())) == 2


def test_what_a_killed_writer_left_is_swept_by_the_next(files: TargetFiles, tmp_path: Path) -> None:
    folder = tmp_path / "targets"
    (folder / "route-1.dead").mkdir()
    (folder / "route-1.dead.link").symlink_to("route-1.dead")
    files.write("route-1", [ONE])
    assert sorted(path.name.split(".")[0] for path in folder.iterdir()) == ["route-1", "route-1"]
    files.prepare()
    assert list(folder.iterdir()) == []


def test_one_reader_never_sees_half_of_a_set(files: TargetFiles, tmp_path: Path, monkeypatch: Any) -> None:
    files.write("route-1", [ONE])
    write, seen = module._write, set()

    def look_meanwhile(path: Path, text: str) -> None:
        seen.add(tuple(read_slots(tmp_path)))
        write(path, text)

    monkeypatch.setattr(module, "_write", look_meanwhile)
    files.write("route-1", [TWO])
    assert seen == {(ONE,) * SLOTS}
    assert read_slots(tmp_path) == [TWO] * SLOTS
