"""`mastra-admin up` and `down` with real processes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from fixtures.cli_process import Program
from fixtures.homes import look_from_outside
from fixtures.quick import wait_until

from mastra_admin_sdk.host import start_ticks

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def is_alive(pid: int) -> bool:
    return start_ticks(pid) is not None


def get_status(url: str) -> int:
    # As a browser does: the token in the link becomes a cookie.
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    try:
        with browser.open(url, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as exc:
        exc.close()
        return exc.code


def test_up_starts_background_and_panel_and_down_leaves_nothing(program: Program) -> None:
    found = program.run_json("up", "--no-example")
    background, panel = found["background"], found["panel"]
    assert background["started"]
    assert is_alive(background["pid"])
    assert os.getsid(background["pid"]) == background["pid"]
    assert get_status(panel["url"]) == 200
    assert get_status(panel["url"].partition("?")[0]) == 401
    state = program.run_json("ps")
    assert state["supervised"]
    assert state["background_pid"] == background["pid"]
    down = program.run_json("down")
    assert any("background" in step for step in down["steps"])
    assert look_from_outside(program.home)["processes"] == []
    assert program.run_json("down")["steps"] == []


def test_up_says_what_it_does_and_what_to_try_next(program: Program) -> None:
    found = program.run("up", "--no-example")
    assert found.returncode == 0
    assert f"Home {program.home}" in found.stdout
    assert "✓ Background process started" in found.stdout
    assert "Panel  http://127.0.0.1:" in found.stdout
    assert "?token=" in found.stdout
    assert "deploy ./my-agent" in found.stdout
    assert "\x1b" not in found.stdout
    again = program.run("up", "--no-example")
    assert "✓ Background process was running already" in again.stdout
    assert "✓ Panel was running already" in again.stdout


def test_two_ups_at_once_give_one_of_each(program: Program) -> None:
    both = [program.start("up", "--no-example", "--json") for _ in range(2)]
    results = [json.loads(process.communicate(timeout=120)[0]) for process in both]
    assert results[0]["background"]["pid"] == results[1]["background"]["pid"]
    assert results[0]["panel"]["pid"] == results[1]["panel"]["pid"]
    assert sorted(result["background"]["started"] for result in results) == [False, True]


def test_a_killed_background_process_is_seen_and_replaced(program: Program) -> None:
    first = program.run_json("up", "--no-example", "--no-panel")["background"]["pid"]
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: not is_alive(first))
    state = program.run_json("ps")
    assert (state["supervised"], state["background_pid"]) == (False, None)
    second = program.run_json("up", "--no-example", "--no-panel")["background"]
    assert second["started"]
    assert second["pid"] != first


def test_the_foreground_ends_in_order_and_a_second_one_is_refused(program: Program) -> None:
    first = program.start("up", "--foreground")
    wait_until(lambda: (program.home / "run" / "up.json").exists())
    wait_until(lambda: program.run_json("ps")["supervised"])
    second = program.run("up", "--foreground")
    assert second.returncode == 4
    assert f"(pid {first.pid})" in " ".join(second.stderr.split())
    first.send_signal(signal.SIGTERM)
    _, stderr = first.communicate(timeout=60)
    assert first.returncode == 0
    assert "servers go on" in stderr
    assert program.run_json("ps")["supervised"] is False


def test_servers_outlive_the_background_process_and_come_back_after_down(program: Program, tmp_path: Path) -> None:
    source = program.copy_tiny_project(tmp_path / "tiny")
    program.run_json("up", "--no-example", "--no-panel")
    live = program.run_json("deploy", str(source))
    assert live["deployment"]["status"] == "running"
    pid = program.run_json("ps")["background_pid"]
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not is_alive(pid))
    assert program.run_json("ps")["deployments"][0]["state"] == "running"
    program.run_json("up", "--no-example", "--no-panel")
    program.run_json("down")
    assert look_from_outside(program.home)["processes"] == []
    again = program.run("up", "--no-panel")
    assert "✓ default/tiny-build/main runs again" in again.stdout
    found = program.run_json("ps")["deployments"][0]
    # Stopping was asked for: it is no failure of the server.
    assert (found["state"], found["restarts"]) == ("running", 0)


def test_a_taken_panel_port_is_said_and_the_next_one_used(program: Program) -> None:
    with socket.create_server(("127.0.0.1", int(program.settings["PANEL_PORT"]))):
        found = program.run("up", "--no-example", "--json")
    assert f"Port {program.settings['PANEL_PORT']} is taken" in found.stderr
    panel = json.loads(found.stdout)["panel"]
    assert panel["port"] > int(program.settings["PANEL_PORT"])
    assert get_status(panel["url"]) == 200


def test_a_home_that_cannot_be_written_is_said_without_a_traceback() -> None:
    found = Program(Path("/proc/home")).run("up")
    assert found.returncode == 1
    assert "can't be used" in found.stderr
    assert "Traceback" not in found.stderr


def test_the_database_url_is_never_an_argument(program: Program, postgres_url: str, postgres_schema: str) -> None:
    program.settings |= {"DATABASE_URL": postgres_url, "DATABASE_SCHEMA": postgres_schema}
    pid = program.run_json("up", "--no-example", "--no-panel")["background"]["pid"]
    assert b"postgresql" not in Path(f"/proc/{pid}/cmdline").read_bytes()
    assert postgres_url.encode() in Path(f"/proc/{pid}/environ").read_bytes()
    checks = {check["name"]: check["text"] for check in program.run_json("doctor")["checks"]}
    assert "PostgreSQL" in checks["database"]
    assert not (program.home / "admin.db").exists()


def test_output_that_nobody_reads_any_more_is_no_error(program: Program, tmp_path: Path) -> None:
    source = program.copy_tiny_project(tmp_path / "tiny")
    program.run_json("deploy", str(source))
    process = program.start("logs", "tiny-build", "--build", "1")
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(timeout=60) == 141
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()


def test_interrupt_of_a_deploy_detaches_and_the_background_goes_on(program: Program, tmp_path: Path) -> None:
    source = program.copy_tiny_project(tmp_path / "tiny", "hangs")
    program.run_json("up", "--no-example", "--no-panel")
    process = program.start("deploy", str(source))
    wait_until(lambda: _is_building(program), timeout=60)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Detached: build #1 goes on in the background." in stderr
    assert "logs default/tiny-build/main --build 1 -f" in stderr
    assert _is_building(program)
    assert "is cancelled" in program.run("cancel", "default/tiny-build/main#1").stdout


def test_a_poor_terminal_gets_look_alikes(program: Program) -> None:
    found = program.run("doctor", env={"PYTHONIOENCODING": "ascii"})
    assert found.stdout.isascii()
    assert "+ home" in found.stdout


def _is_building(program: Program) -> bool:
    deployments = program.run_json("ps")["deployments"]
    return bool(deployments) and (deployments[0]["active_build"] or {}).get("status") == "building"


def test_help_of_the_installed_program_works() -> None:
    import sys

    found = subprocess.run(
        [Path(sys.executable).parent / "mastra-admin", "--help"], capture_output=True, text=True, timeout=60, check=True
    )
    assert "Usage: mastra-admin" in found.stdout
