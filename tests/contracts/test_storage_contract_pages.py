"""What every storage promises for lists that are read in pages: the same tests for the fake, SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fixtures.storage import make_build, make_deployment, make_process, make_project, make_team

from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.models import (
    AlertEvent,
    AlertKind,
    AlertMessage,
    AlertRule,
    BuildStatus,
    Cursor,
    Dataset,
    Deployment,
    DeploymentStatus,
    Event,
    Member,
    Project,
    Schedule,
    Team,
    Token,
)
from mastra_admin_sdk.ports.storage import AdminStorage

LATER = datetime(2200, 3, 1, tzinfo=UTC)
Maker = Callable[[datetime], Any]


def make_many(storage: AdminStorage, noun: str) -> Maker:
    """Return what makes one more of a noun, at a time."""
    owner = make_deployment(storage, "owner")
    team_id = storage.projects.get(owner.project_id).team_id
    build = make_build(storage, owner, created_at=LATER - timedelta(days=1))
    rule = storage.alert_rules.create(
        AlertRule("rule", AlertKind.ERROR_RATE, 1.0, 60, created_at=LATER - timedelta(days=1))
    )
    numbers = iter(range(1000))

    def make(at: datetime) -> Any:
        number = next(numbers)
        name = f"{noun}-{number}"
        makers: dict[str, Callable[[], Any]] = {
            "teams": lambda: storage.teams.create(Team(name, name, created_at=at)),
            "projects": lambda: storage.projects.create(Project(team_id, name, name, created_at=at)),
            "deployments": lambda: storage.deployments.create(Deployment(owner.project_id, name, name, created_at=at)),
            "builds": lambda: make_build(storage, owner, created_at=at),
            "processes": lambda: make_process(storage, 5000 + number, build, created_at=at),
            "schedules": lambda: storage.schedules.create(Schedule(owner.id, "0 3 * * *", created_at=at)),
            "events": lambda: storage.events.append(Event("ana", "look", "team", "x", time=at)),
            "members": lambda: storage.members.create(Member(team_id, f"{name}@example.com", created_at=at)),
            "tokens": lambda: storage.tokens.create(Token(name, name, created_at=at)),
            "datasets": lambda: storage.datasets.create(Dataset(name, created_at=at)),
            "alert_rules": lambda: storage.alert_rules.create(
                AlertRule(name, AlertKind.ERROR_RATE, 1.0, 60, created_at=at)
            ),
            "alert_messages": lambda: storage.alert_messages.create(make_message(rule, at)),
        }
        return makers[noun]()

    return make


def make_message(rule: AlertRule, at: datetime) -> AlertMessage:
    """Return a message of a rule."""
    return AlertMessage(rule.id, AlertEvent.FIRING, "home", created_at=at)


def read_pages(repository: Any, size: int, **filters: Any) -> Iterator[list[str]]:
    """Yield the ids of one page after another."""
    after: Cursor | None = None
    while page := repository.list(limit=size, after=after, **filters):
        yield [record.id for record in page]
        after = Cursor.of(page[-1])


NOUNS = ("teams", "projects", "deployments", "builds", "processes", "schedules", "events", "members", "tokens",
         "datasets", "alert_rules", "alert_messages")  # fmt: skip


@pytest.mark.parametrize("noun", NOUNS)
def test_pages_show_everything_once_also_of_one_moment(storage: AdminStorage, noun: str) -> None:
    make = make_many(storage, noun)
    for index in range(9):
        make(LATER + timedelta(microseconds=index // 3))
    repository = getattr(storage, noun)
    everything = [record.id for record in repository.list()]
    assert len(everything) >= 9
    for size in (1, 2, 4, len(everything)):
        assert [one for page in read_pages(repository, size) for one in page] == everything


@pytest.mark.parametrize("noun", NOUNS)
def test_what_is_added_or_removed_meanwhile_moves_no_page(storage: AdminStorage, noun: str) -> None:
    make = make_many(storage, noun)
    made = [make(LATER + timedelta(seconds=index)) for index in range(4)]
    repository = getattr(storage, noun)
    first = repository.list(limit=2)
    assert [record.id for record in first] == [made[3].id, made[2].id]
    make(LATER + timedelta(seconds=9))
    if hasattr(repository, "delete"):
        repository.delete(made[2].id)
    second = repository.list(limit=2, after=Cursor.of(first[-1]))
    assert [record.id for record in second] == [made[1].id, made[0].id]


def test_a_place_that_nothing_ever_had_is_one_too(storage: AdminStorage) -> None:
    for noun in ("builds", "events"):
        made = make_many(storage, noun) if noun == "builds" else None
        make = made or (lambda at: storage.events.append(Event("ana", "look", "team", "x", time=at)))
        records = [make(LATER + timedelta(seconds=index)) for index in range(3)]
        found = getattr(storage, noun).list(limit=2, after=Cursor(LATER + timedelta(seconds=1.5), "nobody"))
        assert [record.id for record in found] == [records[1].id, records[0].id]


def test_a_place_needs_a_time_with_a_zone_and_a_page_a_size(storage: AdminStorage) -> None:
    with pytest.raises(InvalidInput):
        storage.teams.list(limit=-1)
    with pytest.raises(InvalidInput):
        storage.teams.list(after=Cursor(LATER.replace(tzinfo=None), "x"))


def test_lists_keep_within_a_project_or_a_team(storage: AdminStorage) -> None:
    ours, theirs = make_team(storage, "ours"), make_team(storage, "theirs")
    one, two = make_project(storage, "one", ours), make_project(storage, "two", ours)
    other = make_project(storage, "other", theirs)
    deployments = {item.slug: make_deployment(storage, "main", item) for item in (one, two, other)}
    builds = {slug: make_build(storage, deployment) for slug, deployment in deployments.items()}
    processes = {slug: make_process(storage, 5000 + n, build) for n, (slug, build) in enumerate(builds.items())}
    schedules = {slug: storage.schedules.create(Schedule(item.id, "0 3 * * *")) for slug, item in deployments.items()}
    for repository, made in (
        (storage.builds, builds), (storage.processes, processes), (storage.schedules, schedules),
        (storage.deployments, deployments),
    ):  # fmt: skip
        assert [item.id for item in repository.list(team_id=ours.id)] == [made["two"].id, made["one"].id]
        assert [item.id for item in repository.list(team_id=ours.id, limit=1)] == [made["two"].id]
        assert [item.id for item in repository.list(project_id=one.id)] == [made["one"].id]
        assert repository.list(project_id=one.id, team_id=theirs.id) == []
        assert repository.list(team_id="nobody") == []
    assert storage.builds.list(deployments["other"].id, team_id=ours.id) == []
    assert storage.processes.list(build_id=builds["one"].id, team_id=ours.id) == [processes["one"]]


def test_pages_go_with_every_filter(storage: AdminStorage) -> None:
    owner = make_deployment(storage)
    builds = [make_build(storage, owner, created_at=LATER + timedelta(seconds=index)) for index in range(6)]
    for build in builds[::2]:
        storage.builds.transition(build.id, BuildStatus.CANCELLED, expected=[BuildStatus.QUEUED])
    pages = read_pages(storage.builds, 2, project_id=owner.project_id, statuses=[BuildStatus.CANCELLED])
    assert [*pages] == [[builds[4].id, builds[2].id], [builds[0].id]]
    assert [*read_pages(storage.deployments, 1, statuses=[DeploymentStatus.PENDING])] == [[owner.id]]


def test_events_of_a_team_are_those_about_what_it_has(storage: AdminStorage) -> None:
    ours, theirs = make_team(storage, "ours"), make_team(storage, "theirs")
    for team in (ours, theirs):
        project = make_project(storage, "app", team)
        deployment = make_deployment(storage, "main", project)
        build = make_build(storage, deployment)
        schedule = storage.schedules.create(Schedule(deployment.id, "0 3 * * *"))
        tokens = [
            storage.tokens.create(Token(f"a{team.id}", f"a{team.id}", team_id=team.id)),
            storage.tokens.create(Token(f"b{team.id}", f"b{team.id}", project_id=project.id)),
        ]
        for record in (team, project, deployment, build, schedule, *tokens):
            storage.events.append(Event("ana", team.slug, type(record).__name__.lower(), record.id))
    storage.events.append(Event("ana", "nobody's", "home", "x"))
    assert {event.action for event in storage.events.list(team_id=ours.id)} == {"ours"}
    assert [len(page) for page in read_pages(storage.events, 4, team_id=ours.id)] == [4, 3]
    assert [event.object_type for event in storage.events.list(team_id=ours.id, object_type="build")] == ["build"]
    [app] = storage.projects.list(ours.id)
    found = storage.events.list(project_id=app.id)
    assert [event.object_type for event in found] == ["token", "schedule", "build", "deployment", "project"]
    assert storage.events.list(project_id=app.id, team_id=ours.id) == found
    assert storage.events.list(project_id=app.id, team_id=theirs.id) == []


def test_tokens_of_a_team_are_those_for_it_and_its_projects(storage: AdminStorage) -> None:
    team, project = make_team(storage), make_project(storage)
    for_team = storage.tokens.create(Token("a", "a", team_id=team.id))
    for_project = storage.tokens.create(Token("b", "b", project_id=project.id))
    storage.tokens.create(Token("c", "c"))
    assert storage.tokens.list(team_id=team.id) == [for_team]
    assert storage.tokens.list(team_id=project.team_id) == [for_project]
