"""Starts, watches and stops servers, from any process that holds a `ServerIdentity`."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mastra_admin_sdk.errors import ServerError, ServerUnhealthy
from mastra_admin_sdk.host import boot_id, is_alive, start_ticks
from mastra_admin_sdk.linelog import read_lines
from mastra_admin_sdk.models import ServerExit, ServerIdentity, ServerSpec, ServerUsage
from mastra_admin_sdk.ports.checks import CancelCheck

from .commands import find_entry, make_python_command
from .health import Listening, find_listening, is_answering
from .processes import (
    HOME_MARKER,
    SERVER_MARKER,
    SHIM_MARKER,
    find_marked,
    kill_until_gone,
    list_tree,
    send_signal,
)
from .records import find_record, find_stop_request, read_record, remove_old_records, write_record
from .unhealthy import explain_exposure, explain_silence
from .usage import measure_processes
from .workdir import prepare_workdir

logger = logging.getLogger(__name__)

_HANDSHAKE_SECONDS = 30.0
_LONGEST_PROBE_SECONDS = 2.0
_STRANGER_LOOKS = 5
_CLEAN_UP_SECONDS = 15.0
_TAIL = 100


@dataclass(frozen=True, slots=True)
class Servers:
    """The servers of one home.

    ``log_max_bytes`` and ``log_keep`` say how their logs are rotated, ``drain_timeout`` how long one may take to stop
    when its shim is asked by somebody who doesn't say.
    """

    home: Path
    run_folder: Path
    log_max_bytes: int
    log_keep: int
    drain_timeout: float

    # --- start --------------------------------------------------------------------------------------------------------

    def start(self, spec: ServerSpec, node: Path, env: Mapping[str, str]) -> ServerIdentity:
        """Start a server under a shim and return when its process exists."""
        remove_old_records(self.run_folder, time.time())
        try:
            for folder in (spec.telemetry_dir / "spans", spec.telemetry_dir / "logs", spec.log_path.parent):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            cwd = prepare_workdir(spec.data_dir, spec.artifact.path.absolute())
            answer = self._launch(self._configure(spec, node, env, cwd), spec)
        except OSError as exc:
            raise _not_started(spec, f"{exc.filename or spec.data_dir}: {exc.strerror or exc}") from exc
        if "error" in answer:
            raise _not_started(spec, str(answer["error"]))
        numbers = {name: answer[name] for name in ("pid", "start_ticks", "shim_pid", "shim_start_ticks", "boot_id")}
        return ServerIdentity(process_id=spec.process_id, host=spec.host, port=spec.port, **numbers)

    def _configure(self, spec: ServerSpec, node: Path, env: Mapping[str, str], cwd: Path) -> dict[str, Any]:
        return {
            "process_id": spec.process_id,
            "argv": [str(node), str(find_entry(spec))],
            "env": dict(env),
            "cwd": str(cwd),
            "log_path": str(spec.log_path),
            "telemetry_dir": str(spec.telemetry_dir),
            "redact": list(spec.redact),
            "log_max_bytes": self.log_max_bytes,
            "log_keep": self.log_keep,
            "grace": self.drain_timeout,
            "memory_mb": spec.memory_mb,
            "nice": spec.nice,
            "record_path": str(find_record(self.run_folder, spec.process_id)),
            "stop_path": str(find_stop_request(self.run_folder, spec.process_id)),
        }

    def _launch(self, config: Mapping[str, Any], spec: ServerSpec) -> Mapping[str, Any]:
        """Start a shim, hand it its configuration through a pipe (arguments and environments can be read by others)."""
        starter = subprocess.Popen(
            make_python_command("shim"),
            env={HOME_MARKER: str(self.home), SHIM_MARKER: spec.process_id},
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            out, err = starter.communicate(json.dumps(config).encode(), timeout=_HANDSHAKE_SECONDS)
        except subprocess.TimeoutExpired as exc:
            starter.kill()
            starter.communicate()
            self._kill_all(spec.process_id, with_shim=True)
            raise _not_started(spec, f"it did not start within {_HANDSHAKE_SECONDS:g} s") from exc
        try:
            answer = json.loads(out)
        except ValueError as exc:
            self._kill_all(spec.process_id, with_shim=True)
            raise _not_started(spec, err.decode(errors="replace")[-2000:] or "the process above it ended") from exc
        return answer if isinstance(answer, dict) else {"error": "the process above it gave a strange answer"}

    # --- health -------------------------------------------------------------------------------------------------------

    def wait_healthy(self, server: ServerIdentity, timeout: float, cancel: CancelCheck) -> None:
        """Wait until the server answers and the listener is its own."""
        deadline = time.monotonic() + timeout
        pause = 0.05
        patience = 0.15
        strangers = 0
        while True:
            cancel()
            if not self.is_running(server):
                raise self._explain_end(server)
            listening = find_listening(server.process_id, server.pid, server.port)
            # Seen more than once: a server that forks while we look can seem to be somebody else.
            strangers = strangers + 1 if listening is Listening.STRANGER else 0
            left = deadline - time.monotonic()
            if left <= 0 or strangers > _STRANGER_LOOKS:
                raise explain_silence(server, listening, timeout, self._read_running_tail(server))
            if listening is Listening.OURS_EVERYWHERE:
                raise explain_exposure(server, self._read_running_tail(server))
            if listening is Listening.OURS:
                if is_answering(server.host, server.port, min(patience, left)):
                    return
                # Short probes hear a cancel in time; a server that needs longer to answer gets longer ones.
                patience = min(_LONGEST_PROBE_SECONDS, patience * 2)
            time.sleep(min(pause, left))
            pause = min(0.15, pause * 1.3)

    def is_healthy(self, server: ServerIdentity) -> bool:
        """Ask once."""
        return self.is_running(server) and is_answering(server.host, server.port, _LONGEST_PROBE_SECONDS)

    def is_running(self, server: ServerIdentity) -> bool:
        """True while the server and its shim exist."""
        shim = is_alive(server.shim_pid, server.shim_start_ticks, server.boot_id)
        return shim and is_alive(server.pid, server.start_ticks, server.boot_id)

    def measure(self, server: ServerIdentity) -> ServerUsage | None:
        """Add up what the server and the processes below its shim hold."""
        if not self.is_running(server):
            return None
        return measure_processes({server.pid, *list_tree(server.shim_pid)})

    # --- stop ---------------------------------------------------------------------------------------------------------

    def stop(self, server: ServerIdentity, grace: float) -> ServerExit:
        """End a server and all that belongs to it."""
        server = server if server.shim_pid else self._look_up(server)
        if self._shim_lives(server):
            request = find_stop_request(self.run_folder, server.process_id)
            asked = _ask_for_grace(request, grace)
            send_signal(server.shim_pid, server.shim_start_ticks, signal.SIGTERM)
            self._await_shim(server, grace + _CLEAN_UP_SECONDS)
            send_signal(server.shim_pid, server.shim_start_ticks, signal.SIGKILL)
            if asked:
                request.unlink(missing_ok=True)
        # Shims too: one that was just being started, by somebody who died, has no server yet.
        left = self._kill_all(server.process_id, with_shim=True)
        listening = find_listening(server.process_id, server.pid, server.port)
        if left or listening in {Listening.OURS, Listening.OURS_EVERYWHERE}:
            raise ServerError(
                f"The server on port {server.port} could not be ended: processes {sorted(left)} are still there.",
                hint="They may wait for a disk or belong to another user; end them by hand.",
                evidence={"pids": sorted(left), "port": server.port},
            )
        return self.read_exit(server) or ServerExit(None, None, "The server is gone; nothing says how it ended.")

    def read_exit(self, server: ServerIdentity) -> ServerExit | None:
        """Return how a server ended, or ``None`` while its shim is there to say it."""
        shim_lives = self._shim_lives(server)
        record = read_record(find_record(self.run_folder, server.process_id))
        if "reason" in record:
            return ServerExit(record["code"], record["signal"], record["reason"], tuple(record["log_tail"]))
        if shim_lives:
            return None
        return ServerExit(None, signal.SIGKILL, self._explain_lost_shim(server), self._read_tail(record))

    def read_trace_status(self, server: ServerIdentity) -> Mapping[str, Any]:
        """Return what the tracing module wrote."""
        record = read_record(find_record(self.run_folder, server.process_id))
        folder = record.get("telemetry_dir")
        return read_record(Path(folder) / "status.json") if folder else {}

    # --- helpers ------------------------------------------------------------------------------------------------------

    def _look_up(self, server: ServerIdentity) -> ServerIdentity:
        """Find the shim of a server whose starter died before it could write down the pids."""
        shim = next(iter(find_marked(SHIM_MARKER, server.process_id)), 0)
        return replace(server, shim_pid=shim, shim_start_ticks=start_ticks(shim) or 0, boot_id=boot_id())

    def _shim_lives(self, server: ServerIdentity) -> bool:
        return is_alive(server.shim_pid, server.shim_start_ticks, server.boot_id)

    def _await_shim(self, server: ServerIdentity, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        pause = 0.01
        while self._shim_lives(server) and time.monotonic() < deadline:
            time.sleep(pause)
            pause = min(0.1, pause * 1.5)

    def _kill_all(self, process_id: str, *, with_shim: bool = False) -> set[int]:
        markers = [SERVER_MARKER, *([SHIM_MARKER] if with_shim else [])]
        return kill_until_gone(lambda: {pid for name in markers for pid in find_marked(name, process_id)}, 10)

    def _explain_lost_shim(self, server: ServerIdentity) -> str:
        if not is_alive(server.shim_pid, server.shim_start_ticks, server.boot_id):
            return "The process above the server was killed, or the machine restarted; the server went with it."
        return "The server is gone."

    def _read_tail(self, record: Mapping[str, Any]) -> tuple[str, ...]:
        path = record.get("log_path")
        if not path:
            return ()
        return tuple(line.text for line in read_lines(Path(path)) if line.stream != "info")[-_TAIL:]

    def _read_running_tail(self, server: ServerIdentity) -> tuple[str, ...]:
        return self._read_tail(read_record(find_record(self.run_folder, server.process_id)))

    def _explain_end(self, server: ServerIdentity) -> ServerUnhealthy:
        # The server is gone; its shim needs a moment to clean up and write down how it ended.
        self._await_shim(server, _CLEAN_UP_SECONDS)
        ending = self.read_exit(server)
        tail = list(ending.log_tail) if ending else []
        port_taken = any("EADDRINUSE" in line for line in tail) and any(f"{server.port}" in line for line in tail)
        reason = ending.reason if ending else "It is gone."
        what = f"its port {server.port} was taken by another program" if port_taken else reason
        return ServerUnhealthy(
            f"The server ended before it was healthy: {what}",
            hint="Start it on another port." if port_taken else "Look at its last lines.",
            evidence={
                "exit_code": ending.code if ending else None,
                "signal": ending.signal if ending else None,
                "port": server.port,
                "port_taken": port_taken,
                "log_tail": tail,
            },
        )


def _ask_for_grace(request: Path, grace: float) -> bool:
    try:
        write_record(request, {"grace": grace})
        return True
    except OSError as exc:
        # On a full disk a server must still be ended: its shim then takes the grace period that it was started with,
        # and whoever stops it waits for this one.
        logger.warning("%s can't be written: %s", request, exc.strerror or exc)
        return False


def _not_started(spec: ServerSpec, why: str) -> ServerError:
    return ServerError(
        f"The server of build {spec.build_id} could not be started on port {spec.port}: {why}.",
        hint="Look at free memory, disk space and the home folder; `mastra-admin doctor` checks them.",
        evidence={"port": spec.port, "entry": spec.artifact.entry},
    )
