"""Taking an artifact out of a workspace."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from mastra_admin_sdk.adapters.runner.local.artifact import load_artifact, take_output
from mastra_admin_sdk.errors import BuildError
from mastra_admin_sdk.folders import remove_tree


@pytest.fixture
def output(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace" / ".mastra" / "output"
    (folder / "node_modules" / "@org").mkdir(parents=True)
    (folder / "index.mjs").write_text("code")
    return folder


def test_an_output_is_moved_whole_and_can_no_longer_be_written(output: Path, tmp_path: Path) -> None:
    target = tmp_path / "artifacts" / "b1"
    take_output(output, target)
    assert not output.exists()
    assert [path.name for path in target.parent.iterdir()] == ["b1"]
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (target, *target.rglob("*"))]
    assert all(not mode & 0o222 for mode in modes)


def test_packages_that_are_links_into_the_workspace_come_along(output: Path, tmp_path: Path) -> None:
    package = tmp_path / "workspace" / "packages" / "tools"
    package.mkdir(parents=True)
    (package / "index.js").write_text("tools")
    (output / "node_modules" / "@org" / "tools").symlink_to(package)
    (output / "node_modules" / "own").symlink_to("@org")
    target = tmp_path / "artifacts" / "b1"
    take_output(output, target)
    remove_tree(tmp_path / "workspace")
    assert (target / "node_modules/@org/tools/index.js").read_text() == "tools"
    assert (target / "node_modules/own").is_symlink()


def test_what_an_interrupted_build_left_is_replaced(output: Path, tmp_path: Path) -> None:
    left = tmp_path / "artifacts" / "b1.partial"
    left.mkdir(parents=True)
    (left / "half").write_text("half")
    left.chmod(0o500)
    take_output(output, tmp_path / "artifacts" / "b1")
    assert not left.exists()
    assert not (tmp_path / "artifacts" / "b1" / "half").exists()


def test_a_sealed_folder_can_be_removed(output: Path, tmp_path: Path) -> None:
    target = tmp_path / "b1"
    take_output(output, target)
    remove_tree(target)
    remove_tree(target)
    assert not target.exists()


@pytest.mark.parametrize("record", [{}, {"path": "/nowhere"}, {"path": "/nowhere", "strange": 1}])
def test_a_record_that_describes_no_artifact_is_an_error_to_understand(record: dict[str, object]) -> None:
    with pytest.raises(BuildError, match="doesn't describe an artifact"):
        load_artifact(record)
