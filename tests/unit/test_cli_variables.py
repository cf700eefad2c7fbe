"""Environment variables on the command line: never a secret among arguments or in output."""

from __future__ import annotations

from pathlib import Path

import pytest
from fixtures.cli import CommandLine

from mastra_admin_sdk.cli.variables import parse_assignments
from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.services.environment.files import read_env_file


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A=1", {"A": "1"}),
        ("export A = 1", {"A": "1"}),
        ("# note\n\nA=1 # why", {"A": "1"}),
        ("A=x#y", {"A": "x#y"}),
        ("A=", {"A": ""}),
        ("A='x # y'", {"A": "x # y"}),
        ('A="x\\ny"', {"A": "x\ny"}),
        ('A="one\ntwo"\nB=2', {"A": "one\ntwo", "B": "2"}),
        ("A='$HOME \\n'", {"A": "$HOME \\n"}),
        ("A=b=c", {"A": "b=c"}),
        ('A=`it\'s "x"`', {"A": 'it\'s "x"'}),
        ("\ufeffA=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
    ],
    ids=[
        *("plain", "export", "comments", "hash inside", "empty", "single quotes", "escape", "several lines"),
        *("nothing is expanded", "equals inside", "backticks", "windows file"),
    ],
)
def test_env_files_are_read_as_people_write_them(tmp_path: Path, text: str, expected: dict[str, str]) -> None:
    path = tmp_path / ".env"
    path.write_bytes(text.encode())
    assert read_env_file(path) == expected


@pytest.mark.parametrize(
    "text",
    ["A=1\nnonsense here", 'A=1\nB="open', "A=1\nB=`open\nC=1"],
    ids=["no assignment", "open quote", "open backtick"],
)
def test_a_wrong_line_of_an_env_file_is_named_without_its_value(tmp_path: Path, text: str) -> None:
    path = tmp_path / ".env"
    path.write_text(text)
    with pytest.raises(InvalidInput, match="ine 2 of"):
        read_env_file(path)


def test_an_assignment_without_equals_is_refused() -> None:
    with pytest.raises(InvalidInput, match="'A' is no assignment"):
        parse_assignments(["A"])


def test_set_list_and_unset(command_line: CommandLine) -> None:
    command_line.deploy()
    assert command_line.run_json("env", "set", "weather-agent", "PLAIN=one") == {"PLAIN": "one"}
    found = command_line.run("env", "set", "weather-agent", "--secret", "TOKEN", stdin="sesame-open\n")
    assert found.exit_code == 0, found.output
    assert "sesame" not in found.output
    assert command_line.run_json("env", "list", "weather-agent") == {"PLAIN": "one", "TOKEN": "***"}
    assert "restart weather-agent" in command_line.run("env", "unset", "weather-agent", "PLAIN").stdout
    assert command_line.run_json("env", "list", "weather-agent") == {"TOKEN": "***"}


def test_overrides_of_a_deployment_are_its_own(command_line: CommandLine) -> None:
    command_line.deploy()
    command_line.run("env", "set", "weather-agent/main", "A=1", "--deployment")
    assert command_line.run_json("env", "list", "weather-agent/main", "--deployment") == {"A": "1"}
    assert command_line.run_json("env", "list", "weather-agent") == {}


@pytest.mark.parametrize(
    ("arguments", "stdin"),
    [
        (["set", "weather-agent"], ""),
        (["set", "weather-agent", "--secret", "A=x"], ""),
        (["set", "weather-agent", "--secret", "A"], ""),
        (["unset", "weather-agent", "A"], ""),
    ],
    ids=["nothing", "secret as argument", "no line on stdin", "unknown"],
)
def test_what_cannot_be_done_is_refused(command_line: CommandLine, arguments: list[str], stdin: str) -> None:
    command_line.deploy()
    error = command_line.run_json("env", *arguments, exit_code=2, stdin=stdin)["error"]
    assert error["code"] == "invalid_input"


def test_an_import_tells_what_it_skipped(command_line: CommandLine, tmp_path: Path) -> None:
    command_line.deploy()
    (tmp_path / "given.env").write_text("PORT=4111\nAPI_URL=x\n")
    found = command_line.run("env", "import", "weather-agent", str(tmp_path / "given.env"))
    assert "Set API_URL" in found.stdout + found.stderr
    assert "PORT was skipped: each server gets a free port." in found.stdout + found.stderr


@pytest.mark.parametrize(
    "arguments",
    ["list {}", "set {} X=1", "unset {} X", "versions {}", "diff {} 0 1"],
    ids=["list", "set", "unset", "versions", "diff"],
)
def test_the_name_of_a_deployment_is_answered_with_its_option(command_line: CommandLine, arguments: str) -> None:
    command_line.deploy()
    given = arguments.format("default/weather-agent/main").split()
    error = command_line.run_json("env", *given, exit_code=3)["error"]
    assert "add --deployment" in error["hint"]
    assert "--deployment" not in command_line.run_json("env", "list", "none", exit_code=3)["error"]["hint"]
