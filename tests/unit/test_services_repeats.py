"""Requests that are sent again under the same key: one build, however often they arrive."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from fixtures.cli import CommandLine

from mastra_admin_sdk import LiveBuild, MastraAdmin
from mastra_admin_sdk.errors import Conflict, InvalidInput, NotFound
from mastra_admin_sdk.models import IdempotencyKey
from mastra_admin_sdk.services.deployments import repeats


@pytest.fixture
def admin(command_line: CommandLine) -> Iterator[MastraAdmin]:
    command_line.source.add("weather-agent")
    with command_line.make_admin() as made:
        made.projects.create(made.teams.create("Search"), source="weather-agent")
        yield made


def ask(admin: MastraAdmin, key: str | None = "key", **options: Any) -> LiveBuild:
    build = admin.deploy("weather-agent", wait=False, idempotency_key=key, **options)
    assert isinstance(build, LiveBuild)
    return build


def count_builds(admin: MastraAdmin) -> int:
    return len(admin.storage.builds.list())


def test_the_same_request_gets_the_same_build(admin: MastraAdmin) -> None:
    first = ask(admin, branch="main")
    assert ask(admin).id == first.id  # the default branch is main
    assert count_builds(admin) == 1
    assert ask(admin, "another key").id != first.id
    assert ask(admin, None).id != ask(admin, None).id


def test_a_repetition_also_waits_for_the_build(admin: MastraAdmin) -> None:
    live = admin.deploy("weather-agent", idempotency_key="key")
    again = admin.deploy("weather-agent", idempotency_key="key")
    assert (again.id, again.status, count_builds(admin)) == (live.id, "running", 1)


@pytest.mark.parametrize("options", [{"branch": "next"}, {"fresh": True}, {"replicas": 2}, {"type": "staging"}])
def test_another_request_under_the_key_is_refused_and_changes_nothing(
    admin: MastraAdmin, options: dict[str, Any]
) -> None:
    ask(admin)
    with pytest.raises(Conflict, match="another request"):
        ask(admin, **options)
    assert count_builds(admin) == len(admin.storage.deployments.list()) == 1


def test_a_key_whose_build_is_gone_says_so(admin: MastraAdmin) -> None:
    build = ask(admin)
    admin.deployments.delete(build.record.deployment_id)
    with pytest.raises(Conflict, match="removed"):
        ask(admin)


def test_a_key_counts_for_a_day(admin: MastraAdmin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "KEPT", timedelta(seconds=-1))
    first = ask(admin)
    monkeypatch.undo()
    assert repeats.KEPT.total_seconds() == 24 * 3600
    assert ask(admin).id != first.id


@pytest.mark.parametrize("key", ["", "  ", "a\nb", "x" * 501], ids=["empty", "blank", "line-break", "long"])
def test_what_is_no_key_is_refused(admin: MastraAdmin, key: str) -> None:
    with pytest.raises(InvalidInput, match="idempotency key"):
        ask(admin, key)
    assert count_builds(admin) == 0


def test_who_loses_a_race_gets_the_build_of_the_winner(admin: MastraAdmin, monkeypatch: pytest.MonkeyPatch) -> None:
    first = ask(admin)
    repository = admin.storage.idempotency_keys
    answers: list[IdempotencyKey | None] = [None]
    get = repository.get

    def miss_once(digest: str) -> IdempotencyKey:
        if answers:
            answers.pop()
            raise NotFound("not there yet")
        return get(digest)

    monkeypatch.setattr(repository, "get", miss_once)
    assert ask(admin).id == first.id
    assert count_builds(admin) == 1


def test_everything_that_queues_a_build_takes_a_key(admin: MastraAdmin) -> None:
    live = admin.deploy("weather-agent")
    admin.deploy("weather-agent")
    asked = {
        "redeploy": lambda: live.redeploy(wait=False, idempotency_key="a"),
        "restart": lambda: live.restart(wait=False, idempotency_key="b"),
        "rollback": lambda: live.rollback(1, wait=False, idempotency_key="c"),
        "promote": lambda: live.promote("staging", wait=False, idempotency_key="d"),
    }
    for queue in asked.values():
        assert queue().id == queue().id
    assert count_builds(admin) == 2 + len(asked)
    with pytest.raises(Conflict, match="another request"):
        live.start(wait=False, idempotency_key="a")


def test_only_digests_are_kept(admin: MastraAdmin) -> None:
    ask(admin, "sk-looks-like-a-secret")
    kept = admin.storage.idempotency_keys
    [key] = vars(kept)["_keys"].values()
    assert "secret" not in repr(replace(key))
