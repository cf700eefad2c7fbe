"""Artifacts: made once for each source and configuration, and what happens around the making."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fixtures.house import House

from mastra_admin_sdk.errors import PhaseTimeout
from mastra_admin_sdk.folders import remove_tree
from mastra_admin_sdk.locks import try_lock
from mastra_admin_sdk.models import Build, BuildStatus, Deployment, DeploymentType
from mastra_admin_sdk.services.builds.workspaces import Workspaces
from mastra_admin_sdk.services.environment.secrets import change_env


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path / "home", build_cache=True)
    yield made
    made.close()


def set_env(house: House, deployment: Deployment, *, secret: bool, **values: str) -> None:
    variables = change_env(house.parts.secrets, (), values, secret=secret)
    house.storage.deployments.set_env(deployment.id, variables)


def deploy(house: House, deployment: Deployment, **fields: Any) -> Build:
    build = house.claim(house.read(deployment), **fields)
    try:
        return house.pipeline.run(build, lambda: None)
    finally:
        house.pipeline.finish(build)


def test_an_unchanged_source_runs_the_artifact_that_was_built_of_it(house: House) -> None:
    deployment = house.add_deployment()
    first, second = house.deploy(deployment), house.deploy(deployment)
    assert second.status is BuildStatus.SUCCEEDED
    assert len(house.runner.requests) == 1
    assert second.artifact_build_id == first.id
    assert second.cache_key == first.cache_key
    assert second.stats["artifact"] == "reused"
    assert second.notes[0] == "Nothing changed since build #1: using its artifact."
    assert "install" not in second.phases
    assert "Nothing changed since build #1: using its artifact" in Path(second.log_path or "").read_text()
    assert house.serving(deployment).build_id == second.id


def test_a_third_build_names_the_one_that_made_the_artifact(house: House) -> None:
    deployment = house.add_deployment()
    first = house.deploy(deployment)
    assert [house.deploy(deployment).artifact_build_id for _ in range(2)] == [first.id] * 2


def test_figures_of_a_build_stand_on_its_record(house: House) -> None:
    build = house.deploy(house.add_deployment())
    assert {"source_files", "source_bytes", "artifact"} <= set(build.stats)
    assert build.stats["artifact"] == "miss"
    assert build.cache_key
    assert build.source_hash


def test_a_build_that_failed_says_what_it_was_made_of(house: House) -> None:
    deployment = house.add_deployment()
    house.source.write("weather", "behaviour.txt", "fails")
    failed = house.deploy(deployment)
    assert failed.status is BuildStatus.FAILED
    assert failed.source_hash
    assert failed.stats["source_files"] == 2


def test_a_changed_source_is_built(house: House) -> None:
    deployment = house.add_deployment()
    house.deploy(deployment)
    house.source.write("weather", "more.ts", "export {};")
    assert house.deploy(deployment).stats["artifact"] == "miss"
    assert len(house.runner.requests) == 2


def test_a_changed_variable_that_builds_see_is_a_change(house: House) -> None:
    deployment = house.add_deployment()
    house.deploy(deployment)
    set_env(house, deployment, secret=False, API_URL="https://one.example")
    assert house.deploy(deployment).stats["artifact"] == "miss"
    set_env(house, deployment, secret=False, API_URL="https://two.example")
    assert house.deploy(deployment).stats["artifact"] == "miss"


def test_a_changed_secret_that_no_build_sees_is_none(house: House) -> None:
    deployment = house.add_deployment()
    house.deploy(deployment)
    set_env(house, deployment, secret=True, API_KEY="sk-1")
    assert house.deploy(deployment).stats["artifact"] == "reused"


def test_another_node_is_a_change(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    deployment = house.add_deployment()
    house.deploy(deployment)
    monkeypatch.setattr(house.runner, "read_fingerprint", lambda project: "another")
    assert house.deploy(deployment).stats["artifact"] == "miss"


def test_a_fresh_deploy_builds_what_is_unchanged_and_later_ones_run_that(house: House) -> None:
    deployment = house.add_deployment()
    house.deploy(deployment)
    fresh = deploy(house, deployment, fresh=True)
    assert house.runner.requests[-1].fresh
    assert fresh.artifact_build_id == fresh.id
    assert house.deploy(deployment).artifact_build_id == fresh.id


def test_an_artifact_that_is_gone_is_built_again(house: House) -> None:
    deployment = house.add_deployment()
    first = house.deploy(deployment)
    remove_tree(house.home.artifacts / first.id)
    assert house.deploy(deployment).stats["artifact"] == "miss"


def test_deployments_of_a_project_share_artifacts_and_other_projects_do_not(house: House) -> None:
    deployment = house.add_deployment()
    first = house.deploy(deployment)
    project = house.storage.projects.get(deployment.project_id)
    staging = house.deployments.find_or_create(project, type=DeploymentType.STAGING)
    assert house.deploy(staging).artifact_build_id == first.id
    stranger = house.deploy(house.add_deployment("stranger"))
    assert stranger.artifact_build_id == stranger.id


def test_a_build_that_failed_is_never_reused(house: House) -> None:
    deployment = house.add_deployment()
    house.runner.behaviour = "crashes_on_boot"
    assert house.deploy(deployment).status is BuildStatus.FAILED
    house.runner.behaviour = "hello"
    assert house.deploy(deployment).stats["artifact"] == "miss"


def test_copying_has_a_limit(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    deployment = house.add_deployment()
    clock = iter(range(0, 10_000_000, 1000))
    monkeypatch.setattr("mastra_admin_sdk.services.builds.making.time.monotonic", lambda: float(next(clock)))
    fetch = house.source.fetch

    def slow(config: Any, ref: Any, target: Path, cancel: Any) -> Any:
        cancel()
        return fetch(config, ref, target, cancel)

    monkeypatch.setattr(house.source, "fetch", slow)
    build = house.deploy(deployment)
    assert build.error["code"] == PhaseTimeout("x").code
    assert "MASTRA_ADMIN_COPY_TIMEOUT" in str(build.error["hint"])


# --- what is left -----------------------------------------------------------------------------------------------------


def test_a_runner_may_keep_what_it_installed_once_the_build_is_live(house: House) -> None:
    deployment = house.add_deployment()
    seen: list[tuple[bool, bool]] = []

    def settle(build_id: str, workspace: Path, *, succeeded: bool) -> None:
        is_live = house.storage.builds.get(build_id).status is BuildStatus.SUCCEEDED
        seen.append((is_live and workspace.is_dir(), succeeded))

    house.runner.settle_build = settle  # type: ignore[method-assign]
    house.deploy(deployment)
    assert seen == [(True, True)]
    assert list_left(house) == []


@pytest.mark.parametrize("error", [OSError("disk full"), TimeoutError("locked")], ids=["os", "lock"])
def test_what_can_not_be_kept_costs_nothing(house: House, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def settle(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(house.runner, "settle_build", settle)
    assert house.deploy(house.add_deployment()).status is BuildStatus.SUCCEEDED
    assert list_left(house) == []


def test_what_a_killed_process_left_is_removed_by_the_next_build(house: House) -> None:
    deployment = house.add_deployment()
    left = house.home.cache / "trash" / "killed.1.0"
    (left / "node_modules").mkdir(parents=True)
    house.deploy(deployment)
    assert not left.exists()


def test_what_another_process_still_uses_is_left_alone(house: House) -> None:
    trash = house.home.cache / "trash"
    (trash / "theirs.1.0").mkdir(parents=True)
    lock = try_lock(trash / "theirs.1.0.lock")
    assert lock
    assert Workspaces(house.home).sweep() == 0
    lock.close()
    assert Workspaces(house.home).sweep() == 1
    assert list(trash.iterdir()) == []


def list_left(house: House) -> list[Path]:
    return [*house.home.workspaces.glob("*"), *(house.home.cache / "trash").glob("*")]
