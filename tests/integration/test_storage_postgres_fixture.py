"""The server for tests is shared by those who use it and gone after them, however they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg2
from fixtures.postgres import run_postgres

USER = (
    "import sys; from pathlib import Path; from fixtures.postgres import run_postgres\n"
    "with run_postgres(Path(sys.argv[1])) as socket:\n"
    "    print(socket, flush=True); sys.stdin.read()\n"
)


def start_user(shared: Path) -> tuple[subprocess.Popen[str], str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    user = subprocess.Popen(
        [sys.executable, "-c", USER, str(shared)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    assert user.stdout is not None
    return user, user.stdout.readline().strip()


def end_user(user: subprocess.Popen[str], how: signal.Signals | None = None) -> None:
    if how is not None:
        user.send_signal(how)
    user.communicate(timeout=60)


def is_answering(socket: str) -> bool:
    try:
        psycopg2.connect(host=socket, user="postgres", dbname="postgres").close()
    except psycopg2.OperationalError:
        return False
    return True


def test_users_share_one_server_that_ends_with_the_last(tmp_path: Path) -> None:
    first, socket = start_user(tmp_path)
    with run_postgres(tmp_path) as mine:
        assert mine == socket
        end_user(first)
        assert first.returncode == 0
        assert is_answering(socket)
    assert not Path(socket).parent.exists()
    with run_postgres(tmp_path) as again:
        assert again != socket
        assert is_answering(again)
    assert not Path(again).parent.exists()


def test_the_server_ends_when_its_user_is_killed(tmp_path: Path) -> None:
    user, socket = start_user(tmp_path)
    assert is_answering(socket)
    end_user(user, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while Path(socket).parent.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert not is_answering(socket)
