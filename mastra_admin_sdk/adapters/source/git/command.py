"""Runs git: never asks anybody anything, never runs what a repository names, and can always be ended."""

from __future__ import annotations

import base64
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

from mastra_admin_sdk.errors import InvalidInput, SourceError, ToolMissing
from mastra_admin_sdk.ports.checks import CancelCheck, never_cancelled
from mastra_admin_sdk.redaction import Redactor

from .addresses import LOCAL_PROTOCOLS, redact

_GUARD = str(Path(__file__).with_name("guard.py"))
_REACHING_OUT = frozenset({"fetch", "ls-remote"})
_POLL_SECONDS = 0.05
_MOST_OUTPUT = 512 * 1024 * 1024
_TAIL_BYTES = 16 * 1024
_PASSED = frozenset(
    {
        *("HOME", "XDG_CONFIG_HOME", "SSH_AUTH_SOCK", "GIT_SSH", "GIT_SSH_COMMAND"),
        *("http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH"),
    }
)
_CONFIG = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.autocrlf": "false",
    "core.quotePath": "false",
    "gc.autoDetach": "false",
    "maintenance.autoDetach": "false",
    "fetch.writeCommitGraph": "false",
    "advice.detachedHead": "false",
    # A transfer that stands still for a minute is over; the time-out of the whole is longer.
    "http.lowSpeedLimit": "1",
    "http.lowSpeedTime": "60",
}


class GitFailed(Exception):
    """Raised when a git command fails; its text is what git said, redacted."""

    def __init__(self, command: str, exit_code: int, output: str) -> None:
        lines = [line for line in output.splitlines() if line.strip()]
        said = [line for line in lines if line.startswith(("fatal:", "error:"))]
        super().__init__((said or lines or [f"exit code {exit_code}"])[-1].removeprefix("fatal: "))
        self.command = command
        self.exit_code = exit_code
        self.lines = lines[-20:]


@dataclass(frozen=True, slots=True)
class Deadline:
    """When whatever is under way has to be over, and who may end it earlier."""

    at: float
    seconds: float
    cancel: CancelCheck = never_cancelled

    @classmethod
    def after(cls, seconds: float, cancel: CancelCheck = never_cancelled) -> Deadline:
        """Return one that many seconds from now."""
        return cls(time.monotonic() + seconds, seconds, cancel)

    def check(self, what: str) -> None:
        """Raise what the cancel raises, or `SourceError` when the time is over."""
        self.cancel()
        if time.monotonic() > self.at:
            raise SourceError(
                f"{what} was ended: it took longer than {self.seconds:g} s.",
                hint="Try again; raise MASTRA_ADMIN_COPY_TIMEOUT if the repository is only large.",
            )


@dataclass(frozen=True, slots=True)
class Git:
    """The git program with the environment it gets.

    ``environment`` is what a person's own git would have; the little that git needs is picked out of it.
    ``credentials`` are URLs such as ``https://user:token@host``, separated by blanks: git sends user and token to that
    host, and nobody sees them, as they are neither arguments nor stored.
    """

    home: str
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    credentials: str = field(default="", repr=False)

    def run(
        self,
        arguments: Sequence[str],
        deadline: Deadline,
        *,
        what: str,
        git_dir: str | None = None,
        work_tree: str | None = None,
        index: str | None = None,
        feed: bytes = b"",
        protocols: str = LOCAL_PROTOCOLS,
    ) -> bytes:
        """Run a command to its end and return what it printed.

        However this ends, the command and what it started are gone.

        Parameters:
            arguments: of git.
            deadline: when it is ended.
            what: what it does, for the error when it takes too long.
            git_dir, work_tree, index: where it works.
            feed: what it reads.
            protocols: how it may reach other repositories.

        Raises:
            GitFailed: it exited with an error.
            SourceError: it took too long.
            ToolMissing: there is no git.
        """
        places = {"GIT_DIR": git_dir, "GIT_WORK_TREE": work_tree, "GIT_INDEX_FILE": index}
        env = {**self._make_environment(protocols), **{key: value for key, value in places.items() if value}}
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            given.write(feed)
            given.seek(0)
            process = self._start(arguments, env, work_tree or "/", (given, out, err))
            try:
                self._wait(process, (out, err), deadline, what)
            finally:
                _end(process)
            if process.returncode:
                raise GitFailed(arguments[0], process.returncode, self._clean(_read_tail(err)))
            out.seek(0)
            return out.read()

    def _start(
        self, arguments: Sequence[str], env: Mapping[str, str], cwd: str, files: tuple[IO[bytes], ...]
    ) -> subprocess.Popen[bytes]:
        path = env["PATH"]
        program = shutil.which("git", path=path)
        if program is None:
            raise ToolMissing("There is no git on this machine.", hint="Install git, or use folders as sources.")
        given, out, err = files
        try:
            return subprocess.Popen(
                [*_choose_guard(arguments[0], path), program, *_make_config(), *arguments],
                env=dict(env),
                cwd=cwd,
                stdin=given,
                stdout=out,
                stderr=err,
                start_new_session=True,
                umask=0o022,
            )
        except OSError as exc:
            raise SourceError(f"git could not be started: {exc.strerror or exc}.", hint="Try again.") from exc

    def _wait(
        self, process: subprocess.Popen[bytes], outputs: tuple[IO[bytes], ...], deadline: Deadline, what: str
    ) -> None:
        pause = _POLL_SECONDS / 32
        # It is left unreaped, so that its pid stays its own until the whole group has been killed.
        while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            deadline.check(what)
            if sum(os.fstat(output.fileno()).st_size for output in outputs) > _MOST_OUTPUT:
                raise SourceError(
                    f"{what} was ended: git printed more than {_MOST_OUTPUT // 1024**2} MB.",
                    hint="Look at what this repository is.",
                )
            time.sleep(pause)
            pause = min(pause * 2, _POLL_SECONDS)

    def _make_environment(self, protocols: str) -> dict[str, str]:
        passed = {key: value for key, value in self.environment.items() if key in _PASSED}
        return {
            "HOME": os.path.expanduser("~"),
            **passed,
            "PATH": os.pathsep.join([self.environment.get("PATH") or os.defpath, os.defpath]),
            "LC_ALL": "C",
            "MASTRA_ADMIN_HOME": self.home,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "",
            "SSH_ASKPASS_REQUIRE": "never",
            "GIT_ALLOW_PROTOCOL": protocols,
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_LFS_SKIP_SMUDGE": "1",
            **_make_headers(self.credentials),
        }

    def _clean(self, text: str) -> str:
        secrets = [secret for _, user, secret in parse_credentials(self.credentials) if secret or user]
        return Redactor(secrets).clean(redact(text))


def parse_credentials(text: str) -> list[tuple[str, str, str]]:
    """Return address, user and token of each of the URLs.

    Raises:
        InvalidInput: one of them is no ``https://user:token@host``; which one isn't said, as it may hold a token.
    """
    found = []
    for number, part in enumerate(text.split(), 1):
        try:
            url = urlsplit(part)
            host, port, user, token = url.hostname, url.port, url.username, url.password
        except ValueError:
            host = port = user = token = None
        if not host or not user or not token or url.scheme not in ("https", "http"):
            raise InvalidInput(
                f"Entry {number} of the git credentials isn't of the form https://user:token@host.",
                hint="Separate several by blanks; write % and @ in a token as %25 and %40.",
            )
        place = f"{host}:{port}" if port else host
        found.append((f"{url.scheme}://{place}{url.path}", unquote(user), unquote(token)))
    return found


def _make_headers(credentials: str) -> dict[str, str]:
    """Configuration by environment variables: unlike arguments, other users can't see them."""
    parsed = parse_credentials(credentials)
    variables = {"GIT_CONFIG_COUNT": str(len(parsed))} if parsed else {}
    for index, (url, user, token) in enumerate(parsed):
        encoded = base64.b64encode(f"{user}:{token}".encode()).decode()
        variables[f"GIT_CONFIG_KEY_{index}"] = f"http.{url}.extraHeader"
        variables[f"GIT_CONFIG_VALUE_{index}"] = f"Authorization: Basic {encoded}"
    return variables


def _choose_guard(command: str, path: str) -> list[str]:
    """What git is started through, so that it ends when this process is killed.

    Helpers that wait for a network wouldn't notice the end of the git above them, so that the guard ends the group; all
    other commands have none, and what the kernel does at once is enough for them.
    """
    quick = shutil.which("setpriv", path=path) if command not in _REACHING_OUT else None
    own = [sys.executable, "-I", "-S", _GUARD, str(os.getpid())]
    return [quick, "--pdeathsig", "KILL", "--"] if quick else own


def _make_config() -> list[str]:
    return [part for key, value in _CONFIG.items() for part in ("-c", f"{key}={value}")]


def _read_tail(file: IO[bytes]) -> str:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _TAIL_BYTES))
    text = file.read().decode("utf-8", "backslashreplace").replace("\r", "\n")
    return "".join(char for char in text if char.isprintable() or char == "\n")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the whole group, also when git itself has ended: what it started must not outlive it."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
