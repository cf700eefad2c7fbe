"""The persistent working folder of a deployment."""

from __future__ import annotations

from pathlib import Path

import pytest

from mastra_admin_sdk.adapters.runner.local.workdir import prepare_workdir


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def make_artifact(path: Path, **files: str) -> Path:
    path.mkdir()
    (path / "node_modules" / "zod").mkdir(parents=True)
    (path / "index.mjs").write_text(path.name)
    (path / "assets").mkdir()
    (path / "assets" / "logo.svg").write_text(path.name)
    for name, text in files.items():
        (path / f"{name}.txt").write_text(text)
    for file in path.rglob("*"):
        if file.is_file():
            file.chmod(0o444)
    return path


def test_what_was_shipped_is_there(tmp_path: Path, data: Path) -> None:
    artifact = make_artifact(tmp_path / "one", prompt="be kind")
    folder = prepare_workdir(data, artifact)
    assert folder == data / "output"
    assert (folder / "index.mjs").resolve() == artifact / "index.mjs"
    assert (folder / "node_modules").resolve() == artifact / "node_modules"
    assert (folder / "prompt.txt").read_text() == "be kind"
    assert (folder / "assets" / "logo.svg").read_text() == "one"


def test_another_artifact_replaces_what_nobody_touched(tmp_path: Path, data: Path) -> None:
    folder = prepare_workdir(data, make_artifact(tmp_path / "one", prompt="be kind", old="old"))
    prepare_workdir(data, make_artifact(tmp_path / "two", prompt="be brief"))
    assert (folder / "index.mjs").read_text() == "two"
    assert (folder / "prompt.txt").read_text() == "be brief"
    assert (folder / "assets" / "logo.svg").read_text() == "two"
    assert not (folder / "old.txt").exists()


def test_what_the_app_wrote_or_changed_stays(tmp_path: Path, data: Path) -> None:
    folder = prepare_workdir(data, make_artifact(tmp_path / "one", prompt="be kind"))
    (folder / "mastra.db").write_text("rows")
    (folder / "assets" / "upload.png").write_text("picture")
    (folder / "prompt.txt").write_text("tuned by the app")
    (data / "mastra.db").write_text("rows of the folder above")
    prepare_workdir(data, make_artifact(tmp_path / "two", prompt="be brief", mastra="no database"))
    prepare_workdir(data, tmp_path / "one")
    assert (folder / "mastra.db").read_text() == "rows"
    assert (folder / "assets" / "upload.png").read_text() == "picture"
    assert (folder / "prompt.txt").read_text() == "tuned by the app"
    assert (data / "mastra.db").read_text() == "rows of the folder above"


def test_a_file_of_the_app_is_not_hidden_by_a_shipped_one_of_that_name(tmp_path: Path, data: Path) -> None:
    folder = prepare_workdir(data, make_artifact(tmp_path / "one"))
    (folder / "notes.txt").write_text("mine")
    prepare_workdir(data, make_artifact(tmp_path / "two", notes="shipped"))
    assert (folder / "notes.txt").read_text() == "mine"
    prepare_workdir(data, tmp_path / "one")
    assert (folder / "notes.txt").read_text() == "mine"


def test_the_app_can_write_to_what_was_shipped_and_the_artifact_stays_as_it_is(tmp_path: Path, data: Path) -> None:
    artifact = make_artifact(tmp_path / "one", seed="seed")
    folder = prepare_workdir(data, artifact)
    with (folder / "seed.txt").open("a") as file:
        file.write(" and more")
    assert (artifact / "seed.txt").read_text() == "seed"


def test_laying_out_twice_changes_nothing(tmp_path: Path, data: Path) -> None:
    artifact = make_artifact(tmp_path / "one", prompt="be kind")
    folder = prepare_workdir(data, artifact)
    before = {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}
    prepare_workdir(data, artifact)
    assert {path: path.lstat().st_mtime_ns for path in folder.rglob("*")} == before


def test_a_lost_manifest_makes_all_files_the_apps_own(tmp_path: Path, data: Path) -> None:
    folder = prepare_workdir(data, make_artifact(tmp_path / "one", prompt="be kind"))
    (data / ".mastra-admin-files.json").write_text("{rubbish")
    prepare_workdir(data, make_artifact(tmp_path / "two", prompt="be brief"))
    assert (folder / "prompt.txt").read_text() == "be kind"
