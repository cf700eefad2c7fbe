"""The home folder: private, checked, never on a network file system."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from mastra_admin_sdk.errors import HomeError
from mastra_admin_sdk.home import FORMAT_VERSION, file_system_of, open_home


def test_a_new_home_is_private_and_has_its_format(tmp_path: Path) -> None:
    home = open_home(tmp_path / "a b" / "home")
    assert stat.S_IMODE(home.path.stat().st_mode) == 0o700
    assert (home.path / "format").read_text() == f"{FORMAT_VERSION}\n"
    assert home.run.is_dir()


def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    open_home(tmp_path)
    before = sorted(str(path) for path in tmp_path.rglob("*"))
    open_home(tmp_path)
    assert sorted(str(path) for path in tmp_path.rglob("*")) == before


def test_a_home_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "format").write_text("999")
    with pytest.raises(HomeError, match="Upgrade"):
        open_home(tmp_path)


def test_a_home_that_is_a_file_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HomeError, match="MASTRA_ADMIN_HOME"):
        open_home(tmp_path / "file")


def test_a_home_on_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A network mount can't be made here; what /proc/self/mounts says stands in for it.
    monkeypatch.setattr("mastra_admin_sdk.home.file_system_of", lambda _: "nfs4")
    with pytest.raises(HomeError, match="nfs4"):
        open_home(tmp_path)


def test_the_file_system_of_proc_is_told() -> None:
    assert file_system_of(Path("/proc/self")) == "proc"


def test_paths_stay_inside_the_home(tmp_path: Path) -> None:
    home = open_home(tmp_path)
    names = [name for name in dir(type(home)) if isinstance(getattr(type(home), name), property)]
    assert names
    for name in names:
        assert os.path.commonpath([home.path, getattr(home, name)]) == str(home.path), name


def test_a_home_that_cannot_be_made_is_refused_with_what_to_do() -> None:
    with pytest.raises(HomeError, match="MASTRA_ADMIN_HOME"):
        open_home("/proc/nobody-can-write-here")


@pytest.mark.parametrize("kind", ["shared", "of-the-user", "root"])
def test_a_folder_that_others_need_is_refused_and_left_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    folder = Path("/") if kind == "root" else tmp_path
    if kind == "shared":
        folder.chmod(0o1777)
    if kind == "of-the-user":
        folder.chmod(0o755)
        monkeypatch.setenv("HOME", str(folder))
    mode = folder.stat().st_mode
    with pytest.raises(HomeError, match="can't be a home"):
        open_home(folder)
    assert folder.stat().st_mode == mode
