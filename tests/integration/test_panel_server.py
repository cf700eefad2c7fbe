"""The panel as a server process: how it starts, who it refuses, how it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from fixtures.panel import RunningPanel, run_panel
from fixtures.quick import wait_until

from mastra_admin_sdk.host import is_alive

pytestmark = pytest.mark.slow  # each starts a server process of its own


def list_children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def run_to_its_end(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mastra_admin_panel", "--home", str(home), *arguments]
    env = {**os.environ, **environment}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)


def answers(panel: RunningPanel) -> bool:
    try:
        return bool(panel.get("/health")["ok"])
    except OSError:
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["term", "interrupt"])
def test_it_records_itself_and_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    with run_panel(tmp_path / "home") as panel:
        record = json.loads((panel.home / "run" / "panel.json").read_text())
        assert record["pid"] == panel.process.pid
        assert is_alive(record["pid"], record["start_ticks"], record["boot_id"])
        assert panel.token not in json.dumps(record)
        assert panel.get("/health") == {"ok": True}
        assert panel.get("/api/overview")["teams"] == []
        workers = list_children(panel.process.pid)
        assert len(workers) == 1
        panel.process.send_signal(number)
        assert panel.process.wait(timeout=15) == 0
    assert not (tmp_path / "home" / "run" / "panel.json").exists()
    assert not any(is_there(worker) for worker in workers)


def test_it_listens_on_loopback_and_refuses_other_names(tmp_path: Path) -> None:
    with run_panel(tmp_path / "home") as panel:
        with pytest.raises(HTTPError) as refused:
            urlopen(Request(f"{panel.url}/health", headers={"Host": "evil.example"}), timeout=5)
        assert refused.value.code == 403
        refused.value.close()
        listening = Path("/proc/net/tcp").read_text().splitlines()
        ours = [line.split()[1] for line in listening if line.split()[1].endswith(f":{panel.port:04X}")]
        assert set(ours) == {f"0100007F:{panel.port:04X}"}


def test_the_link_is_only_printed_to_a_person(tmp_path: Path) -> None:
    with run_panel(tmp_path / "home") as panel:
        panel.process.terminate()
        output, _ = panel.process.communicate(timeout=15)
        assert panel.url in output
        assert "panel-token" in output
        assert panel.token not in output


def test_a_second_panel_of_a_home_is_refused(tmp_path: Path) -> None:
    with run_panel(tmp_path / "home") as panel:
        second = run_to_its_end(panel.home, "--port", "0")
        assert second.returncode == 1
        assert panel.url in second.stderr
        assert "Traceback" not in second.stderr
        assert answers(panel)


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ended = run_to_its_end(tmp_path / "home", "--port", str(port))
    assert ended.returncode == 1
    assert f"port {port}" in ended.stderr
    assert "--port" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_database_that_is_away_is_said_without_its_password(tmp_path: Path) -> None:
    url = "postgresql+psycopg2://u:hunter2@127.0.0.1:1/none"
    ended = run_to_its_end(tmp_path / "home", "--port", "0", MASTRA_ADMIN_DATABASE_URL=url)
    assert ended.returncode != 0
    assert "can't start" in ended.stderr
    assert "hunter2" not in ended.stderr + ended.stdout
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "home" / "run" / "panel.json").exists()


def test_a_worker_that_is_killed_is_replaced(tmp_path: Path) -> None:
    with run_panel(tmp_path / "home") as panel:
        (worker,) = list_children(panel.process.pid)
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: worker not in list_children(panel.process.pid), what="The end of the worker")
        wait_until(lambda: answers(panel), what="An answer of the next one")


def test_a_killed_panel_leaves_no_worker_and_can_be_started_again(tmp_path: Path) -> None:
    with run_panel(tmp_path / "home") as panel:
        (worker,) = list_children(panel.process.pid)
        panel.process.kill()
        panel.process.wait(timeout=5)
        wait_until(lambda: not is_there(worker), what="The end of the worker")
    (tmp_path / "home" / "run" / "panel.json").unlink()
    with run_panel(tmp_path / "home") as panel:
        assert answers(panel)
