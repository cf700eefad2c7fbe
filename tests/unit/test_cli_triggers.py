"""`mastra-admin schedules`, `watch`, `webhooks`, and what `deploy` and `ps` say of the queue."""

from __future__ import annotations

import pytest
from fixtures.cli import CommandLine

from mastra_admin_sdk.models import BuildStatus


def test_a_schedule_is_added_listed_and_removed(command_line: CommandLine) -> None:
    command_line.deploy()
    added = command_line.run_json("schedules", "add", "weather-agent", "0 3 * * *", "--timezone", "Europe/Berlin")
    assert (added["cron"], added["timezone"], added["enabled"]) == ("0 3 * * *", "Europe/Berlin", True)
    (listed,) = command_line.run_json("schedules", "list", "weather-agent")
    assert listed == added
    title, row = command_line.run("schedules", "list").stdout.splitlines()
    assert title.split()[:3] == ["ID", "DEPLOYMENT", "CRON"]
    assert row.split()[0] == added["id"][:8]
    assert "default/weather-agent/main" in row
    removed = command_line.run("schedules", "remove", added["id"][:8])
    assert "Removed the schedule 0 3 * * * of default/weather-agent/main" in removed.stdout
    assert command_line.run_json("schedules", "list") == []


def test_schedules_that_are_not_there_are_made_with_a_command_that_is_shown(command_line: CommandLine) -> None:
    assert 'schedules add <deployment> "0 3 * * *"' in command_line.run("schedules", "list").stdout


def test_why_a_schedule_did_not_fire_is_listed(command_line: CommandLine) -> None:
    command_line.deploy()
    added = command_line.run_json("schedules", "add", "weather-agent", "0 3 * * *")
    command_line.storage.schedules.update(added["id"], last_error="Skipped: main is stopped.")
    assert "  Skipped: main is stopped." in command_line.run("schedules", "list").stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["99 * * * *"], "minute can't be '99'"), (["0 3 * * *", "--timezone", "Mars"], "no time zone 'Mars'")],
    ids=["cron", "zone"],
)
def test_a_wrong_schedule_is_refused(command_line: CommandLine, arguments: list[str], words: str) -> None:
    command_line.deploy()
    found = command_line.run("schedules", "add", "weather-agent", *arguments)
    assert found.exit_code == 2
    assert words in found.stderr


def test_a_deployment_is_watched_until_it_is_not(command_line: CommandLine) -> None:
    command_line.deploy()
    found = command_line.run("watch", "weather-agent")
    assert "default/weather-agent/main is watched" in found.stdout
    assert "Nothing looks until a process does" in found.stderr
    assert command_line.run_json("ps")["deployments"][0]["watch"] is True
    assert "is not watched any more" in command_line.run("watch", "weather-agent", "--off").stdout
    assert command_line.run_json("ps")["deployments"][0]["watch"] is False


def test_a_webhook_tells_path_and_secret_once(command_line: CommandLine) -> None:
    command_line.deploy()
    made = command_line.run_json("webhooks", "create", "weather-agent")
    assert made["path"] == f"/hooks/{made['project_id']}"
    again = command_line.run("webhooks", "create", "weather-agent")
    assert again.exit_code == 4
    assert made["secret"] not in again.output
    rotated = command_line.run("webhooks", "create", "weather-agent", "--rotate")
    assert made["path"] in rotated.stdout
    assert made["secret"] not in rotated.output
    assert (
        "default/weather-agent has no webhook any more"
        in command_line.run("webhooks", "remove", "weather-agent").stdout
    )
    assert command_line.run("webhooks", "remove", "weather-agent").exit_code == 3


def test_a_deploy_can_be_given_a_priority(command_line: CommandLine) -> None:
    command_line.deploy("weather-agent", "--no-wait", "--priority", "7")
    (build,) = command_line.storage.builds.list()
    assert build.priority == 7


def test_following_a_build_that_is_superseded_names_the_newer_one(command_line: CommandLine) -> None:
    command_line.deploy()
    for _ in range(2):
        command_line.run("deploy", "weather-agent", "--no-wait")
    newer, older, _ = command_line.storage.builds.list()
    assert (older.status, newer.status) == (BuildStatus.SUPERSEDED, BuildStatus.QUEUED)
    assert "had ended already: superseded" in command_line.run("cancel", "weather-agent#2").stdout
