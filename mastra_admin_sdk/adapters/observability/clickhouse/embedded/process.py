"""The engine's process: open chDB, listen, write down where, serve, clean up."""

from __future__ import annotations

import fcntl
import logging
import os
import resource
import secrets
import shutil
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mastra_admin_sdk.host import boot_id, start_ticks

from .connection import OWNER, READER, Engine
from .logfile import EngineLog
from .planning import Planner
from .record import CONTRACT, LIFE_LOCK, RETIRE, TEMPORARY, EngineRecord, remove_record, write_life, write_record
from .sandbox import confine
from .server import Server
from .sessions import EngineError, Pool
from .upgrade import PACKAGE, write_version
from .watch import Watch

logger = logging.getLogger(__name__)

EXIT_IN_USE = 3
EXIT_FAILED = 4

_LOCK_SECONDS = 10.0
_OWN_MB = 280
_CACHES = ("mark_cache_size", "index_mark_cache_size", "primary_index_cache_size")


@dataclass(frozen=True, slots=True)
class Config:
    """What the starter passes on standard input. There is no secret in it."""

    run_folder: str
    data_folder: str
    memory_mb: int
    idle_seconds: float
    threads: int
    ready_fd: int
    log_path: str


def run(config: Config) -> int:
    """Serve until told to stop or idle; return the exit status."""
    run_folder = Path(config.run_folder)
    lock = _lock_life(run_folder)
    if lock is None:
        logger.error("Another engine has %s open; this one ends.", config.data_folder)
        return EXIT_IN_USE
    _raise_file_limit()
    folder = Path(config.data_folder)
    shutil.rmtree(folder / TEMPORARY, ignore_errors=True)
    (folder / TEMPORARY).mkdir(mode=0o700, parents=True)
    log = EngineLog(Path(config.log_path))
    confine([folder, run_folder])
    try:
        pool = Pool(folder, _make_options(config), _make_limits(config))
        _serve(pool, log, config)
    except EngineError as exc:
        logger.error("The engine can't go on with %s: %s", folder, exc.message)
        return EXIT_FAILED
    return 0


def _serve(pool: Pool, log: EngineLog, config: Config) -> None:
    run_folder = Path(config.run_folder)
    passwords = {OWNER: secrets.token_hex(24), READER: secrets.token_hex(24)}
    version = pool.control.run("SELECT version()").decode().strip()
    write_version(Path(config.data_folder), version)
    watch = Watch(pool.kill)
    engine = Engine(pool, Planner(pool), watch, _split(version), passwords)
    server = Server(engine, idle_seconds=config.idle_seconds, tend=log.rotate)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.stop())
    signal.signal(RETIRE, lambda *_: server.retire())
    pid = os.getpid()
    record = EngineRecord(
        pid=pid,
        boot_id=boot_id(),
        start_ticks=start_ticks(pid) or 0,
        port=server.port,
        version=version,
        started_at=time.time(),
        owner_password=passwords[OWNER],
        reader_password=passwords[READER],
        package=PACKAGE,
        contract=CONTRACT,
    )
    try:
        write_record(run_folder, record)
        _say_ready(config.ready_fd)
        logger.info("Serving %s on 127.0.0.1:%s", version, server.port)
        server.serve()
    finally:
        remove_record(run_folder, pid)
        watch.close()
        logger.info("Stopped")


def _say_ready(descriptor: int) -> None:
    try:
        os.write(descriptor, b"!")
    except BrokenPipeError:
        logger.info("Whoever started this engine has ended; others find it by its record")
    os.close(descriptor)


def _make_options(config: Config) -> Mapping[str, str]:
    memory = _find_memory(config)
    return {
        "max_server_memory_usage": str(memory),
        "merges_mutations_memory_usage_soft_limit": str(memory // 3),
        **{name: str(memory // 16) for name in _CACHES},
    }


def _find_memory(config: Config) -> int:
    # What Python and the loaded engine take by themselves isn't counted by ClickHouse.
    return max(config.memory_mb - _OWN_MB, config.memory_mb // 2) * 1024 * 1024


def _make_limits(config: Config) -> Mapping[str, Any]:
    memory = _find_memory(config)
    return {
        "max_threads": str(config.threads),
        "max_memory_usage": str(memory * 3 // 4),
        # Big sorts and groupings go to disk before they meet the limit.
        "max_bytes_before_external_sort": str(memory // 8),
        "max_bytes_before_external_group_by": str(memory // 4),
    }


def _lock_life(run_folder: Path) -> int | None:
    """Return the descriptor of the locked file, or ``None`` when another engine keeps it."""
    descriptor = os.open(run_folder / LIFE_LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    # The threads of a killed engine hold its files a moment longer than its main thread, which looks dead already.
    deadline = time.monotonic() + _LOCK_SECONDS
    while not _try_lock(descriptor):
        if time.monotonic() > deadline:
            os.close(descriptor)
            return None
        time.sleep(0.02)
    pid = os.getpid()
    write_life(descriptor, pid, boot_id(), start_ticks(pid) or 0)
    return descriptor


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _raise_file_limit() -> None:
    # Every column of every part is a file.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65536 if hard == resource.RLIM_INFINITY else hard
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _split(version: str) -> tuple[int, int, int]:
    major, minor, patch, *_ = (int(part) for part in (*version.split("."), "0", "0"))
    return major, minor, patch
