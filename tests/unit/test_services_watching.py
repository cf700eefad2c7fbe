"""Watching: one build a change, none without one, whatever else happens meanwhile."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from fixtures.house import House

from mastra_admin_sdk.errors import SourceError
from mastra_admin_sdk.models import Build, BuildStatus, BuildTrigger, Deployment, SourceType
from mastra_admin_sdk.services.triggers.watching import REMOTE_ROLE, ROLE, Watcher, read_watch_errors, set_watch


class Watch:
    """A watcher whose time a test winds."""

    def __init__(self, house: House) -> None:
        self.house, self.now = house, 1000.0
        self.restart()

    def restart(self) -> None:
        """Forget everything, as another process."""
        self.watchers = [
            Watcher(self.house.parts, self.house.deployments, role, clock=lambda: self.now)
            for role in (ROLE, REMOTE_ROLE)
        ]

    def run(self, seconds: float = 0.0) -> None:
        """Make a pass a second for so many seconds, at least one."""
        role = self.house.take("watcher")
        for _ in range(int(seconds) + 1):
            for watcher in self.watchers:
                watcher.run_once(role)
            self.now += 1
        self.house.parts.leases.release(role)


@pytest.fixture
def watch(house: House) -> Watch:
    return Watch(house)


def add_watched(house: House, name: str = "weather", *, deployed: bool = True) -> Deployment:
    deployment = house.add_deployment(name)
    if deployed:
        house.deploy(deployment)
    return set_watch(house.parts, deployment, True)


def finish(house: House) -> Build:
    """Let the build that waits run to its end."""
    claimed = house.storage.builds.claim("somebody", limit=10)
    assert claimed is not None
    return house.pipeline.run(claimed, lambda: None)


def list_triggers(house: House, deployment: Deployment) -> list[BuildTrigger]:
    return [item.trigger for item in reversed(house.storage.builds.list(deployment.id))]


def test_what_is_live_already_is_not_deployed_again(house: House, watch: Watch) -> None:
    deployment = add_watched(house)
    watch.run(10)
    assert list_triggers(house, deployment) == ["manual"]
    assert list(house.home.workspaces.glob("*")) == []


def test_a_change_is_deployed_once_it_has_been_quiet(house: House, watch: Watch) -> None:
    deployment = add_watched(house)
    watch.run(5)
    for number in range(5):
        house.source.write("weather", "src/index.ts", f"export const x = {number}")
        watch.run()
    assert list_triggers(house, deployment) == ["manual"]
    watch.run(3)
    assert list_triggers(house, deployment) == ["manual", "watch"]
    finish(house)
    watch.run(10)
    assert list_triggers(house, deployment) == ["manual", "watch"]


def test_a_change_that_is_taken_back_within_the_debounce_deploys_nothing(house: House, watch: Watch) -> None:
    deployment = add_watched(house)
    watch.run(5)
    house.source.write("weather", "package.json", "{}")
    watch.run()
    house.source.write("weather", "package.json", '{"name": "weather"}')
    watch.run(10)
    assert list_triggers(house, deployment) == ["manual"]


def test_a_change_made_while_nothing_ran_is_deployed(house: House, watch: Watch) -> None:
    deployment = add_watched(house)
    watch.run(5)
    house.source.write("weather", "src/index.ts", "export {}")
    watch.restart()
    watch.run(5)
    assert list_triggers(house, deployment) == ["manual", "watch"]


def test_a_restart_deploys_nothing_that_is_queued_or_was_built(house: House, watch: Watch) -> None:
    deployment = add_watched(house)
    watch.run(5)
    house.source.write("weather", "src/index.ts", "export {}")
    watch.run(5)
    watch.restart()
    watch.run(5)
    finish(house)
    watch.restart()
    watch.run(5)
    assert list_triggers(house, deployment) == ["manual", "watch"]


def test_a_change_that_a_manual_deploy_took_is_not_deployed_again(house: House, watch: Watch) -> None:
    deployment = add_watched(house)
    watch.run(5)
    house.source.write("weather", "src/index.ts", "export {}")
    watch.run()
    house.queue.enqueue(deployment)
    watch.run(5)
    finish(house)
    watch.run(5)
    assert list_triggers(house, deployment) == ["manual", "manual"]


def test_a_change_during_a_build_is_deployed_after_it(house: House, watch: Watch) -> None:
    deployment = add_watched(house)
    watch.run(5)
    running = house.claim(deployment)
    house.source.write("weather", "src/index.ts", "export {}")
    watch.run(10)
    assert house.storage.builds.list(statuses=[BuildStatus.QUEUED]) == []  # what it copies isn't known yet
    house.storage.builds.update(running.id, source_hash="of what lay there before")
    watch.run(3)
    assert list_triggers(house, deployment) == ["manual", "manual", "watch"]


def test_touched_files_with_the_same_content_deploy_nothing(
    house: House, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = add_watched(house)
    watch.run(5)
    monkeypatch.setattr(house.source, "read_revision", lambda *_: "other times of the same files")
    watch.run(10)
    assert list_triggers(house, deployment) == ["manual"]


def test_a_source_that_fails_to_build_is_not_built_again_until_it_changes(house: House, watch: Watch) -> None:
    deployment = add_watched(house)
    watch.run(5)
    house.source.write("weather", "behaviour.txt", "fails")
    watch.run(5)
    assert finish(house).status is BuildStatus.FAILED
    watch.run(30)
    watch.restart()
    watch.run(5)
    assert list_triggers(house, deployment) == ["manual", "watch"]
    house.source.write("weather", "behaviour.txt", "works")
    watch.run(5)
    assert finish(house).status is BuildStatus.SUCCEEDED


def test_a_watched_deployment_that_was_never_deployed_is(house: House, watch: Watch) -> None:
    deployment = add_watched(house, deployed=False)
    watch.run(5)
    assert list_triggers(house, deployment) == ["watch"]


def test_a_stopped_deployment_is_left_alone_until_it_runs_again(house: House, watch: Watch) -> None:
    deployment = add_watched(house)
    watch.run(5)
    house.deployments.stop(deployment)
    house.source.write("weather", "src/index.ts", "export {}")
    watch.run(10)
    assert list_triggers(house, deployment) == ["manual"]


def test_what_is_not_watched_any_more_is_left_alone(house: House, watch: Watch) -> None:
    deployment = add_watched(house)
    watch.run(5)
    set_watch(house.parts, deployment, False)
    house.source.write("weather", "src/index.ts", "export {}")
    watch.run(10)
    assert list_triggers(house, deployment) == ["manual"]


def test_a_rollback_is_not_undone_by_the_watcher(house: House, watch: Watch) -> None:
    deployment = add_watched(house)
    watch.run(5)
    house.source.write("weather", "src/index.ts", "export {}")
    watch.run(5)
    finish(house)
    house.deployments.rollback(house.read(deployment))
    finish(house)
    watch.restart()
    watch.run(10)
    assert list_triggers(house, deployment) == ["manual", "watch", "manual"]


def test_a_source_that_cannot_be_read_is_told_once_shown_and_asked_less_and_less(
    house: House, watch: Watch, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    deployment = add_watched(house)
    watch.run(5)
    asked = []

    def fail(*_: Any) -> str:
        asked.append(watch.now)
        raise SourceError("The disk is gone.")

    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr(house.source, "read_revision", fail)
        watch.run(100)
        assert read_watch_errors(house.home) == {deployment.id: "The disk is gone."}
    assert len([line for line in caplog.messages if "The disk is gone" in line]) == 1
    assert len(asked) < 10
    house.source.write("weather", "src/index.ts", "export {}")
    watch.run(200)
    assert read_watch_errors(house.home) == {}
    assert list_triggers(house, deployment) == ["manual", "watch"]


def test_one_source_that_fails_does_not_keep_others_from_their_turn(house: House, watch: Watch) -> None:
    add_watched(house, "one")
    other = add_watched(house, "two")
    house.source.remove("one")
    house.source.write("two", "src/index.ts", "export {}")
    watch.run(5)
    assert list_triggers(house, other) == ["manual", "watch"]


def test_a_commit_that_was_asked_for_by_hand_stays_until_the_branch_moves(house: House, watch: Watch) -> None:
    deployment = add_watched(house)
    watch.run(5)
    house.queue.enqueue(deployment, ref="v1")
    watch.restart()
    watch.run(5)
    assert list_triggers(house, deployment) == ["manual", "manual"]


class FakeGit:
    """A repository whose revision is the commit of a branch."""

    def __init__(self) -> None:
        self.commits = {"main": "a" * 40}
        self.asked = 0

    def read_revision(self, config: Mapping[str, Any], ref: str | None) -> str:
        self.asked += 1
        return self.commits[str(ref)]


def test_a_repository_is_asked_every_so_many_seconds_and_each_commit_is_deployed_once(
    house: House, watch: Watch
) -> None:
    deployment = add_watched(house, deployed=False)
    git = FakeGit()
    sources = {**house.parts.sources, SourceType.GIT: git}
    watch.house.parts = replace(house.parts, sources=sources)  # type: ignore[arg-type]
    watch.restart()
    house.storage.projects.update(deployment.project_id, source_type=SourceType.GIT)
    live = house.storage.builds.create(Build(deployment.id, commit="a" * 40))
    house.storage.builds.claim("somebody", limit=1)
    for status in (BuildStatus.DEPLOYING, BuildStatus.SUCCEEDED):
        house.storage.builds.transition(live.id, status, expected=list(BuildStatus)[:3])
    watch.run(119)
    assert git.asked == 2
    assert list_triggers(house, deployment) == ["manual"]
    git.commits["main"] = "b" * 40
    watch.run(120)
    assert list_triggers(house, deployment) == ["manual", "watch"]
