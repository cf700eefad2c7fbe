"""Deploying from repositories: branch, tag, commit, and what is on record."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fixtures.projects import commit_all, make_repository, run_git
from fixtures.quick import write_source
from fixtures.repositories import Remote, publish

from mastra_admin_sdk.admin import MastraAdmin
from mastra_admin_sdk.errors import InvalidInput, MastraAdminError, SourceError
from mastra_admin_sdk.models import SourceType
from mastra_admin_sdk.services.objects import LiveDeployment


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    """A bare repository with a project that builds at once in the folder ``apps/quick``."""
    (tmp_path / "repositories").mkdir()
    work = tmp_path / "repositories" / "work"
    write_source(work / "apps" / "quick", name="quick-git")
    make_repository(work, "trunk")
    return publish(tmp_path / "repositories", work)


def push(remote: Remote, version: str, branch: str = "trunk") -> str:
    settings = {"apps/quick/settings.json": json.dumps({"version": version})}
    return remote.commit(settings, branch)


def version_of(live: LiveDeployment) -> str:
    return str(live.request("GET", "/").json()["version"])


@pytest.mark.slow
def test_branches_tags_and_commits_are_deployed_and_on_record(admin: MastraAdmin, remote: Remote) -> None:
    first = run_git(remote.work, "rev-parse", "HEAD")
    project = admin.projects.create(admin.teams.create("Search"), source=str(remote.bare), path="apps/quick")
    assert project.source_type is SourceType.GIT
    assert project.default_branch == "trunk"
    assert {key: project.source_config[key] for key in ("url", "path")} == {
        "url": str(remote.bare),
        "path": "apps/quick",
    }

    live = admin.deploy(project)
    record = live.build.record
    assert (version_of(live), record.commit, record.ref) == ("v1", first, "trunk")
    assert any(f"at trunk ({first})" in line.text for line in live.build.logs())

    second = push(remote, "v2")
    live.redeploy()
    assert (version_of(live), live.build.record.commit) == ("v2", second)

    run_git(remote.work, "tag", "old", first)
    remote.push("old")
    admin.deploy(project, ref="old")
    live.refresh()
    record = live.build.record
    assert (version_of(live), record.commit, record.ref, live.branch) == ("v1", first, "old", "trunk")
    live.redeploy(ref=second[:10])
    assert (version_of(live), live.build.record.commit) == ("v2", second)

    third = push(remote, "v3", "feature/x")
    other = admin.deploy(project, branch="feature/x", type="preview")
    assert (version_of(other), other.build.record.commit) == ("v3", third)
    assert version_of(live) == "v2"

    with pytest.raises(SourceError, match="feature/y"):
        admin.deploy(project, branch="feature/y", type="preview")
    live.rollback()
    assert (version_of(live), live.build.record.commit) == ("v1", first)


@pytest.mark.slow
def test_a_folder_is_built_as_it_lies_and_a_repository_as_it_was_committed(admin: MastraAdmin, source: Path) -> None:
    write_source(source, version="committed")
    commit = make_repository(source)
    write_source(source, version="lying there")
    team = admin.teams.create("Search")
    folder = admin.deploy(admin.projects.create(team, source=str(source), name="folder"))
    repository = admin.deploy(admin.projects.create(team, git=str(source), name="repository"))
    assert version_of(folder) == "lying there"
    assert (version_of(repository), repository.build.record.commit) == ("committed", commit)
    moved = admin.projects.relink("folder", git=str(source))
    assert moved.source_type is SourceType.GIT
    folder.redeploy()
    assert version_of(folder) == "committed"


def test_what_a_source_may_be(admin: MastraAdmin, source: Path, tmp_path: Path) -> None:
    team = admin.teams.create("Search")
    make_repository(source)
    assert admin.projects.create(team, source=str(source), name="one").source_type is SourceType.LOCAL
    assert admin.projects.create(team, source="quick-app", name="two").source_type is SourceType.LOCAL
    assert admin.projects.create(team, source=f"file://{source}", name="three").source_type is SourceType.GIT
    found = admin.projects.find_source(git=source)
    assert admin.projects.create(team, git=found, name="four").source_config["url"] == str(source)
    named = admin.projects.create(team, git=f"{source}#main", name="five", submodules=True)
    assert (named.default_branch, named.source_config["submodules"]) == ("main", True)
    for wrong in ({}, {"source": "quick-app", "git": str(source)}, {"source": "quick-app", "path": "apps"}):
        with pytest.raises(InvalidInput):
            admin.projects.create(team, name="wrong", **wrong)  # type: ignore[arg-type]
    with pytest.raises(MastraAdminError, match="nowhere"):
        admin.projects.create(team, git=str(source), path="nowhere", name="wrong")
    with pytest.raises(InvalidInput, match="folder as it lies"):
        admin.deploy("one", ref="v1", wait=False)


def test_a_repository_whose_folders_lie_above_is_no_source(admin: MastraAdmin, tmp_path: Path) -> None:
    team = admin.teams.create("Search")
    write_source(tmp_path / "mono" / "app")
    make_repository(tmp_path / "mono")
    project = admin.projects.create(team, git=str(tmp_path / "mono" / "app"), name="below")
    assert (project.source_config["url"], project.source_config["path"]) == (str(tmp_path / "mono"), "app")
    commit_all(tmp_path / "mono")
