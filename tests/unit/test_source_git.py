"""What is read from a git work tree, and what a hostile one must not get to run."""

from __future__ import annotations

import stat
import time
from pathlib import Path

import pytest
from fixtures.projects import make_repository, run_git, write_files

from mastra_admin_sdk.adapters.source.local import git
from mastra_admin_sdk.adapters.source.local.git import GitState, read_git_state


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "work tree"
    write_files(folder, {"agent/index.ts": "1", "other/index.ts": "1", ".gitignore": "ignored\n"})
    return folder


def test_branch_commit_and_clean(repository: Path) -> None:
    commit = make_repository(repository, "feature/x")
    assert read_git_state(str(repository)) == GitState("feature/x", commit, False)


@pytest.mark.parametrize("name", ["agent/index.ts", "agent/new.ts"], ids=["changed", "untracked"])
def test_dirty_is_about_the_folder_itself(repository: Path, name: str) -> None:
    make_repository(repository)
    write_files(repository, {name: "22"})
    assert read_git_state(str(repository / "agent")).dirty is True
    assert read_git_state(str(repository / "other")).dirty is False


def test_ignored_files_are_not_dirt(repository: Path) -> None:
    make_repository(repository)
    write_files(repository, {"ignored": ""})
    assert read_git_state(str(repository)).dirty is False


def test_a_detached_head_has_no_branch(repository: Path) -> None:
    commit = make_repository(repository)
    run_git(repository, "checkout", "--quiet", "--detach")
    assert read_git_state(str(repository)) == GitState(None, commit, False)


def test_a_repository_without_commits_has_none(repository: Path) -> None:
    run_git(repository, "init", "--quiet", "--initial-branch=main")
    assert read_git_state(str(repository)) == GitState("main", None, True)


def test_without_a_repository_there_is_nothing(tmp_path: Path) -> None:
    assert read_git_state(str(tmp_path)) == GitState()


def test_a_broken_repository_is_nothing(tmp_path: Path) -> None:
    write_files(tmp_path, {".git": "gitdir: /nowhere"})
    assert read_git_state(str(tmp_path)) == GitState()


def test_without_git_there_is_nothing(repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    make_repository(repository)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert read_git_state(str(repository)) == GitState()


def test_a_git_that_hangs_is_ended(repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    make_repository(repository)
    program = tmp_path / "bin" / "git"
    write_files(program.parent, {"git": '#!/bin/sh\necho $$ >> "$(dirname "$0")/pids"\nsleep 60 &\nwait\n'})
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    started = time.monotonic()
    assert read_git_state(str(repository), timeout=0.1) == GitState()
    assert time.monotonic() - started < 5
    groups = (program.parent / "pids").read_text().split()
    assert groups
    assert not any(_is_group_alive(group) for group in groups)


def test_an_inherited_git_environment_does_not_mislead(
    repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    commit = make_repository(repository)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert read_git_state(str(repository)).commit == commit


@pytest.mark.parametrize("setting", ["core.fsmonitor", "filter.evil.clean", "filter.evil.process", "core.sshCommand"])
def test_a_repository_gets_nothing_to_run(repository: Path, tmp_path: Path, setting: str) -> None:
    evidence, program = tmp_path / "ran", tmp_path / "evil"
    write_files(tmp_path, {"evil": f"#!/bin/sh\ntouch '{evidence}'\ncat\n"})
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    commit = make_repository(repository)
    write_files(
        repository, {".git/hooks/post-index-change": program.read_text(), ".git/info/attributes": "* filter=evil"}
    )
    (repository / ".git/hooks/post-index-change").chmod(0o755)
    run_git(repository, "config", setting, str(program))
    write_files(repository, {"agent/index.ts": "2"})
    state = read_git_state(str(repository))
    assert not evidence.exists()
    assert (state.branch, state.commit) == ("main", commit)
    assert state.dirty is (None if setting.startswith("filter") else True)


def test_a_filter_of_the_user_is_trusted(repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    make_repository(repository)
    write_files(tmp_path / "me", {".gitconfig": '[filter "lfs"]\n\tclean = cat\n'})
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    assert read_git_state(str(repository)).dirty is False


def test_a_bare_repository_in_disguise_is_not_entered(tmp_path: Path, repository: Path) -> None:
    make_repository(repository)
    bare = repository / "agent" / "bare"
    run_git(repository, "init", "--quiet", "--bare", str(bare))
    program = tmp_path / "evil"
    write_files(tmp_path, {"evil": f"#!/bin/sh\ntouch '{tmp_path}/ran'\n"})
    program.chmod(0o755)
    for setting, value in (("core.bare", "false"), ("core.worktree", ".."), ("core.sshCommand", str(program))):
        run_git(bare, "config", setting, value)
    run_git(bare, "config", "core.fsmonitor", str(program))
    assert read_git_state(str(bare)).commit is None
    assert not (tmp_path / "ran").exists()


def test_extra_variables_reach_git(repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    make_repository(repository)
    program = tmp_path / "git"
    write_files(tmp_path, {"git": f"#!/bin/sh\nenv > '{tmp_path}/seen'\nexit 3\n"})
    program.chmod(0o755)
    monkeypatch.setattr(git.shutil, "which", lambda name: str(program))
    read_git_state(str(repository), {"MASTRA_ADMIN_HOME": "/home of mine"})
    seen = (tmp_path / "seen").read_text().splitlines()
    assert "MASTRA_ADMIN_HOME=/home of mine" in seen
    assert "GIT_TERMINAL_PROMPT=0" in seen


def _is_group_alive(group: str) -> bool:
    """Return whether a process of the group runs; those that ended and wait for init to notice don't count."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[2] == group and fields[0] not in "ZX":
            return True
    return False
