"""Runs one command of a build: output into the log, time-out, cancel, and nothing left of it afterwards."""

from __future__ import annotations

import os
import re
import selectors
import subprocess
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mastra_admin_sdk.errors import BuildError, CommandFailed, PhaseTimeout
from mastra_admin_sdk.models import new_id
from mastra_admin_sdk.ports.checks import CancelCheck
from mastra_admin_sdk.ports.runner import LogSink

from .commands import Command, make_python_command
from .hints import suggest_next
from .lines import LineSplitter
from .processes import COMMAND_MARKER, find_descendants, find_marked, kill_until_gone
from .usage import read_memory

_SAMPLE_SECONDS = 0.5
_POLL_SECONDS = 0.1
_PIPE_SECONDS = 1.0
_TAIL = 50
_HINT_LINES = 200
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_MAX_LOGGED_BYTES = 16 * 1024 * 1024


@dataclass(slots=True)
class Meter:
    """The most memory that the commands of a build held together at any moment; sampled a few times a second."""

    peak: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a command may run, in which phase, for the error, and what it may take of the machine.

    ``memory`` is in bytes, of the command and all processes below it together; 0: no limit.
    """

    phase: str
    seconds: float
    memory: int = 0
    nice: int = 10
    meter: Meter = field(default_factory=Meter)


def run_command(
    command: Command, *, cwd: Path, env: Mapping[str, str], log: LogSink, cancel: CancelCheck, limits: Limits
) -> str:
    """Run a command to its end at low priority. A query's standard output is returned instead of logged.

    However this ends, nothing that the command started is left.

    Raises:
        CommandFailed: it exited with an error or could not be started.
        PhaseTimeout: it took too long.
        BuildError: it took too much memory.
    """
    log.write(f"$ {command.text}", stream="info")
    started = time.monotonic()
    output = _Output(log, is_query=command.is_query)
    marker = new_id()
    with _guarded(command, cwd, {**env, **command.env, COMMAND_MARKER: marker}, marker, limits.nice) as process:
        _pump(process, output, cancel, started + limits.seconds, command, limits)
        exit_code = process.wait()
    output.close()
    seconds = time.monotonic() - started
    if exit_code:
        log.write(f"{command.text} failed with exit code {exit_code} after {seconds:.1f} s.", stream="info")
        raise CommandFailed(
            f"The command `{command.text}` failed with exit code {exit_code}.",
            command=command.shown,
            exit_code=exit_code,
            log_tail=output.tail(),
            hint=suggest_next(log.tail(_HINT_LINES)),
        )
    log.write(f"{command.text} took {seconds:.1f} s.", stream="info")
    return output.text


class _Output:
    """What a command prints: each line into the log, up to a limit; after that only the last ones are kept."""

    def __init__(self, log: LogSink, *, is_query: bool) -> None:
        self._log = log
        self._is_query = is_query
        self._splitters = {"out": LineSplitter(), "err": LineSplitter()}
        self._logged = 0
        self._late: deque[tuple[str, str]] = deque(maxlen=_TAIL)
        self._left_out = 0
        self._texts: list[str] = []

    def feed(self, stream: str, chunk: bytes) -> None:
        for line in self._splitters[stream].feed(chunk):
            self._write(stream, line)

    def close(self) -> None:
        for stream, splitter in self._splitters.items():
            for line in splitter.finish():
                self._write(stream, line)
        if self._left_out:
            self._log.write(f"… {self._left_out - len(self._late)} lines of output were left out.", stream="info")
            for stream, line in self._late:
                self._log.write(line, stream=stream)

    @property
    def text(self) -> str:
        return "\n".join(self._texts)

    def note(self, text: str) -> None:
        """Say something of our own in the log."""
        self._log.write(text, stream="info")

    def tail(self) -> list[str]:
        """Return the last lines as the log keeps them, redacted, without our own last word and without colours."""
        return [_COLOUR.sub("", line) for line in self._log.tail(_TAIL + 1)[:-1]]

    def _write(self, stream: str, line: str) -> None:
        self._logged += len(line) + 1
        if self._logged > _MAX_LOGGED_BYTES:
            self._left_out += 1
            self._late.append((stream, line))
            return
        if stream == "out" and self._is_query:
            self._texts.append(line)
        else:
            self._log.write(line, stream=stream)


@contextmanager
def _guarded(
    command: Command, cwd: Path, env: Mapping[str, str], marker: str, nice: int
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        make_python_command("guard", str(nice), *command.argv),
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        _end(process, marker)


def _end(process: subprocess.Popen[bytes], marker: str) -> None:
    """Let the guard clean up, and do its work when it doesn't: also what it could not see is found by its marker."""
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe:
            pipe.close()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    kill_until_gone(lambda: find_marked(COMMAND_MARKER, marker), 10)


def _pump(
    process: subprocess.Popen[bytes],
    output: _Output,
    cancel: CancelCheck,
    deadline: float,
    command: Command,
    limits: Limits,
) -> None:
    """Move output into the log until both pipes are closed, and ask often whether to go on."""
    asked = ended = sampled = 0.0
    with selectors.DefaultSelector() as selector:
        for pipe, stream in ((process.stdout, "out"), (process.stderr, "err")):
            if pipe:
                selector.register(pipe.fileno(), selectors.EVENT_READ, stream)
        while selector.get_map():
            for key, _ in selector.select(_POLL_SECONDS):
                chunk = os.read(key.fd, 65536)
                if chunk:
                    output.feed(key.data, chunk)
                else:
                    selector.unregister(key.fd)
            now = time.monotonic()
            if now - asked >= _POLL_SECONDS:
                asked = now
                cancel()
            if now - sampled >= _SAMPLE_SECONDS:
                sampled = now
                _weigh(process.pid, command, output, limits)
            if process.poll() is not None:
                # The guard ends last, unless it was killed: then a daemon may hold the pipes open for ever.
                ended = ended or now
                if now - ended > _PIPE_SECONDS:
                    return
            if now > deadline:
                raise _make_timeout(command, output, limits)


def _weigh(guard: int, command: Command, output: _Output, limits: Limits) -> None:
    held = sum(map(read_memory, {guard, *find_descendants(guard)}))
    limits.meter.peak = max(limits.meter.peak, held)
    if not limits.memory or held <= limits.memory:
        return
    output.close()
    text = (
        f"The command `{command.text}` was ended: its processes held {held / 1e6:.0f} MB of memory, and "
        f"{limits.memory / 1e6:.0f} MB are allowed."
    )
    output.note(text)
    raise BuildError(
        text,
        hint="Raise MASTRA_ADMIN_BUILD_MEMORY_MB if it only needs more.",
        evidence={"command": command.text, "memory_bytes": held, "log_tail": output.tail()},
    )


def _make_timeout(command: Command, output: _Output, limits: Limits) -> PhaseTimeout:
    output.close()
    text = f"The command `{command.text}` was ended: the phase {limits.phase} may take {limits.seconds:g} s."
    output.note(text)
    return PhaseTimeout(
        text,
        hint=f"Raise MASTRA_ADMIN_{limits.phase.upper()}_TIMEOUT if it only needs longer.",
        evidence={"command": command.text, "seconds": limits.seconds, "log_tail": output.tail()},
    )
