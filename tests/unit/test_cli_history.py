"""History and variables on the command line: builds, the audit log, differences, versions."""

from __future__ import annotations

from pathlib import Path

import pytest
from fixtures.cli import CommandLine

SECRET = "sesame-open"


@pytest.fixture
def deployed(command_line: CommandLine) -> CommandLine:
    """A deployment with two builds; its source and a variable changed between them."""
    command_line.deploy()
    command_line.run("env", "set", "weather-agent", "MODE=x")
    command_line.source.write("weather-agent", "src/new.ts", "export {}")
    command_line.deploy()
    return command_line


def test_builds_are_listed_newest_first(deployed: CommandLine) -> None:
    found = deployed.run("builds", "weather-agent")
    assert found.exit_code == 0, found.output
    lines = found.stdout.splitlines()
    assert lines[0].split() == ["BUILD", "KIND", "TRIGGER", "STATUS", "TOOK", "CACHE", "QUEUED"]
    assert lines[1].split()[:2] == ["#2", "deploy"]
    assert all(len(line) <= 80 for line in lines)
    rows = deployed.run_json("builds", "--project", "weather-agent", "--limit", "1")
    assert [row["number"] for row in rows] == [2]
    assert rows[0]["copy_s"] >= 0
    assert deployed.run_json("builds", "--status", "failed") == []
    assert "There are none." in deployed.run("builds", "--status", "failed").stdout


def test_builds_tell_deployments_apart_at_any_width(deployed: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    deployed.deploy("weather-agent", "--type", "staging")
    names = {"default/weather-agent/main", "default/weather-agent/main-staging"}
    for width, titles in (("120", "TRIGGER"), ("80", "DEPLOYMENT"), ("64", "BUILD")):
        monkeypatch.setenv("COLUMNS", width)
        lines = deployed.run("builds").stdout.splitlines()
        assert names <= {word for line in lines for word in line.split()}
        assert all(len(line) <= int(width) for line in lines)
        assert titles in lines[0]


def test_a_cut_list_says_so(deployed: CommandLine) -> None:
    assert "The newest 1" in deployed.run("builds", "--limit", "1").output


def test_the_audit_log_tells_who_did_what_from_where(deployed: CommandLine) -> None:
    found = deployed.run("events", "--action", "set_env")
    assert "project default/weather-agent" in found.stdout
    rows = deployed.run_json("events", "--type", "project")
    assert [row["action"] for row in rows] == ["set_env", "create"]
    assert rows[0]["details"] == {"keys": ["MODE"], "version": 1, "secret": False}
    assert {row["origin"] for row in rows} == {"sdk"}


def test_two_builds_are_compared(deployed: CommandLine) -> None:
    found = deployed.run("diff", "weather-agent#1", "weather-agent#2")
    assert found.exit_code == 0, found.output
    assert "+ src/new.ts" in found.stdout
    assert "+ MODE  plain" in found.stdout
    value = deployed.run_json("diff", "weather-agent#1", "weather-agent#2")
    assert value["files"] == [{"path": "src/new.ts", "change": "added"}]
    assert value["env"] == [{"key": "MODE", "change": "added", "is_secret": False}]
    assert deployed.run_json("diff", "weather-agent#1", "weather-agent#9", exit_code=3)["error"]["code"] == "not_found"


def test_a_file_of_variables_is_imported_and_never_shown(deployed: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / ".env.production"
    path.write_text(f"API_KEY={SECRET}\nAPI_URL=http://x\nOTHER=1\n")
    found = deployed.run("env", "import", "weather-agent", str(path), "--prefix", "API_")
    assert found.exit_code == 0, found.output
    assert "Set API_KEY, API_URL" in found.stdout
    assert "sesame" not in found.output
    own = deployed.run_json("env", "import", "weather-agent", str(path), "--deployment", "--plain", "--only", "OTHER")
    assert own == {"OTHER": "1"}
    missing = deployed.run_json("env", "import", "weather-agent", ".env.none", exit_code=3)
    assert missing["error"]["code"] == "not_found"


def test_versions_are_listed_and_compared_by_name(deployed: CommandLine) -> None:
    deployed.run("env", "set", "weather-agent", "--secret", "TOKEN", stdin=f"{SECRET}\n")
    deployed.run("env", "set", "weather-agent", "OWN=1", "--deployment")
    shown = deployed.run("env", "versions", "weather-agent")
    assert "MODE, TOKEN" in shown.stdout
    rows = deployed.run_json("env", "versions", "weather-agent", "--deployment")
    assert [row["version"] for row in rows] == ["2.1", "2.0", "1.0", "0.0"]
    found = deployed.run("env", "diff", "weather-agent", "0.0", "2.1", "--deployment")
    assert [line.split() for line in found.stdout.splitlines()[1:]] == [
        ["MODE", "added", "plain"],
        ["OWN", "added", "plain"],
        ["TOKEN", "added", "secret"],
    ]
    assert deployed.run_json("env", "diff", "weather-agent", "1", "1") == []
    assert "sesame" not in shown.output + found.output
