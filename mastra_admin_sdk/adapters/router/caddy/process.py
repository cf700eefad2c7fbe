"""The Caddy process of a home: started once, detached, adopted by whoever comes next, ended by anyone."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from mastra_admin_sdk.errors import RouterError
from mastra_admin_sdk.home import Home
from mastra_admin_sdk.host import boot_id, is_alive, start_ticks

from .client import AdminClient, read_nonce
from .config import Instance, build_config
from .entries import TARGETS_FOLDER
from .listener import open_listener, open_secure_listener
from .options import RouterOptions, format_target
from .program import build_environment, find_program
from .targets import TargetFiles

_START_TIMEOUT = 20.0
_STOP_TIMEOUT = 5.0
_LONGEST_SOCKET_PATH = 107
_UNUSABLE_IN_SOCKET_PATH = frozenset("|{}")
_SHARED_FOLDER = Path("/tmp")  # noqa: S108 - each user's folder below it is private and checked

# Pids of those started by this process: one that has ended is a zombie until it is reaped here.
_children: set[int] = set()


class CaddyProcess:
    """Starts, finds and ends the Caddy of a home. Callers hold the home's router lock around `start` and `stop`."""

    def __init__(self, home: Home, options: RouterOptions, *, program: str, environment: Mapping[str, str]) -> None:
        self._home, self._options = home, options
        self._program, self._environment = program, environment
        self.folder = Path(os.path.realpath(home.path)) / home.caddy.name
        self.targets = TargetFiles(self.folder / TARGETS_FOLDER)
        self._socket = find_socket_path(home)
        self._record = home.run / "caddy.json"
        self.client = AdminClient(self._socket)

    def start(self) -> None:
        """Start Caddy, or adopt the one that runs.

        Raises:
            RouterError: it doesn't start, listens elsewhere, or somebody else answers on its port.
            ToolMissing: there is no Caddy program that will do.
        """
        identity = self.client.get_identity()
        if identity is None:
            self._end_unreachable()
            nonce = self._launch()
        else:
            self._check_place(identity)
            nonce = identity["nonce"]
        self.confirm(nonce)

    def stop(self) -> None:
        """End Caddy, whoever started it, and remove what it leaves."""
        known = self._read_record()
        with suppress(RouterError):  # it hangs: then it is ended by its record
            known = _describe(self.client.find_pid()) or known
        if known:
            self._end(known, _STOP_TIMEOUT if self._ask_to_stop() else 0)
        self._clear()

    def confirm(self, nonce: str, *, secure: bool = False) -> None:
        """Wait until the port (with ``secure``: the one for hosts with a certificate) answers with the nonce in force.

        A connection that arrives while configurations change may still meet the old one.
        """
        deadline = time.monotonic() + _START_TIMEOUT
        problem = "nobody answers"
        while time.monotonic() < deadline:
            try:
                if read_nonce(self._options, secure=secure) == nonce:
                    return
                problem = "somebody else answers"
            except OSError as exc:
                problem = str(exc)
            time.sleep(0.02)
        port = self._options.secure_port if secure else self._options.port
        raise RouterError(
            f"The router's port {format_target(self._options.bind, port)} doesn't lead to it: {problem}.",
            hint="Stop the router, or choose another port with router_port (MASTRA_ADMIN_ROUTER_PORT).",
        )

    # --- starting -----------------------------------------------------------------------------------------------------

    def _launch(self) -> str:
        program = find_program(self._program)
        nonce = secrets.token_hex(16)
        self._prepare()
        with ExitStack() as stack:
            main = stack.enter_context(open_listener(self._options, self._options.port))
            secure = open_secure_listener(self._options)
            listeners = [main, stack.enter_context(secure)] if secure else [main]
            numbers = [item.fileno() for item in listeners]
            instance = Instance(numbers[0], numbers[1] if secure else None, nonce, secrets.token_hex(16))
            log_file = str(self._home.logs / "caddy.log")
            config = build_config(self._options, instance, socket=str(self._socket), log_file=log_file)
            process = self._spawn(program, config, numbers)
        self._write_record(process.pid)
        self._wait_ready(process)
        _disown(process)
        return nonce

    def _prepare(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._home.logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._home.run.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._socket.parent != self._home.run:
            _make_private(self._socket.parent)
        self._clear()
        self.targets.prepare()

    def _spawn(self, program: str, config: Mapping[str, Any], listeners: Sequence[int]) -> subprocess.Popen[bytes]:
        environment = build_environment(
            self.folder.parent, self.folder, self._environment, proxies=self._options.tls == "auto"
        )
        # A file that is complete before Caddy starts, not a pipe: if this process were killed before it has written,
        # Caddy would run with no configuration and keep the port.
        with tempfile.TemporaryFile(dir=self.folder) as source, self._start_log.open("wb") as output:
            source.write(json.dumps(config).encode())
            source.seek(0)
            return subprocess.Popen(
                [program, "run", "--config", "-"],
                stdin=source,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=environment,
                start_new_session=True,
                pass_fds=listeners,
            )

    def _wait_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _START_TIMEOUT
        while process.poll() is None and time.monotonic() < deadline:
            if self.client.is_listening():
                return
            time.sleep(0.01)
        ended = process.poll()
        if ended is None:
            process.kill()
            process.wait(_STOP_TIMEOUT)
        self._clear()
        raise RouterError(
            f"Caddy did not start: it {'hung' if ended is None else f'ended with exit code {ended}'}.",
            hint=f"What it said is in {self._start_log}.",
            evidence={"log_tail": _read_tail(self._start_log)},
        )

    @property
    def _start_log(self) -> Path:
        return self._home.logs / "caddy-start.log"

    def _check_place(self, identity: Mapping[str, Any]) -> None:
        options = self._options
        wanted = (options.bind, options.port, options.tls, options.https_port)
        found = (identity["bind"], identity["port"], identity["tls"], identity["https_port"])
        if found != wanted:
            raise RouterError(
                f"The router of this home runs already, {_describe_place(*found)}, not {_describe_place(*wanted)}.",
                hint="Stop it first (`mastra-admin down`), or use its settings.",
            )

    # --- ending -------------------------------------------------------------------------------------------------------

    def _ask_to_stop(self) -> bool:
        try:
            AdminClient(self._socket, timeout=_STOP_TIMEOUT).call("POST", "/stop")
        except RouterError:  # it hangs, or ended meanwhile
            return False
        return True

    def _end_unreachable(self) -> None:
        """End a Caddy of ours whose socket is gone: nobody could change its routes any more."""
        known = self._read_record()
        if known:
            self._end(known, 0)

    def _end(self, known: Mapping[str, Any], grace: float) -> None:
        if not _wait_gone(known, grace):
            with suppress(ProcessLookupError):
                os.kill(known["pid"], signal.SIGKILL)
        if not _wait_gone(known, _STOP_TIMEOUT):
            raise RouterError(
                f"Caddy (pid {known['pid']}) can't be ended, not even by SIGKILL.",
                hint="It waits for the system, such as a disk that hangs. Look at its state with `ps`.",
            )

    def _clear(self) -> None:
        for path in (self._socket, self._record):
            path.unlink(missing_ok=True)
        self.targets.clear()

    # --- the record ---------------------------------------------------------------------------------------------------

    def _write_record(self, pid: int | None) -> None:
        record = _describe(pid)
        if record:
            write_atomically(self._record, json.dumps(record))

    def _read_record(self) -> dict[str, Any] | None:
        """Return who the recorded process is, if it still runs."""
        try:
            found: dict[str, Any] = json.loads(self._record.read_text(encoding="utf-8"))
            alive = is_alive(found["pid"], found["start_ticks"], found["boot_id"])
        except (OSError, ValueError, LookupError, TypeError):
            return None
        return found if alive else None


def find_socket_path(home: Home) -> Path:
    """Return where the admin socket of a home is: in its run folder, unless Caddy or the system can't take that path.

    The other place depends on user and home alone, never on the environment: every process has to find it.
    """
    inside = Path(os.path.realpath(home.run)) / "caddy.sock"
    if len(os.fsencode(inside)) <= _LONGEST_SOCKET_PATH and not _UNUSABLE_IN_SOCKET_PATH & set(str(inside)):
        return inside
    digest = hashlib.sha256(os.fsencode(inside)).hexdigest()[:16]
    return _SHARED_FOLDER / f"mastra-admin-{os.getuid()}" / f"{digest}.sock"


def write_atomically(path: Path, text: str) -> None:
    """Replace a file by another one in one step; readers see the old text or the new one, never less."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def _make_private(folder: Path) -> None:
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if found.st_uid != os.getuid() or found.st_mode & 0o077 or not folder.is_dir() or folder.is_symlink():
        raise RouterError(
            f"The folder {folder} for the router's socket isn't private to this user.",
            hint="Remove it, or move the home to a path of less than 90 characters.",
        )


def _describe(pid: int | None) -> dict[str, Any] | None:
    """Return what tells a process from a later one with its pid; nothing when it is gone."""
    ticks = start_ticks(pid) if pid else None
    return None if ticks is None else {"pid": pid, "start_ticks": ticks, "boot_id": boot_id()}


def _describe_place(bind: str, port: int, tls: str, https_port: int) -> str:
    return f"on {format_target(bind, port)} with tls={tls} and port {https_port} for hosts with a certificate"


def _disown(process: subprocess.Popen[bytes]) -> None:
    """Keep Popen from warning when its object goes while Caddy stays: it is meant to outlive this process."""
    _children.add(process.pid)
    process.returncode = 0


def _reap() -> None:
    for pid in list(_children):
        try:
            ended, _ = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:  # a fork of the process that started it
            ended = pid
        if ended:
            _children.discard(pid)


def _wait_gone(known: Mapping[str, Any], timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while True:
        _reap()
        if not is_alive(known["pid"], known["start_ticks"], known["boot_id"]):
            _reap()
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)


def _read_tail(path: Path, count: int = 20) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()[-count:]
    except OSError:
        return []
