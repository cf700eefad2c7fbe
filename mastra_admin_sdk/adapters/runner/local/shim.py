"""The small process above each server. It outlives the SDK that started it, and restarts nothing.

It gets its configuration as JSON on standard input, starts the server, answers with one line of JSON on standard output
and lets go of both. From then on it owns the server's output (numbered, redacted, rotated lines), collects every
orphan among the server's descendants, and on the server's end records how it went. SIGTERM asks it to stop the
server: one SIGTERM to the server's own process, SIGKILL to all that is left after the grace period. A server that holds
more memory than it may is stopped in the same way. When it is itself killed, the kernel kills the server.

Standard library and small modules only: one of these runs for each server.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from mastra_admin_sdk.adapters.runner.local.limits import MemoryLimit, forbid_core_files, yield_cpu
from mastra_admin_sdk.adapters.runner.local.lines import LineSplitter
from mastra_admin_sdk.adapters.runner.local.processes import (
    SERVER_MARKER,
    become_subreaper,
    die_with_parent,
    find_descendants,
    find_marked,
    kill_until_gone,
    send_signal,
)
from mastra_admin_sdk.adapters.runner.local.records import read_record, write_record
from mastra_admin_sdk.adapters.runner.local.shim_log import ShimLog
from mastra_admin_sdk.host import boot_id, start_ticks

_IDLE_SECONDS = 60.0
_MEMORY_GRACE = 5.0
_TAIL = 100


def main(_: list[str]) -> int:
    """Start the server and stay above it until it has ended."""
    if os.fork():
        # The starter waits for this process only, and never gets a zombie: the real one belongs to init.
        return 0
    os.setsid()
    config = json.load(sys.stdin)
    become_subreaper()
    try:
        shim = Shim(config)
    except OSError as exc:
        _answer({"error": f"{exc.filename or config['argv'][0]}: {exc.strerror or exc}"})
        return 1
    _answer(shim.identity)
    _let_go()
    shim.watch()
    return 0


class Shim:
    """A running server and what is known of it."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._process_id: str = config["process_id"]
        self._record_path = Path(config["record_path"])
        self._stop_path = Path(config["stop_path"])
        self._grace: float = config["grace"]
        self._deadline: float | None = None
        self._term_time: float | None = None
        self._was_killed = False
        self._memory = MemoryLimit(config["memory_mb"])
        self._held_too_much: str | None = None
        self._status: int | None = None
        self._log = ShimLog(config["log_path"], config["redact"], config["log_max_bytes"], config["log_keep"])
        self._selector = selectors.DefaultSelector()
        self._catch_signals()
        self._server = self._start(config)
        self.identity = self._describe(config)
        write_record(self._record_path, self.identity)

    def watch(self) -> None:
        """Move output and wait until the server has ended, then clean up and record."""
        while self._status is None:
            self._move_output(self._timeout())
            self._reap()
            self._check_memory()
            if self._deadline is not None and time.monotonic() >= self._deadline and self._status is None:
                self._was_killed = True
                kill_until_gone(self._find_all, 10, reap=self._reap)
        left = kill_until_gone(self._find_all, 10, reap=self._reap)
        self._drain_output()
        self._record(left)

    # --- start --------------------------------------------------------------------------------------------------------

    def _start(self, config: dict[str, Any]) -> subprocess.Popen[bytes]:
        parent = os.getpid()
        server = subprocess.Popen(
            config["argv"],
            cwd=config["cwd"],
            env=config["env"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            # This process has one thread, which is what preexec_fn needs to be safe.
            preexec_fn=lambda: _prepare_server(parent, config["nice"]),
        )
        for pipe, stream in ((server.stdout, "out"), (server.stderr, "err")):
            if pipe:
                os.set_blocking(pipe.fileno(), False)
                self._selector.register(pipe, selectors.EVENT_READ, (stream, LineSplitter()))
        return server

    def _describe(self, config: dict[str, Any]) -> dict[str, Any]:
        return {
            "process_id": self._process_id,
            "pid": self._server.pid,
            "start_ticks": start_ticks(self._server.pid) or 0,
            "shim_pid": os.getpid(),
            "shim_start_ticks": start_ticks(os.getpid()),
            "boot_id": boot_id(),
            "log_path": config["log_path"],
            "telemetry_dir": config["telemetry_dir"],
            "started_at": time.time(),
        }

    def _catch_signals(self) -> None:
        wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)
        self._selector.register(wake_read, selectors.EVENT_READ, None)

    # --- while it runs ------------------------------------------------------------------------------------------------

    def _timeout(self) -> float:
        wait = _IDLE_SECONDS if self._deadline is None else max(0.0, self._deadline - time.monotonic())
        return wait if self._memory.next_in is None else min(wait, self._memory.next_in)

    def _move_output(self, timeout: float) -> bool:
        """Handle what is ready; False when no output was."""
        moved = False
        for key, _ in self._selector.select(timeout):
            if key.data is None:
                if signal.SIGTERM in os.read(key.fd, 4096):
                    self._ask_to_stop()
            else:
                moved |= self._read_output(key)
        return moved

    def _read_output(self, key: selectors.SelectorKey) -> bool:
        stream, splitter = key.data
        chunk = os.read(key.fd, 65536)
        for line in splitter.feed(chunk) if chunk else splitter.finish():
            self._log.write(line, stream)
        if not chunk:
            self._selector.unregister(key.fileobj)
        return bool(chunk)

    def _check_memory(self) -> None:
        if self._status is not None or not self._memory.is_exceeded():
            return
        if self._term_time is None:
            self._held_too_much = self._memory.explain()
            self._log.write(f"{self._held_too_much}.", "info")
            self._end_within(_MEMORY_GRACE)
        if self._memory.is_far_exceeded():
            self._deadline = time.monotonic()

    def _ask_to_stop(self) -> None:
        self._end_within(float(read_record(self._stop_path).get("grace", self._grace)))

    def _end_within(self, grace: float) -> None:
        now = time.monotonic()
        # A second request can shorten the wait; a second SIGTERM would make Mastra exit at once.
        self._deadline = now + grace if self._deadline is None else min(self._deadline, now + grace)
        if self._term_time is None:
            self._term_time = now
            self._log.write(f"Asked to stop: the server has {grace:g} s.", "info")
            send_signal(self._server.pid, start_ticks(self._server.pid), signal.SIGTERM)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if pid == self._server.pid:
                self._status = os.waitstatus_to_exitcode(status)
                self._server.returncode = self._status

    def _find_all(self) -> set[int]:
        return find_descendants(os.getpid()) | find_marked(SERVER_MARKER, self._process_id)

    # --- the end ------------------------------------------------------------------------------------------------------

    def _drain_output(self) -> None:
        # All writers are dead, so the pipes end; a limit in case one was handed to a stranger.
        deadline = time.monotonic() + 2
        while len(self._selector.get_map()) > 1 and time.monotonic() < deadline:
            self._move_output(0.1)

    def _record(self, left: set[int]) -> None:
        status = self._status or 0
        reason = self._explain(status)
        if left:
            reason += f" Processes that could not be ended: {', '.join(map(str, sorted(left)))}."
        self._log.write(reason, "info")
        ending = {
            "code": status if status >= 0 else None,
            "signal": -status if status < 0 else None,
            "reason": reason,
            "ended_at": time.time(),
            "log_tail": self._log.tail(_TAIL),
        }
        write_record(self._record_path, {**self.identity, **ending})
        self._stop_path.unlink(missing_ok=True)

    def _explain(self, status: int) -> str:
        """Say how the server ended, in a sentence for people."""
        how = f"with exit code {status}" if status >= 0 else f"by {_name_signal(-status)}"
        if self._held_too_much:
            return f"{self._held_too_much}, and was ended {how}."
        if self._term_time is None:
            return f"The server ended by itself {how}." if status >= 0 else f"The server was ended {how}."
        seconds = time.monotonic() - self._term_time
        if self._was_killed:
            return f"The server was killed: it had not stopped {seconds:.1f} s after SIGTERM."
        return f"The server stopped {how} after {seconds:.1f} s."


def _prepare_server(parent: int, nice: int) -> None:
    die_with_parent(parent)
    forbid_core_files()
    yield_cpu(nice)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def _name_signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _answer(message: dict[str, Any]) -> None:
    os.write(1, json.dumps(message).encode() + b"\n")


def _let_go() -> None:
    """Close what the starter holds the other ends of; it may end now."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    os.close(null)
