"""The systemd service, started as systemd would: the unit's command, with the variables of its file and no others."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from pathlib import Path

import pytest
from fixtures.cli_process import Program
from fixtures.quick import wait_until

from mastra_admin_sdk.host import start_ticks

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def read_setting(unit: str, name: str) -> str:
    (found,) = [line.partition("=")[2] for line in unit.splitlines() if line.startswith(f"{name}=")]
    return found.replace("%%", "%")


def read_variables(path: Path) -> dict[str, str]:
    lines = [line.partition("=") for line in path.read_text().splitlines()]
    return {name: shlex.split(value)[0] if shlex.split(value) else "" for name, _, value in lines}


def test_what_the_unit_starts_does_the_work_and_leaves_servers_alone(tmp_path: Path) -> None:
    program = Program(tmp_path / "home of 100% x")
    # A systemctl that finds no systemd: the test must not reach the one of this machine.
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "systemctl").write_text("#!/bin/sh\necho 'Failed to connect to bus' >&2\nexit 1\n")
    (tools / "systemctl").chmod(0o755)
    env = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "PATH": f"{tools}:{os.environ['PATH']}"}
    try:
        source = program.copy_tiny_project(tmp_path / "tiny")
        program.run_json("deploy", str(source))
        server = program.run_json("ps")["deployments"][0]["pid"]
        installed = program.run("service", "install", env=env)
        assert installed.returncode == 0, installed.stderr
        assert "systemctl --user restart mastra-admin.service" in installed.stdout
        unit = (tmp_path / "config" / "systemd" / "user" / "mastra-admin.service").read_text()
        variables = read_variables(Path(read_setting(unit, "EnvironmentFile").removeprefix("-")))
        (home,) = shlex.split(read_setting(unit, "Environment"))
        command = shlex.split(read_setting(unit, "ExecStart"))
        started = {**variables, "HOME": os.environ.get("HOME", "/"), **dict([home.split("=", 1)])}
        with subprocess.Popen(command, env=started, cwd="/", stderr=subprocess.PIPE, text=True) as service:
            wait_until(lambda: program.run_json("ps")["supervised"], timeout=60)
            assert program.run_json("ps")["background_pid"] == service.pid
            service.send_signal(signal.SIGTERM)
            _, said = service.communicate(timeout=60)
        assert service.returncode == 0
        assert "servers go on" in said
        assert start_ticks(server) is not None
        assert program.run_json("ps")["deployments"][0]["pid"] == server
        assert "servers go on" in program.run("service", "uninstall", env=env).stdout
    finally:
        program.close()
