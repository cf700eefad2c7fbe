"""Lists of the SDK in pages: of whom, how many, and after which place."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fixtures.cli import CommandLine

from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.errors import NotFound
from mastra_admin_sdk.models import Build, BuildStatus, Cursor, Deployment, Process, Project, Schedule, Team


@pytest.fixture
def admin(command_line: CommandLine) -> Iterator[MastraAdmin]:
    with command_line.make_admin() as made:
        yield made


def add_deployment(admin: MastraAdmin, team: Team, name: str) -> Deployment:
    project = admin.storage.projects.create(Project(team.id, name.title(), name))
    return admin.storage.deployments.create(Deployment(project.id, "main", "main"))


def test_builds_of_a_project_or_team_come_from_all_its_deployments(admin: MastraAdmin) -> None:
    team = admin.teams.create("Search")
    one, two = add_deployment(admin, team, "one"), add_deployment(admin, team, "two")
    strange = add_deployment(admin, admin.teams.create("Other"), "strange")
    made = [admin.storage.builds.create(Build(owner.id)).id for owner in (one, two, strange, one)]
    assert [build.id for build in admin.builds.list(team="search")] == [made[3], made[1], made[0]]
    assert [build.id for build in admin.builds.list(project="one")] == [made[3], made[0]]
    assert [build.id for build in admin.builds.list(two, team="search")] == [made[1]]
    assert admin.builds.list(two, team="other") == []
    assert len(admin.builds.frame(team="search")) == 3
    with pytest.raises(NotFound):
        admin.builds.list(team="nobody")


def test_pages_of_builds_follow_each_other(admin: MastraAdmin) -> None:
    owner = add_deployment(admin, admin.teams.create("Search"), "one")
    numbers = [admin.storage.builds.create(Build(owner.id)).number for _ in range(5)]
    first = admin.builds.list(limit=2)
    second = admin.builds.list(limit=2, after=Cursor.of(first[-1].record), status=BuildStatus.QUEUED)
    assert [build.number for build in (*first, *second)] == numbers[:0:-1]


def test_every_list_has_pages(admin: MastraAdmin) -> None:
    team = admin.teams.create("Search")
    deployments = [add_deployment(admin, team, name) for name in ("one", "two")]
    admin.teams.create("Other")
    for number, owner in enumerate(deployments):
        build = admin.storage.builds.create(Build(owner.id))
        admin.storage.processes.create(Process(owner.id, build.id, "127.0.0.1", 5000 + number))
        admin.storage.schedules.create(Schedule(owner.id, "0 3 * * *"))
        admin.tokens.create(f"token {number}", team=team)
        admin.datasets.create(f"dataset {number}")
    lists = (
        admin.teams, admin.projects, admin.deployments, admin.builds, admin.processes, admin.schedules, admin.tokens,
        admin.datasets, admin.events,
    )  # fmt: skip
    for noun in lists:
        [newest] = noun.list(limit=1)
        [older] = noun.list(limit=1, after=Cursor.of(getattr(newest, "record", newest)))
        assert [item.id for item in noun.list()][:2] == [newest.id, older.id]


def test_what_a_team_has_is_listed_by_itself(admin: MastraAdmin) -> None:
    ours, theirs = admin.teams.create("Ours"), admin.teams.create("Theirs")
    mine, other = add_deployment(admin, ours, "mine"), add_deployment(admin, theirs, "other")
    schedule = admin.schedules.create(mine, cron="0 3 * * *")
    admin.schedules.create(other, cron="0 3 * * *")
    token = admin.tokens.create("ours", project=admin.storage.projects.get(mine.project_id)).token
    admin.tokens.create("theirs", team=theirs)
    assert [item.id for item in admin.deployments.list(team=ours)] == [mine.id]
    assert admin.deployments.list(team=ours, status="running") == []
    assert admin.schedules.list(team=ours) == [schedule]
    assert admin.schedules.list(project="mine") == [schedule]
    assert admin.tokens.list(team=ours) == [token]
    assert {event.object_id for event in admin.events.list(team=ours)} == {ours.id, schedule.id, token.id}


def test_an_id_is_found_without_reading_the_rest(admin: MastraAdmin, monkeypatch: pytest.MonkeyPatch) -> None:
    found = add_deployment(admin, admin.teams.create("Search"), "one")
    for repository in (admin.storage.teams, admin.storage.projects, admin.storage.deployments):
        monkeypatch.setattr(repository, "list", lambda *_, **__: pytest.fail("read a list"))
    assert admin.deployments.get(found.id).id == found.id
    assert admin.projects.get(found.project_id).slug == "one"
    assert admin.teams.get(admin.projects.get(found.project_id).team_id).slug == "search"
