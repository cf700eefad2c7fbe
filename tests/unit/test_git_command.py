"""What git gets to see, and how it is ended."""

from __future__ import annotations

import base64
import os
import time
from pathlib import Path

import pytest
from fixtures.projects import write_files
from fixtures.quick import wait_until

from mastra_admin_sdk.adapters.source.git.command import Deadline, Git, GitFailed, parse_credentials
from mastra_admin_sdk.errors import BuildCancelled, InvalidInput, SourceError, ToolMissing


def make_git(folder: Path, script: str, **environment: str) -> Git:
    """Return a `Git` whose program is a shell script."""
    write_files(folder, {"git": f"#!/bin/sh\n{script}\n"})
    (folder / "git").chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    return Git("/home of mine", {"PATH": path, **environment}, "https://me:s3cr3t%40@host.example/team")


def run(git: Git, seconds: float = 10.0) -> str:
    return git.run(["fetch"], Deadline.after(seconds), what="Fetching").decode()


def test_the_environment_is_made_from_empty(tmp_path: Path) -> None:
    given = {"HOME": "/me", "SSH_AUTH_SOCK": "/agent", "https_proxy": "http://proxy", "GIT_DIR": "/x", "API_KEY": "k"}
    seen = dict(line.split("=", 1) for line in run(make_git(tmp_path, "env", **given)).splitlines())
    assert {key: seen.get(key) for key in given} == {**given, "GIT_DIR": None, "API_KEY": None}
    assert seen["MASTRA_ADMIN_HOME"] == "/home of mine"
    assert seen["GIT_TERMINAL_PROMPT"] == "0"
    assert "ext" not in seen["GIT_ALLOW_PROTOCOL"].split(":")


def test_credentials_go_to_their_host_and_are_no_arguments(tmp_path: Path) -> None:
    output = run(make_git(tmp_path, 'env; echo "arguments: $*"'))
    header = base64.b64encode(b"me:s3cr3t@").decode()
    assert f"GIT_CONFIG_VALUE_0=Authorization: Basic {header}" in output
    assert "GIT_CONFIG_KEY_0=http.https://host.example/team.extraHeader" in output
    assert header not in output.partition("arguments: ")[2]


def test_no_secret_is_in_an_error_or_a_repr(tmp_path: Path) -> None:
    git = make_git(tmp_path, "echo 'fatal: https://me:pw1234@host.example says s3cr3t@ is wrong' >&2; exit 128")
    with pytest.raises(GitFailed) as caught:
        run(git)
    assert str(caught.value) == "https://***@host.example says *** is wrong"
    assert caught.value.exit_code == 128
    assert "s3cr3t" not in repr(git)


def test_hooks_and_monitors_are_switched_off(tmp_path: Path) -> None:
    arguments = run(make_git(tmp_path, 'echo "$*"'))
    assert "-c core.hooksPath=/dev/null" in arguments
    assert "-c core.fsmonitor=false" in arguments


@pytest.mark.parametrize("how", ["time-out", "cancel"])
def test_a_git_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path, how: str) -> None:
    git = make_git(tmp_path, f"sleep 60 & echo $! >> '{tmp_path}/pids'; echo $$ >> '{tmp_path}/pids'; wait")

    def cancel() -> None:
        if how == "cancel" and (tmp_path / "pids").exists():
            raise BuildCancelled("enough")

    started = time.monotonic()
    with pytest.raises(BuildCancelled if how == "cancel" else SourceError, match=r"enough|longer than"):
        git.run(["fetch"], Deadline.after(0.3, cancel), what="Fetching")
    assert time.monotonic() - started < 2
    wait_until(lambda: not any(map(_is_alive, (tmp_path / "pids").read_text().split())), what="their end")


def test_what_git_leaves_running_is_ended_too(tmp_path: Path) -> None:
    git = make_git(tmp_path, f"sleep 60 & echo $! > '{tmp_path}/pids'")
    run(git)
    wait_until(lambda: not _is_alive((tmp_path / "pids").read_text().strip()), what="its end")


def test_without_git_there_is_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "defpath", str(tmp_path))
    with pytest.raises(ToolMissing, match="git"):
        run(Git("/home", {"PATH": str(tmp_path)}))


@pytest.mark.parametrize(
    "text",
    ["t0ken", "https://host", "https://user@host", "ssh://u:p@host", "https://u:p@", "https://[u:p@x"],
    ids=["token", "nobody", "no-token", "ssh", "no-host", "no-url"],
)
def test_credentials_of_another_form_are_refused_without_showing_them(text: str) -> None:
    with pytest.raises(InvalidInput, match="Entry 2") as caught:
        parse_credentials(f"https://a:b@c {text}")
    assert text not in str(caught.value)


def _is_alive(pid: str) -> bool:
    """Return whether a process runs; one that has ended and waits to be reaped doesn't."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
