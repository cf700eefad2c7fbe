"""What is kept of each deployment, what goes, and that a collection can be killed anywhere."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fixtures.house import House

from mastra_admin_sdk.errors import BuildError, HomeError, InvalidInput, StorageError
from mastra_admin_sdk.folders import remove_tree
from mastra_admin_sdk.models import (
    Build,
    BuildKind,
    BuildStatus,
    Deployment,
    DeploymentType,
    Lease,
    Process,
    ProcessStatus,
    Removal,
    utc_now,
)
from mastra_admin_sdk.services.builds.artifacts import list_kept
from mastra_admin_sdk.services.deployments import live as live_module
from mastra_admin_sdk.services.deployments import service as service_module
from mastra_admin_sdk.services.keeping import retention as retention_module
from mastra_admin_sdk.services.keeping.removals import DiskMeter, Removals
from mastra_admin_sdk.services.keeping.retention import Retention

MONTHS = 90 * 86400


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """A home where each deploy makes an artifact, and drains at once: nobody sends requests."""
    monkeypatch.setattr(live_module, "_QUIET", 0.0)
    made = House(tmp_path / "home", build_cache=False)
    yield made
    made.close()


@pytest.fixture
def keeping(house: House) -> Retention:
    return Retention(house.parts)


def deploy_all(house: House, deployment: Deployment, count: int) -> list[Build]:
    builds = []
    for _ in range(count):
        builds.append(house.deploy(house.read(deployment)))
        house.pipeline.finish(builds[-1])
    return builds


def list_artifacts(house: House) -> set[str]:
    return {path.name for path in house.home.artifacts.glob("*")}


def name(builds: Sequence[Build]) -> set[str]:
    return {build.id for build in builds}


def make_old(*paths: Path) -> None:
    for path in paths:
        then = path.stat().st_mtime - MONTHS
        os.utime(path, (then, then))


# --- artifacts --------------------------------------------------------------------------------------------------------


def test_the_last_builds_are_kept_besides_current_and_previous(house: House, keeping: Retention) -> None:
    deployment = house.add_deployment()
    keeping.set_keep(deployment, 2)
    builds = deploy_all(house, deployment, 6)
    assert list_artifacts(house) == name(builds[2:])
    assert [build.number for build in list_kept(house.parts, house.read(deployment))] == [6, 5, 4, 3]


def test_a_deploy_tidies_its_deployment(house: House) -> None:
    deployment = house.add_deployment()
    house.storage.deployments.update(deployment.id, keep_builds=0)
    builds = deploy_all(house, deployment, 4)
    assert list_artifacts(house) == name(builds[2:])
    assert house.storage.builds.get(builds[0].id).artifact == {}


def test_the_setting_says_how_many_unless_the_deployment_does(house: House, keeping: Retention) -> None:
    deployment = house.add_deployment()
    builds = deploy_all(house, deployment, 9)
    assert list_artifacts(house) == name(builds[2:])


def test_what_was_gone_back_to_counts_as_new(house: House, keeping: Retention) -> None:
    deployment = house.add_deployment()
    first, second, third, fourth = deploy_all(house, deployment, 4)
    house.deploy(house.read(deployment), BuildKind.ROLLBACK, of=first)
    keeping.set_keep(deployment, 0)
    keeping.collect()
    assert list_artifacts(house) == name([first, fourth])
    keeping.set_keep(deployment, None)
    assert house.read(deployment).keep_builds is None
    assert name([second, third]).isdisjoint(list_artifacts(house))


def test_a_run_of_failed_builds_pushes_no_good_one_out(house: House, keeping: Retention) -> None:
    deployment = house.add_deployment()
    keeping.set_keep(deployment, 1)
    good = deploy_all(house, deployment, 3)
    house.runner.behaviour = "never_healthy"
    house.parts.settings._values["health_timeout"] = 0.05
    failed = deploy_all(house, deployment, 3)
    assert {build.status for build in failed} == {BuildStatus.FAILED}
    keeping.collect()
    assert list_artifacts(house) == name(good)


def test_what_a_queued_build_is_to_start_stays(house: House, keeping: Retention) -> None:
    deployment = house.add_deployment()
    builds = deploy_all(house, deployment, 4)
    house.deployments.rollback(house.read(deployment), builds[0])
    keeping.set_keep(deployment, 0)
    keeping.collect()
    assert list_artifacts(house) == name([builds[0], *builds[2:]])


def test_what_a_server_still_runs_stays(house: House, keeping: Retention) -> None:
    deployment = house.add_deployment()
    builds = deploy_all(house, deployment, 4)
    house.storage.processes.create(Process(deployment.id, builds[0].id, "127.0.0.1", 1))
    keeping.set_keep(deployment, 0)
    keeping.collect()
    assert builds[0].id in list_artifacts(house)


def test_an_artifact_in_another_home_is_left_to_that(house: House, keeping: Retention, tmp_path: Path) -> None:
    deployment = house.add_deployment()
    builds = deploy_all(house, deployment, 4)
    elsewhere = {**builds[0].artifact, "path": str(tmp_path / "other" / "artifacts" / builds[0].id)}
    house.storage.builds.update(builds[0].id, artifact=elsewhere)
    keeping.set_keep(deployment, 0)
    keeping.collect()
    assert house.storage.builds.get(builds[0].id).artifact == elsewhere


@pytest.mark.parametrize("keep", [-1, 1.5, True, "5", 10**30], ids=["negative", "half", "flag", "text", "huge"])
def test_only_a_number_of_artifacts_can_be_kept(house: House, keeping: Retention, keep: Any) -> None:
    with pytest.raises(InvalidInput):
        keeping.set_keep(house.add_deployment(), keep)


# --- going back to what is gone ---------------------------------------------------------------------------------------


def test_going_back_to_a_removed_artifact_names_those_that_are_kept(house: House, keeping: Retention) -> None:
    deployment = house.add_deployment()
    builds = deploy_all(house, deployment, 4)
    keeping.set_keep(deployment, 0)
    keeping.collect()
    with pytest.raises(InvalidInput, match="its artifact was removed") as caught:
        house.deployments.rollback(house.read(deployment), house.storage.builds.get(builds[0].id))
    assert caught.value.hint == "Kept: #4, #3."


def test_an_artifact_that_somebody_deleted_by_hand_counts_as_removed(house: House) -> None:
    deployment = house.add_deployment()
    first, _ = deploy_all(house, deployment, 2)
    remove_tree(house.home.artifacts / first.id)
    with pytest.raises(InvalidInput, match="its artifact was removed"):
        house.deployments.rollback(house.read(deployment))


def test_going_back_to_a_reused_artifact_starts_the_one_that_was_made(house: House) -> None:
    deployment = house.add_deployment(FLAVOUR="old")
    first, _ = deploy_all(house, deployment, 2)
    back = house.deploy(house.read(deployment), BuildKind.ROLLBACK, of=first)
    deploy_all(house, deployment, 1)
    again = house.pipeline.run(_claim(house, house.deployments.rollback(house.read(deployment), back)), lambda: None)
    assert again.artifact_build_id == first.id
    assert again.env_snapshot == first.env_snapshot
    assert house.runner.starts[-1].artifact.path == house.home.artifacts / first.id


def _claim(house: House, queued: Build) -> Build:
    claimed = house.storage.builds.claim("worker", limit=10)
    assert claimed is not None
    assert claimed.id == queued.id
    return claimed


# --- faults -----------------------------------------------------------------------------------------------------------


def promote(house: House, source: Deployment, to: str = "production") -> tuple[Deployment, Build]:
    queued = house.deployments.promote(house.read(source), to)
    build = house.pipeline.run(_claim(house, queued), lambda: None)
    return house.storage.deployments.get(build.deployment_id), build


@pytest.fixture
def staging(house: House) -> Deployment:
    return house.deployments.find_or_create(house.add_project(), branch="staging", type=DeploymentType.STAGING)


def test_kamal_1922_pruning_staging_keeps_what_production_serves_and_served(
    house: House, keeping: Retention, staging: Deployment
) -> None:
    first = house.deploy(staging)
    production, _ = promote(house, staging)
    second = house.deploy(house.read(staging))
    promote(house, staging)
    later = deploy_all(house, staging, 4)
    for deployment in (staging, production):
        keeping.set_keep(deployment, 0)
    keeping.collect()
    assert list_artifacts(house) == name([first, second, *later[2:]])
    back = house.deployments.rollback(house.read(production))
    assert house.pipeline.run(_claim(house, back), lambda: None).status is BuildStatus.SUCCEEDED


def test_kamal_1922_deleting_staging_leaves_production_what_it_was_promoted(
    house: House, keeping: Retention, staging: Deployment
) -> None:
    first = house.deploy(staging)
    production, _ = promote(house, staging)
    second = house.deploy(house.read(staging))
    promote(house, staging)
    third = house.deploy(house.read(staging))
    assert house.deployments.delete(house.read(staging))
    assert list_artifacts(house) == name([first, second])
    keeping.collect()
    assert list_artifacts(house) == name([first, second])
    back = house.deployments.rollback(house.read(production))
    assert house.pipeline.run(_claim(house, back), lambda: None).status is BuildStatus.SUCCEEDED
    house.supervise()
    assert house.serving(production)
    assert third.id not in list_artifacts(house)
    house.deployments.delete(house.read(production))
    assert list_artifacts(house) == set()


def test_a_hand_over_that_was_interrupted_is_repeated(
    house: House, keeping: Retention, staging: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = house.deploy(staging)
    production, promoted = promote(house, staging)
    update = house.storage.builds.update

    def die_before_the_owner(build_id: str, **changes: Any) -> Build:
        if build_id == made.id:
            raise KeyboardInterrupt
        return update(build_id, **changes)

    with monkeypatch.context() as patch:
        patch.setattr(house.storage.builds, "update", die_before_the_owner)
        with pytest.raises(KeyboardInterrupt):
            house.deployments.delete(house.read(staging))
    keeping.set_keep(staging, 0)
    keeping.collect()
    assert house.deployments.delete(house.read(staging))
    assert list_artifacts(house) == {made.id}
    assert house.storage.builds.get(promoted.id).artifact["path"] == str(house.home.artifacts / made.id)
    assert house.serving(production)


def test_a_delete_that_was_killed_after_the_hand_over_is_repeated(
    house: House, staging: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = house.deploy(staging)
    production, _ = promote(house, staging)

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(service_module, "remove_manifest", die)
        with pytest.raises(KeyboardInterrupt):
            house.deployments.delete(house.read(staging))
    assert house.deployments.delete(house.read(staging))
    assert list_artifacts(house) == {made.id}
    house.crash(house.serving(production))
    restarted = house.deployments.restart(house.read(production))
    assert house.pipeline.run(_claim(house, restarted), lambda: None).status is BuildStatus.SUCCEEDED


def test_what_another_deployment_runs_because_nothing_had_changed_stays(tmp_path: Path) -> None:
    house = House(tmp_path / "home", build_cache=True)
    try:
        project = house.add_project()
        staging = house.deployments.find_or_create(project, branch="staging", type=DeploymentType.STAGING)
        production = house.deployments.find_or_create(project)
        made = house.deploy(staging)
        assert house.deploy(production).artifact_build_id == made.id
        house.deployments.delete(house.read(staging))
        assert list_artifacts(house) == {made.id}
        assert house.deploy(house.read(production)).status is BuildStatus.SUCCEEDED
        Retention(house.parts).collect()
        assert list_artifacts(house) == {made.id}
        assert len(house.runner.requests) == 1
    finally:
        house.close()


def test_dokploy_3193_a_full_disk_fails_the_build_and_says_so(
    house: House, keeping: Retention, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = house.add_deployment()
    served = house.deploy(deployment)
    monkeypatch.setattr(retention_module.shutil, "disk_usage", lambda _: _Usage(0))
    refused = house.deploy(house.read(deployment))
    assert refused.status is BuildStatus.FAILED
    assert "Only 0 MB are free" in (refused.error_message or "")
    found = house.read(deployment)
    assert found.current_build_id == served.id
    assert "Only 0 MB are free" in (found.status_reason or "")
    assert house.serving(deployment).build_id == served.id


class _Usage:
    def __init__(self, free: int) -> None:
        self.free = free


def test_a_build_makes_room_before_it_is_refused(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    deployment = house.add_deployment()
    builds = deploy_all(house, deployment, 5)
    asked: list[int] = []

    def trim(max_bytes: int, *, dry_run: bool = False) -> list[Removal]:
        asked.append(max_bytes)
        return [Removal("cache", "package", "not used longest", 7_000_000)]

    monkeypatch.setattr(house.runner, "trim_cache", trim)
    monkeypatch.setattr(house.runner, "measure_cache", lambda: 10_000_000)
    # Each artifact that goes frees 100 kB of the 400 that are missing; the cache gives the rest.
    free = {"bytes": lambda: 1_000_000 - 100_000 * len(list_artifacts(house)) + 5_000_000 * len(asked)}
    monkeypatch.setattr(retention_module.shutil, "disk_usage", lambda _: _Usage(free["bytes"]()))
    made = house.deploy(house.read(deployment))
    assert made.status is BuildStatus.SUCCEEDED
    assert list_artifacts(house) == name([*builds[3:], made])
    assert asked[0] == 10_000_000 - 200_000
    lines = Path(made.log_path or "").read_text()
    assert lines.count("Removed to make room") == 4


def test_no_more_is_removed_than_brings_enough_room(
    house: House, keeping: Retention, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = house.add_deployment()
    builds = deploy_all(house, deployment, 5)
    monkeypatch.setattr(
        retention_module.shutil, "disk_usage", lambda _: _Usage(1_300_000 - 100_000 * len(list_artifacts(house)))
    )
    assert len(keeping.make_room()) == 2
    assert list_artifacts(house) == name(builds[2:])
    assert len(keeping.make_room()) == 0


def test_pm2_1309_logs_of_what_is_over_go_when_they_are_old(house: House, keeping: Retention) -> None:
    deployment = house.add_deployment()
    builds = deploy_all(house, deployment, 4)
    servers = [item.id for item in house.storage.processes.list(deployment.id)]
    newest, *older = servers
    for item in servers:
        (house.home.server_logs / f"{item}.log").write_text("x")
        (house.home.server_logs / f"{item}.log.1").write_text("x")
    rotated = house.home.logs / "up.log.1"
    rotated.write_text("x")
    make_old(rotated, *house.home.build_logs.iterdir(), *house.home.server_logs.iterdir())
    fresh = house.home.server_logs / f"{older[0]}.log"
    fresh.write_text("still written to")
    keeping.collect()
    assert {path.stem for path in house.home.build_logs.iterdir()} == name(builds[2:])
    left = {path.name for path in house.home.server_logs.iterdir()}
    assert left == {f"{item}.log{end}" for item in (newest, older[0]) for end in ("", ".1")}
    assert not rotated.exists()


def test_caprover_641_what_has_a_queued_build_can_be_deleted(house: House) -> None:
    deployment = house.add_deployment()
    house.deploy(deployment)
    house.queue.enqueue(house.read(deployment))
    house.deployments.delete(house.read(deployment))
    assert house.storage.deployments.list() == []
    assert list_artifacts(house) == set()


# --- leftovers --------------------------------------------------------------------------------------------------------


def test_what_interrupted_work_left_is_removed(house: House, keeping: Retention) -> None:
    deployment = house.add_deployment()
    build = house.deploy(deployment)
    running = house.claim(house.read(deployment))
    over, going = house.home.workspaces / build.id, house.home.workspaces / running.id
    partial = house.home.artifacts / f"{build.id}.partial"
    making = house.home.artifacts / f"{running.id}.partial"
    stranger, new_stranger = house.home.artifacts / "nobody", house.home.artifacts / "unknown"
    for folder in (over, going, partial, making, stranger, new_stranger):
        folder.mkdir(parents=True)
    make_old(stranger)
    found = keeping.collect()
    assert {item.path for item in found} == {str(path) for path in (over, partial, stranger)}
    assert going.exists()
    assert list_artifacts(house) == {build.id, making.name, new_stranger.name}


def test_a_workspace_that_was_thrown_away_and_not_removed_goes(house: House, keeping: Retention) -> None:
    left = house.home.cache / "trash" / "of-a-killed-build.1.0"
    left.mkdir(parents=True)
    (left / "big").write_bytes(b"x" * 100_000)
    (found,) = keeping.collect()
    assert (found.what, found.bytes >= 100_000, left.exists()) == ("workspaces", True, False)
    assert list(keeping.collect()) == []


def test_a_home_that_is_used_with_another_database_loses_no_artifact(house: House, keeping: Retention) -> None:
    house.home.artifacts.mkdir()
    folder = house.home.artifacts / "of-another-database"
    folder.mkdir()
    make_old(folder)
    assert list(keeping.collect()) == []
    assert folder.exists()


@pytest.mark.parametrize("step", ["rename", "remove"])
def test_a_collection_that_was_killed_is_resumed(
    house: House, keeping: Retention, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    deployment = house.add_deployment()
    builds = deploy_all(house, deployment, 4)
    keeping.set_keep(deployment, 0)

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if step == "rename":
            patch.setattr(Path, "rename", die)
        else:
            patch.setattr(retention_module, "_try_to_remove", die)
        with pytest.raises(KeyboardInterrupt):
            keeping.collect()
    assert len(list_artifacts(house)) > 2
    with pytest.raises(InvalidInput, match="its artifact was removed"):
        house.deployments.rollback(house.read(deployment), house.storage.builds.get(builds[0].id))
    keeping.collect()
    assert list_artifacts(house) == name(builds[2:])


def test_going_back_while_a_collection_runs_gets_an_artifact_or_an_error_at_once(
    house: House, keeping: Retention, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who comes first wins: here the collection has chosen, and the rollback waits for it and is refused."""
    deployment = house.add_deployment()
    builds = deploy_all(house, deployment, 3)
    keeping.set_keep(deployment, 0)
    chosen, go_on = threading.Event(), threading.Event()
    take_away = Retention._take_away

    def wait(self: Retention, item: Any) -> Path:
        chosen.set()
        assert go_on.wait(10)
        return take_away(self, item)

    monkeypatch.setattr(Retention, "_take_away", wait)
    collection = threading.Thread(target=keeping.collect)
    collection.start()
    assert chosen.wait(10)
    threading.Timer(0.05, go_on.set).start()
    with pytest.raises(InvalidInput, match="its artifact was removed"):
        house.deployments.rollback(house.read(deployment), builds[0])
    collection.join()
    assert house.queue.list_active(deployment.id) == []


def test_old_records_of_ended_servers_are_forgotten(house: House, keeping: Retention) -> None:
    deployment = house.add_deployment()
    build = house.deploy(deployment)
    then = utc_now() - timedelta(days=90)
    for port in range(30):
        process = Process(deployment.id, build.id, "127.0.0.1", port + 1, status=ProcessStatus.EXITED)
        house.storage.processes.create(replace(process, created_at=then, exited_at=then))
    keeping.collect(dry_run=True)
    assert len(house.storage.processes.list(deployment.id)) == 31
    keeping.collect()
    # The one that serves, and twenty that ended.
    assert len(house.storage.processes.list(deployment.id)) == 21
    assert house.serving(deployment)


def test_what_can_not_be_removed_is_told_and_tried_again(
    house: House, keeping: Retention, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = house.add_deployment()
    builds = deploy_all(house, deployment, 3)
    keeping.set_keep(deployment, 0)

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(retention_module, "remove_tree", lambda path: refuse(path) if path.exists() else None)
        found = keeping.collect()
    assert any("Permission denied" in problem for problem in found.problems)
    assert keeping.collect().problems == ()
    assert list_artifacts(house) == name(builds[1:])


# --- what it says -----------------------------------------------------------------------------------------------------


def test_a_dry_run_says_the_same_and_removes_nothing(house: House, keeping: Retention) -> None:
    deployment = house.add_deployment()
    deploy_all(house, deployment, 4)
    keeping.set_keep(deployment, 0)
    before = list_artifacts(house)
    planned = keeping.collect(dry_run=True)
    assert list_artifacts(house) == before
    done = keeping.collect()
    assert list(planned) == list(done)
    assert (planned.title.split()[0], done.title.split()[0]) == ("Would", "Removed")
    assert done[0].what == "artifact of weather/main #1"
    assert done[0].reason == "main keeps 0 besides those in use"
    assert repr(keeping.collect()) == "<Nothing to remove>"


def test_removals_show_themselves_as_a_table_and_a_frame() -> None:
    one = Removal("/home/a", "artifact", "old", 2048)
    found = Removals([one], problems=["x"]) + Removals([Removal("/home/b", "log", "older", 0)])
    assert (found.bytes, len(found), found[0], found.problems) == (2048, 2, one, ("x",))
    assert repr(found).splitlines()[0] == "Removed 2 things, 2.0 KB:"
    assert "/home/b" in repr(found)
    assert "<table" in found._repr_html_()
    frame = found.frame()
    assert list(frame.columns) == ["what", "reason", "path", "bytes"]
    assert list(frame["bytes"]) == [2048, 0]
    assert Removals().frame()["bytes"].dtype == "int64"


def test_a_file_with_several_names_frees_its_bytes_with_the_last(tmp_path: Path) -> None:
    for folder in ("a", "b", "cache"):
        (tmp_path / folder).mkdir()
    (tmp_path / "a" / "big").write_bytes(b"x" * 100_000)
    (tmp_path / "b" / "big").hardlink_to(tmp_path / "a" / "big")
    meter = DiskMeter()
    first, second = meter.measure(tmp_path / "a"), meter.measure(tmp_path / "b")
    assert first < 50_000 < 100_000 <= second
    (tmp_path / "cache" / "big").hardlink_to(tmp_path / "a" / "big")
    assert DiskMeter().measure(tmp_path / "a", tmp_path / "b") < 50_000
    assert DiskMeter().measure(tmp_path / "nothing") == 0


def test_hard_links_count_once_also_over_all_that_a_collection_removes(house: House, keeping: Retention) -> None:
    deployment = house.add_deployment()
    build = deploy_all(house, deployment, 4)[0]
    artifact, left, cached = house.home.artifacts / build.id, house.home.workspaces / build.id, house.home.cache / "x"
    left.mkdir(parents=True)
    (artifact / "big").write_bytes(b"x" * 1_000_000)
    (left / "big").hardlink_to(artifact / "big")
    cached.hardlink_to(artifact / "big")
    keeping.set_keep(deployment, 0)
    assert keeping.collect(dry_run=True).bytes < 500_000
    assert keeping.collect().bytes < 500_000
    assert cached.exists()


def test_a_disk_that_takes_no_record_is_first_freed_of_what_needs_none(
    house: House, keeping: Retention, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = house.deploy(house.add_deployment())
    left = house.home.workspaces / build.id
    acquire = house.storage.leases.acquire

    def be_full(*arguments: Any, **options: Any) -> Lease | None:
        if left.exists():
            raise StorageError("database or disk is full")
        return acquire(*arguments, **options)

    monkeypatch.setattr(house.storage.leases, "acquire", be_full)
    left.mkdir()
    assert [item.what for item in keeping.collect(dry_run=True)] == ["workspace"]
    assert [item.what for item in keeping.collect()] == ["workspace"]
    assert not left.exists()


def test_a_dry_run_without_a_database_removes_nothing(
    house: House, keeping: Retention, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = house.deploy(house.add_deployment())
    (house.home.workspaces / build.id).mkdir()

    def be_away(*_: Any, **__: Any) -> None:
        raise StorageError("the database is away")

    monkeypatch.setattr(house.storage.processes, "list", be_away)
    with pytest.raises(StorageError):
        keeping.collect(dry_run=True)
    assert (house.home.workspaces / build.id).exists()


def test_a_disk_that_takes_no_record_and_holds_nothing_to_remove_is_told(
    house: House, keeping: Retention, monkeypatch: pytest.MonkeyPatch
) -> None:
    def be_full(*_: Any, **__: Any) -> None:
        raise StorageError("database or disk is full")

    monkeypatch.setattr(house.storage.leases, "acquire", be_full)
    with pytest.raises(StorageError):
        keeping.collect()


def test_many_artifacts_go_some_at_a_time(house: House, keeping: Retention, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention_module, "_BATCH", 2)
    deployment = house.add_deployment()
    builds = deploy_all(house, deployment, 7)
    keeping.set_keep(deployment, 0)
    assert len(keeping.collect()) == 5
    assert list_artifacts(house) == name(builds[5:])


def test_a_tidying_that_fails_fails_no_deploy(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    deployment = house.add_deployment()
    house.storage.deployments.update(deployment.id, keep_builds=0)

    def fail(*_: Any, **__: Any) -> Any:
        raise BuildError("no")

    monkeypatch.setattr(retention_module, "list_doomed", fail)
    assert {build.status for build in deploy_all(house, deployment, 3)} == {BuildStatus.SUCCEEDED}


def test_the_floor_names_what_to_do(house: House, keeping: Retention, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention_module.shutil, "disk_usage", lambda _: _Usage(5))

    class Log:
        def write(self, text: str, *, stream: str = "out") -> None:
            raise AssertionError(text)

        def tail(self, count: int = 100) -> list[str]:
            return []

    with pytest.raises(HomeError) as caught:
        keeping.ensure_room(Log(), lambda: None)
    assert "MASTRA_ADMIN_MIN_FREE_MB" in caught.value.hint
