"""Asks git about a work tree without letting the repository run anything.

A repository's own configuration can name programs (a file system monitor, hooks, content filters, transports). The
folder may be a stranger's and was only looked at, so none of them may start.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_HARMLESS = (
    "--no-optional-locks",
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "safe.bareRepository=explicit"),
)
_STATUS = (
    *("status", "--porcelain=v2", "--branch", "--no-ahead-behind", "--untracked-files=normal"),
    *("--ignore-submodules=dirty", "--no-renames", "-z", "--", "."),
)
_COMMIT = ("rev-parse", "--verify", "--quiet", "HEAD")
_BRANCH = ("symbolic-ref", "--short", "--quiet", "HEAD")
_FILTERS = (
    "config",
    "--show-scope",
    "--includes",
    "--name-only",
    "-z",
    "--get-regexp",
    r"^filter\..*\.(clean|process)$",
)
_NOT_FOUND = 1


@dataclass(frozen=True, slots=True)
class GitState:
    """Branch, commit and whether files differ from it; ``None`` for what there isn't or what can't be told."""

    branch: str | None = None
    commit: str | None = None
    dirty: bool | None = None


def read_git_state(path: str, environment: Mapping[str, str] | None = None, timeout: float = 5.0) -> GitState:
    """Return the state of the git work tree around a folder; an empty one without git, repository or answer in time.

    Parameters:
        path: a folder; ``dirty`` is about what is in it, not about the rest of its repository.
        environment: variables that git gets besides its own.
        timeout: seconds that each call may take.
    """
    program = shutil.which("git")
    if program is None or not _is_in_work_tree(path):
        return GitState()
    call = _Call(program, path, {**_build_environment(program), **(environment or {})}, timeout)
    # A content filter of the repository would run on every file that has to be compared: then nothing is compared.
    status = None if _names_filters(call) else call.run(_STATUS)
    if status is None:
        return GitState(_clean(call.run(_BRANCH)), _clean(call.run(_COMMIT)), None)
    return _parse_status(status)


@dataclass(frozen=True, slots=True)
class _Call:
    program: str
    folder: str
    environment: Mapping[str, str]
    timeout: float

    def run(self, arguments: Sequence[str], accept: Sequence[int] = (0,)) -> bytes | None:
        try:
            process = subprocess.Popen(
                [self.program, *_HARMLESS, *arguments],
                cwd=self.folder,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError:
            return None  # the folder went away, or git can't start: as good as no git
        with process:
            try:
                output, _ = process.communicate(timeout=self.timeout)
            except BaseException as exc:
                os.killpg(process.pid, signal.SIGKILL)
                if not isinstance(exc, subprocess.TimeoutExpired):
                    raise
                return None
        return output if process.returncode in accept else None


def _is_in_work_tree(path: str) -> bool:
    while not os.path.lexists(os.path.join(path, ".git")):
        parent = os.path.dirname(path)
        if parent == path:
            return False
        path = parent
    return True


def _build_environment(program: str) -> dict[str, str]:
    return {
        "PATH": os.pathsep.join([os.path.dirname(program), os.defpath]),
        "HOME": os.path.expanduser("~"),
        "LC_ALL": "C",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_ALLOW_PROTOCOL": "none",
    }


def _names_filters(call: _Call) -> bool:
    output = call.run(_FILTERS, accept=(0, _NOT_FOUND))
    if output is None:
        return True
    scopes = output.split(b"\0")[::2]
    return any(scope in (b"local", b"worktree") for scope in scopes)


def _clean(output: bytes | None) -> str | None:
    return (output or b"").decode("utf-8", "backslashreplace").strip() or None


def _parse_status(output: bytes) -> GitState:
    fields = [_clean(field) or "" for field in output.split(b"\0")]
    headers = dict(field[2:].split(" ", 1) for field in fields if field.startswith("# "))
    branch, commit = headers.get("branch.head"), headers.get("branch.oid")
    return GitState(
        branch=None if branch == "(detached)" else branch,
        commit=None if commit == "(initial)" else commit,
        dirty=any(field and not field.startswith("# ") for field in fields),
    )
