"""Hints on the command line: in its own words, pasted as they are, no wider than the terminal."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from fixtures.cli import CommandLine

import mastra_admin_sdk
from mastra_admin_sdk.cli.failures import describe_failure
from mastra_admin_sdk.cli.hints import translate
from mastra_admin_sdk.cli.output import wrap
from mastra_admin_sdk.errors import NotFound

PACKAGE = Path(mastra_admin_sdk.__file__).parent
PYTHON = ("admin.", '="', "()", "None", "= ", "tzinfo", "env_versions")


def list_hints(folder: Path) -> list[str]:
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in sorted(folder.rglob("*.py"))]
    keywords = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.keyword)]
    return ["".join(_list_texts(node.value)) for node in keywords if node.arg == "hint"]


def _list_texts(node: ast.expr) -> list[str]:
    values = node.values if isinstance(node, ast.JoinedStr) else [node]
    texts = [value.value if isinstance(value, ast.Constant) else "x" for value in values]
    return [text for text in texts if isinstance(text, str)]


def test_no_hint_of_the_services_is_python_on_the_command_line() -> None:
    hints = list_hints(PACKAGE / "services")
    assert len(hints) > 50
    told = [translate(hint) for hint in hints]
    assert [text for text in told if any(word in text for word in PYTHON)] == []


@pytest.mark.parametrize(
    ("hint", "shown"),
    [
        ('admin.webhooks.rotate("a/b")', "`mastra-admin webhooks create a/b --rotate`"),
        ('Deploy with type="preview".', "Deploy with --type preview."),
        ("Give more, or None for the setting server_memory_mb.", "Give more, or default for what the settings say."),
        ("It has 0 to 3: see env_versions().", "It has 0 to 3: `env versions` lists them."),
    ],
    ids=["command", "option", "value", "versions"],
)
def test_python_becomes_a_command_or_an_option(hint: str, shown: str) -> None:
    assert translate(hint) == shown


def test_commands_are_suggested_as_they_can_be_pasted() -> None:
    error = NotFound("x", hint='Make one: admin.webhooks.create("a/b").')
    failure = describe_failure(error, "mastra-admin --home /h {}".format)
    assert failure.hint == "Make one: `mastra-admin --home /h webhooks create a/b`."


@pytest.mark.parametrize(
    ("arguments", "exit_code", "words"),
    [
        ("webhooks remove weather-agent", 3, "webhooks create default/weather-agent`."),
        ("schedules remove 12345678", 3, "schedules list` shows all there are."),
        ("limits weather-agent --memory 1", 2, "or default for what the settings say."),
        ("deploy weather-agent --ttl 3d", 2, "Deploy with --type preview."),
        ("projects create", 2, "Give SOURCE"),
        ("projects create weather-agent", 4, "deploy default/weather-agent`"),
        ("env diff weather-agent 1 9", 3, "`env versions` lists them."),
        ("env diff weather-agent 1 9 --deployment", 2, "`env versions --deployment` lists them."),
    ],
    ids=["webhooks", "schedules", "limits", "ttl", "source", "project", "versions", "pairs"],
)
def test_what_a_command_advises_is_another_command(
    command_line: CommandLine, arguments: str, exit_code: int, words: str
) -> None:
    command_line.deploy()
    assert words in command_line.run_json(*arguments.split(), exit_code=exit_code)["error"]["hint"]


def test_hints_are_wrapped_and_commands_kept_whole(command_line: CommandLine) -> None:
    command_line.deploy()
    command_line.run("webhooks", "create", "weather-agent")
    lines = command_line.run("webhooks", "create", "weather-agent").stderr.splitlines()
    command = f"`mastra-admin --home {command_line.home} webhooks create default/weather-agent --rotate`."
    assert lines[1:] == ["Next: Make another secret for it with", command]


def test_a_command_that_begins_with_a_python_is_kept_whole_too() -> None:
    command = "/opt/app/bin/python -m mastra_admin_sdk.cli logs a/b/c --build 1 -f"
    assert list(wrap(f"Follow it: {command}", 40)) == ["Follow it:", command]


def test_a_command_without_quotes_is_kept_whole_too() -> None:
    text = "Go on with it: mastra-admin --home /h up, or drop it: mastra-admin cancel a/b/c#1"
    assert list(wrap(text, 40)) == [
        "Go on with it:",
        "mastra-admin --home /h up, or drop it:",
        "mastra-admin cancel a/b/c#1",
    ]


def test_sentences_name_projects_and_deployments_in_full(command_line: CommandLine) -> None:
    command_line.deploy()
    error = command_line.run_json("env", "diff", "weather-agent", "1", "9", exit_code=3)["error"]
    assert error["message"] == "default/weather-agent has no version 1 of its variables."
    error = command_line.run_json("env", "diff", "weather-agent", "1", "9", "--deployment", exit_code=2)["error"]
    assert error["message"] == "'1' is no version of what default/weather-agent/main runs with."
    error = command_line.run_json("rollback", "weather-agent", exit_code=2)["error"]
    assert error["message"] == "default/weather-agent/main has no earlier build to go back to."
