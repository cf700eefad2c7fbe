"""How the program ends: exit codes, one shape of errors, nothing but JSON on stdout."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import click
import pytest
from click.testing import CliRunner
from fixtures.cli import CommandLine

from mastra_admin_sdk import errors
from mastra_admin_sdk.cli.failures import ExitCode, Interrupted, describe_failure, list_failure_lines
from mastra_admin_sdk.cli.main import cli as program
from mastra_admin_sdk.cli.session import Session, find_program

COMMANDS = [
    ["ps"],
    ["projects"],
    ["deploy", "nothing-like-it"],
    ["logs", "x"],
    ["logs", "x", "-f"],
    ["traces"],
    ["traces", "0" * 32],
    ["sql", "SELECT 1"],
    ["stop", "x"],
    ["restart", "x"],
    ["rollback", "x"],
    ["cancel", "x"],
    ["env", "list", "x"],
    ["env", "set", "x", "A=1"],
    ["env", "unset", "x", "A"],
    ["doctor"],
    ["settings"],
    ["version"],
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_json_mode_prints_exactly_one_value_whatever_happens(command_line: CommandLine, arguments: list[str]) -> None:
    found = command_line.run(*arguments, "--json")
    value = json.loads(found.stdout)
    if found.exit_code and arguments != ["doctor"]:
        assert set(value) == {"error"}
        assert set(value["error"]) == {"code", "message", "hint", "details"}
        assert value["error"]["message"]


@pytest.mark.parametrize(
    ("exc", "code", "exit_code"),
    [
        (errors.NotFound("x"), "not_found", ExitCode.NOT_FOUND),
        (errors.SettingError("x"), "setting_error", ExitCode.USAGE),
        (errors.StaleState("x"), "stale_state", ExitCode.CONFLICT),
        (errors.CommandFailed("x", command=["a"], exit_code=3), "command_failed", ExitCode.FAILED),
        (TimeoutError("x"), "timeout", ExitCode.FAILED),
        (PermissionError(13, "denied"), "os_error", ExitCode.FAILED),
        (KeyboardInterrupt(), "interrupted", ExitCode.INTERRUPTED),
        (Interrupted("x"), "interrupted", ExitCode.INTERRUPTED),
        (ZeroDivisionError("x"), "internal_error", ExitCode.FAILED),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_each_kind_of_error_has_a_code_and_an_exit_code(exc: BaseException, code: str, exit_code: ExitCode) -> None:
    found = describe_failure(exc)
    assert (found.code, found.exit_code) == (code, exit_code)


def test_only_errors_of_our_own_have_a_traceback() -> None:
    assert describe_failure(errors.MastraAdminError("x")).trace == ""
    assert "ZeroDivisionError" in describe_failure(ZeroDivisionError("x")).trace


def test_evidence_that_is_no_json_becomes_text() -> None:
    failure = describe_failure(errors.NotFound("x", evidence={"where": {1}}))
    assert json.loads(json.dumps(failure.to_json()))["error"]["details"]["where"] == "{1}"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--json", "nonsense"],
        ["ps", "--nonsense", "--json"],
        ["traces", "--limit", "0", "--json"],
        ["deploy", "--json"],
    ],
    ids=["command", "option", "value", "missing"],
)
def test_wrong_usage_is_json_too(arguments: list[str]) -> None:
    found = CliRunner().invoke(program, arguments)
    assert found.exit_code == ExitCode.USAGE
    assert json.loads(found.stdout)["error"]["code"] == "usage"


def test_wrong_usage_for_people_names_the_help() -> None:
    found = CliRunner().invoke(program, ["ps", "--nonsense"])
    assert found.exit_code == ExitCode.USAGE
    assert "No such option" in found.stderr
    assert "mastra-admin ps --help" in found.stderr
    assert found.stdout == ""


def test_an_error_of_our_own_shows_where_and_asks_to_report_it() -> None:
    def fail(**_: object) -> None:
        raise ZeroDivisionError("oops")

    found = CliRunner().invoke(program, ["ps", "--json"], obj=Session(make_admin=fail))  # type: ignore[arg-type]
    assert found.exit_code == ExitCode.FAILED
    assert json.loads(found.stdout)["error"]["code"] == "internal_error"
    assert "Traceback" in found.stderr


def test_options_that_all_have_may_stand_before_or_behind_the_command() -> None:
    seen = []

    def remember(**arguments: object) -> None:
        seen.append(arguments)
        raise errors.NotFound("enough")

    for arguments in (["--home", "/h", "--database-url", "u", "ps"], ["ps", "--home", "/h", "--database-url", "u"]):
        CliRunner().invoke(program, arguments, obj=Session(make_admin=remember))  # type: ignore[arg-type]
    assert seen == [{"home": "/h", "database_url": "u"}] * 2


def test_every_command_says_what_it_does_within_80_columns() -> None:
    found = CliRunner().invoke(program, ["--help"])
    assert found.exit_code == 0
    assert "..." not in found.stdout.partition("Commands:")[2]
    for name in program.commands:
        assert f"  {name} " in found.stdout
        text = CliRunner().invoke(program, [name, "--help"]).stdout
        assert "--help" in text
        assert max(map(len, text.splitlines())) <= 80


def test_no_line_of_a_list_of_commands_is_cut() -> None:
    groups = [name for name, command in program.commands.items() if isinstance(command, click.Group)]
    for arguments in ([], *([name] for name in groups)):
        text = CliRunner().invoke(program, [*arguments, "--help"]).stdout
        assert not [line for line in text.partition("Commands:")[2].splitlines() if line.endswith("...")]


def test_help_is_quick_and_loads_nothing_heavy() -> None:
    code = (
        "import sys; from mastra_admin_sdk.cli.main import cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'pandas', 'sqlalchemy', 'clickhouse_driver', 'chdb', 'cryptography', 'psutil', 'rich', 'flask'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    started = time.monotonic()
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert found.stderr.strip() == "[]"
    # Half a second on an idle machine; tests share theirs.
    assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    ("started_as", "shown"),
    [("/x/lib/cli/__main__.py", "-m mastra_admin_sdk.cli"), ("/nowhere/bin/mastra-admin", "/nowhere/bin/mastra-admin")],
    ids=["module", "path"],
)
def test_suggestions_name_the_program_as_it_can_be_called(started_as: str, shown: str) -> None:
    assert find_program(started_as).endswith(shown)


def test_version_is_that_of_the_package(command_line: CommandLine) -> None:
    from mastra_admin_sdk import __version__

    assert command_line.run_json("version")["version"] == __version__
    assert __version__ in CliRunner().invoke(program, ["--version"]).stdout


@pytest.mark.parametrize("arguments", [[], ["env"]], ids=["program", "group"])
def test_without_a_command_the_help_is_shown_as_it_is(arguments: list[str]) -> None:
    found = CliRunner().invoke(program, arguments, prog_name="mastra-admin")
    asked = CliRunner().invoke(program, [*arguments, "--help"], prog_name="mastra-admin")
    assert found.exit_code == ExitCode.USAGE
    assert found.stderr == asked.stdout
    error = json.loads(CliRunner().invoke(program, [*arguments, "--json"]).stdout)["error"]
    assert error["code"] == "usage"


def test_a_log_is_shown_in_short_lines_without_stacks_and_warnings_of_npm() -> None:
    tail = ["npm warn deprecated x@1.0.0", *(f"line {n}" for n in range(30)), "stack: " + "at x " * 1000, "w " * 200]
    evidence = {"command": "mastra build", "log_tail": tail, "build_log": "/" + "long/" * 30}
    command, title, *lines, log = list_failure_lines(describe_failure(errors.NotFound("x", evidence=evidence)), 78)
    assert (command, title) == ("command: mastra build", "log_tail:")
    assert log == "build_log: /" + "long/" * 30
    assert len(lines) == 20
    assert lines[-2] == "  line 29"
    assert lines[-1].endswith("…")
    assert max(map(len, lines)) == 78
