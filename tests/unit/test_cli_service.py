"""`mastra-admin service`: the unit file as systemd reads it, and what is run or said. systemd itself is never asked."""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fixtures.cli import CommandLine

from mastra_admin_sdk.cli import service
from mastra_admin_sdk.cli.units import UNIT, ServiceUnit, read_home, render_unit, render_variables
from mastra_admin_sdk.errors import InvalidInput

ODD = '/data/a b%h "q" $HOME \\x [1]'

Calls = list[list[str]]


def parse(text: str) -> dict[str, str]:
    """Return the settings of a unit file by name."""
    lines = [line for line in text.splitlines() if "=" in line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the unit file goes, with a systemd that isn't there."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(service, "_systemctl", lambda *_: service._Done(is_there=False))
    return tmp_path / "config" / "systemd" / "user" / UNIT


@pytest.fixture
def answer(config: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int, str], Calls]:
    """Put a systemd there that answers everything alike; returns what it is asked."""

    def put(exit_code: int, text: str) -> Calls:
        calls: Calls = []

        def ask(*arguments: str) -> service._Done:
            calls.append(list(arguments))
            return service._Done(is_there=True, exit_code=exit_code, text=text)

        monkeypatch.setattr(service, "_systemctl", ask)
        return calls

    return put


# --- the text ---------------------------------------------------------------------------------------------------------


def test_the_unit_starts_up_in_the_foreground_and_ends_nothing_else() -> None:
    unit = ServiceUnit([sys.executable, "-m", "mastra_admin_sdk.cli", "up", "--foreground"], "/data", "/data/x.env")
    found = parse(render_unit(unit))
    assert shlex.split(found["ExecStart"])[1:] == ["-m", "mastra_admin_sdk.cli", "up", "--foreground"]
    assert found["Environment"] == '"MASTRA_ADMIN_HOME=/data"'
    assert (found["KillMode"], found["Restart"], found["OOMPolicy"]) == ("process", "on-failure", "continue")
    assert found["WantedBy"] == "default.target"


def test_paths_with_blanks_quotes_percents_and_dollars_survive() -> None:
    text = render_unit(ServiceUnit(["/a b%h $HOME/python", ODD], ODD, f"{ODD}/service.env"))
    found = parse(text)
    assert found["ExecStart"] == ':"/a b%%h $HOME/python" "/data/a b%%h \\"q\\" $HOME \\\\x [1]"'
    assert found["EnvironmentFile"] == '-/data/a b%%h "q" $HOME \\\\x \\[1]/service.env'
    assert read_home(text) == ODD


@pytest.mark.parametrize(
    "text", ["/a\nExecStart=/bin/x", "/a\tb", "/a ", "/\udcff"], ids=["line", "tab", "blank", "raw"]
)
def test_a_path_that_no_unit_can_hold_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="can't stand in a systemd unit"):
        render_unit(ServiceUnit(["/bin/python"], text, "/x"))


def test_a_program_that_systemd_could_not_start_is_refused() -> None:
    with pytest.raises(InvalidInput, match="starts no program"):
        render_unit(ServiceUnit(['/a"b/python'], "/x", "/x/service.env"))


def test_variables_are_quoted_as_systemd_and_shells_read_them(tmp_path: Path) -> None:
    values = {"A": 'with "quotes" and $HOME', "B": "back\\slash `x` %h", "C": "two\nlines", "D": ""}
    file = tmp_path / "x.env"
    file.write_text(render_variables(values))
    # A shell reads double quotes as systemd does in such a file.
    script = f". {shlex.quote(str(file))}; for name in A B C D; do printf '%s\\0' \"$(eval echo '\"$'$name'\"')\"; done"
    found = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=20, check=True).stdout
    assert found.split("\0")[:-1] == list(values.values())


def test_a_variable_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidInput):
        render_variables({"A B": "x"})


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd isn't installed")
def test_systemd_finds_no_fault_in_the_unit(tmp_path: Path) -> None:
    program, home = tmp_path / "a b 100% $x" / "python", tmp_path / 'a "b" 100% $x [1] \\x'
    program.parent.mkdir()
    home.mkdir()
    program.symlink_to(sys.executable)
    place = tmp_path / UNIT
    place.write_text(render_unit(ServiceUnit([str(program), "-m", 'x "y"'], str(home), f"{home}/x.env")))
    command = ["systemd-analyze", "--user", "verify", str(place)]
    env = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=env)
    said = [line for line in (found.stdout + found.stderr).splitlines() if UNIT in line]
    assert said == []


# --- the command ------------------------------------------------------------------------------------------------------


def test_without_systemd_it_says_what_to_run(command_line: CommandLine, config: Path) -> None:
    found = command_line.run("service", "install")
    assert found.exit_code == 0, found.output
    assert f"Wrote {config}" in found.stdout.replace("\n", " ")
    for step in ("daemon-reload", f"enable {UNIT}", f"restart {UNIT}"):
        assert f"  systemctl --user {step}\n" in found.stdout
    assert "loginctl enable-linger" in found.stdout
    assert read_home(config.read_text()) == str(command_line.home)
    assert command_line.run_json("service", "status")["installed"] is True


def test_settings_travel_in_a_file_that_only_the_owner_reads(
    command_line: CommandLine, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASTRA_ADMIN_SECRET_KEY", "s3cret")
    monkeypatch.setenv("MASTRA_ADMIN_ROUTER_PORT", "9090")
    command_line.run_json("service", "install")
    variables = command_line.home / "service.env"
    assert stat.S_IMODE(variables.stat().st_mode) == 0o600
    assert 'MASTRA_ADMIN_SECRET_KEY="s3cret"\n' in variables.read_text()
    assert 'MASTRA_ADMIN_ROUTER_PORT="9090"\n' in variables.read_text()
    assert "s3cret" not in config.read_text()
    assert "\nHOME=" not in variables.read_text()


def test_with_systemd_it_is_enabled_and_started(
    command_line: CommandLine, config: Path, answer: Callable[[int, str], Calls]
) -> None:
    calls = answer(0, "")
    assert command_line.run_json("service", "install")["started"] is True
    assert calls == [["daemon-reload"], ["enable", UNIT], ["restart", UNIT]]
    calls.clear()
    assert command_line.run_json("service", "uninstall")["removed"] is True
    assert calls == [["disable", "--now", UNIT], ["daemon-reload"]]
    assert not config.exists()
    assert not (command_line.home / "service.env").exists()


def test_a_refusal_of_systemd_is_told(command_line: CommandLine, answer: Callable[[int, str], Calls]) -> None:
    answer(1, "Failed to enable unit: it is masked")
    error = command_line.run_json("service", "install", exit_code=1)["error"]
    assert "daemon-reload" in error["message"]
    assert error["details"]["output"] == ["Failed to enable unit: it is masked"]


def test_what_systemd_says_is_shown(command_line: CommandLine, answer: Callable[[int, str], Calls]) -> None:
    answer(0, "")
    command_line.run("service", "install")
    answer(3, "inactive")
    found = command_line.run("service", "status").stdout
    assert "active      inactive\n" in found
    assert "background  not running\n" in found


def test_a_service_of_another_home_is_left_alone(command_line: CommandLine, config: Path) -> None:
    config.parent.mkdir(parents=True)
    config.write_text(render_unit(ServiceUnit(["/bin/python"], "/other", "/other/service.env")))
    error = command_line.run_json("service", "install", exit_code=4)["error"]
    assert "another home: /other" in error["message"]


def test_a_unit_that_somebody_else_wrote_is_left_alone(command_line: CommandLine, config: Path) -> None:
    config.parent.mkdir(parents=True)
    config.write_text("[Service]\nExecStart=/bin/true\n")
    for command in ("install", "uninstall", "status"):
        assert (
            "wasn't written by mastra-admin"
            in command_line.run_json("service", command, exit_code=4)["error"]["message"]
        )
    assert config.exists()


def test_nothing_installed_is_said(command_line: CommandLine, config: Path) -> None:
    assert "Not installed" in command_line.run("service", "status").stdout
    assert "Nothing to remove" in command_line.run("service", "uninstall").stdout


def test_a_systemd_that_has_no_bus_counts_as_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "systemctl"
    program.write_text("#!/bin/sh\necho 'Failed to connect to bus: No medium found' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert service._systemctl("daemon-reload").is_there is False
    assert service._ask("is-active") is None
    program.write_text("#!/bin/sh\necho enabled\n")
    assert service._ask("is-enabled") == "enabled"
    program.unlink()
    assert service._systemctl("daemon-reload").is_there is False


@pytest.mark.parametrize("value", ["", "relative"], ids=["unset", "relative"])
def test_the_unit_goes_to_the_users_folder_without_a_setting(value: str) -> None:
    assert service.find_place({"XDG_CONFIG_HOME": value}) == Path.home() / ".config" / "systemd" / "user" / UNIT
