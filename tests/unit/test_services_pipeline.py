"""How builds end: what is on record when they do, and that every one of them does."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any

import pytest
from fixtures.house import House, dead_worker
from fixtures.quick import wait_until

from mastra_admin_sdk.errors import BuildError, LeaseLost, NotFound, RouterError, StorageError
from mastra_admin_sdk.linelog import read_lines
from mastra_admin_sdk.models import BuildStatus, DeploymentStatus, DesiredState
from mastra_admin_sdk.redaction import Redactor
from mastra_admin_sdk.services.builds import queue as queue_module
from mastra_admin_sdk.services.builds.failures import explain

SECRET = "s3cr3t-value-of-the-app"


def work(house: House, build_id: str) -> BuildStatus:
    """Let a worker take what is queued until the build has ended."""
    worker = house.make_worker()
    worker.start()
    try:
        wait_until(lambda: house.storage.builds.get(build_id).is_final, timeout=5, what="the end of the build")
    finally:
        worker.stop()
    return house.storage.builds.get(build_id).status


def test_whoever_waits_for_the_end_of_a_build_finds_all_else_done(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = house.add_deployment()
    (folder := Path(house.home.workspaces)).mkdir(exist_ok=True)
    transition, seen = house.storage.builds.transition, []

    def watch(build_id: str, to: BuildStatus, **options: Any) -> Any:
        if to is BuildStatus.FAILED:
            found = house.read(deployment)
            seen.append((found.status, found.status_reason, list(folder.iterdir()), house.home.artifacts.exists()))
        return transition(build_id, to, **options)

    house.source.write("weather", "behaviour.txt", "fails")
    monkeypatch.setattr(house.storage.builds, "transition", watch)
    build = house.deploy(deployment)
    assert build.status is BuildStatus.FAILED
    ((status, reason, workspaces, _),) = seen
    assert status is DeploymentStatus.FAILED
    assert str(reason).startswith("Build #1 failed:")
    assert workspaces == []


def test_a_build_whose_variables_cannot_be_decrypted_fails_and_the_queue_goes_on(house: House) -> None:
    deployment = house.add_deployment(TOKEN=SECRET)
    house.home.secret_key.unlink()
    house.parts.secrets._fernet = None
    build = house.queue.enqueue(deployment)
    other = house.queue.enqueue(house.add_deployment("other"))
    assert work(house, other.id) is BuildStatus.SUCCEEDED
    failed = house.storage.builds.get(build.id)
    assert failed.status is BuildStatus.FAILED
    assert failed.error["code"] == "secret_error"


def test_a_build_whose_log_cannot_be_written_fails(house: House) -> None:
    build = house.claim(house.add_deployment())
    Path(str(build.log_path)).mkdir(parents=True)
    assert house.pipeline.run(build, lambda: None).status is BuildStatus.FAILED


def test_a_build_that_loses_its_lock_is_given_back_to_the_queue(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    deployment = house.add_deployment()
    go_live, calls = house.path.go_live, []

    def lose_once(context: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise LeaseLost("The lock was taken over.")
        return go_live(context)

    monkeypatch.setattr(house.path, "go_live", lose_once)
    build = house.queue.enqueue(deployment)
    assert work(house, build.id) is BuildStatus.SUCCEEDED
    assert len(calls) == 2
    assert len(house.runner.requests) == 1


def test_a_build_that_fails_in_the_pipeline_itself_ends_after_a_few_claims(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> Any:
        raise StorageError("The record can't be written.")

    monkeypatch.setattr(house.pipeline, "fail", fail)
    deployment = house.add_deployment()
    house.source.write("weather", "behaviour.txt", "fails")
    build = house.queue.enqueue(deployment)
    with caplog.at_level(logging.CRITICAL):
        assert work(house, build.id) is BuildStatus.FAILED
    assert house.storage.builds.get(build.id).generation == queue_module.MOST_CLAIMS


def test_no_error_on_record_holds_a_secret(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    deployment = house.add_deployment(TOKEN=SECRET)

    def leak(*_: Any) -> Any:
        raise RuntimeError(f"could not use {SECRET}")

    monkeypatch.setattr(house.source, "copy", leak)
    build = house.deploy(deployment)
    told = [build.error_message, build.error, house.read(deployment), house.storage.events.list()]
    lines = [line.text for line in read_lines(Path(str(build.log_path)))]
    assert "could not use ***" in str(build.error_message)
    assert SECRET not in f"{told}{lines}"


def test_the_answer_of_an_app_that_quotes_its_secrets_is_masked(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def leak(*_: Any) -> None:
        raise RouterError(
            "It answered 500.", evidence={"body": f"env: {SECRET}", "lines": [SECRET], "more": {"a": SECRET}}
        )

    monkeypatch.setattr(house.path.routes, "check_answer", leak)
    build = house.deploy(house.add_deployment(TOKEN=SECRET))
    assert build.error["details"] == {"body": "env: ***", "lines": ["***"], "more": {"a": "***"}}


def test_a_build_that_is_deleted_while_it_runs_leaves_no_files(house: House) -> None:
    deployment = house.add_deployment()
    build = house.claim(deployment)

    def delete_in_build() -> None:
        if house.runner.requests:
            house.storage.deployments.delete(deployment.id)

    with pytest.raises(NotFound):
        house.pipeline.run(build, delete_in_build)
    assert list(house.home.artifacts.glob("*")) == []
    assert list(house.home.workspaces.glob("*")) == []
    assert not Path(str(build.log_path)).exists()
    assert house.runner.starts == []


def test_a_deployment_that_was_stopped_while_it_was_built_does_not_go_live(house: House) -> None:
    deployment = house.add_deployment()
    build = house.claim(deployment)

    def stop_in_build() -> None:
        if house.runner.requests:
            house.storage.deployments.update(deployment.id, desired_state=DesiredState.STOPPED)

    assert house.pipeline.run(build, stop_in_build).status is BuildStatus.CANCELLED
    assert house.read(deployment).status is DeploymentStatus.STOPPED
    assert house.runner.starts == []


def test_a_cancel_before_the_claim_is_seen_at_once(house: House) -> None:
    deployment = house.add_deployment()
    build = house.queue.enqueue(deployment)
    house.storage.builds.update(build.id, cancel_requested=True)
    assert work(house, build.id) is BuildStatus.CANCELLED
    assert house.runner.requests == []


def test_a_running_build_is_cancelled_and_what_served_before_still_does(house: House) -> None:
    deployment = house.add_deployment()
    house.deploy(deployment)
    old = house.serving(deployment)
    house.source.write("weather", "behaviour.txt", "hangs")
    build = house.queue.enqueue(deployment)
    worker = house.make_worker()
    worker.start()
    wait_until(lambda: "build" in house.storage.builds.get(build.id).phases, timeout=5, what="the build")
    house.queue.cancel(build.id)
    wait_until(lambda: house.storage.builds.get(build.id).is_final, timeout=5, what="its end")
    worker.stop()
    assert house.storage.builds.get(build.id).status is BuildStatus.CANCELLED
    assert house.serving(deployment).id == old.id
    assert house.read(deployment).status is DeploymentStatus.RUNNING


def test_a_worker_that_stops_gives_its_build_back(house: House) -> None:
    house.add_project()
    deployment = house.deployments.find_or_create(house.resolver.project("weather"))
    house.source.write("weather", "behaviour.txt", "hangs")
    build = house.queue.enqueue(deployment)
    worker = house.make_worker()
    worker.start()
    wait_until(lambda: "build" in house.storage.builds.get(build.id).phases, timeout=5, what="the build")
    worker.stop()
    found = house.storage.builds.get(build.id)
    assert (found.status, found.worker_id) == (BuildStatus.QUEUED, None)
    assert list(house.home.workspaces.glob("*")) == []


def test_two_builds_of_a_deployment_never_run_at_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    deployment = house.add_deployment()
    monkeypatch.setattr(house.queue, "supersede", lambda _: None)
    builds = [house.queue.enqueue(deployment) for _ in range(3)]
    workers = [house.make_worker() for _ in range(2)]
    for worker in workers:
        worker.start()
    wait_until(lambda: all(house.storage.builds.get(item.id).is_final for item in builds), what="the builds")
    for worker in workers:
        worker.stop()
    assert [house.storage.builds.get(item.id).status for item in builds] == [BuildStatus.SUCCEEDED] * 3
    assert house.serving(deployment).build_id == builds[-1].id


def test_no_build_starts_on_a_full_disk(tmp_path: Path) -> None:
    full = House(tmp_path / "home", min_free_mb=10**9)
    try:
        build = full.deploy(full.add_deployment())
        assert build.error["code"] == "home_error"
        assert "MASTRA_ADMIN_MIN_FREE_MB" in str(build.error["hint"])
    finally:
        full.close()


def test_variables_that_two_threads_set_at_once_both_stay(house: House) -> None:
    project = house.add_project()
    deployment = house.deployments.find_or_create(project)
    names = [f"NAME_{number}" for number in range(6)]
    threads = [threading.Thread(target=house.projects.set_env, args=(project, {name: "1"})) for name in names]
    threads += [threading.Thread(target=house.deployments.set_env, args=(deployment, {name: "1"})) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(house.projects.list_env(project)) == names
    assert sorted(var.key for var in house.read(deployment).env_overrides) == names


def test_deleting_a_deployment_leaves_nothing_of_it_but_telemetry(house: House) -> None:
    deployment = house.add_deployment()
    house.deploy(deployment)
    process = house.serving(deployment)
    (house.home.server_logs / f"{process.id}.log.1").write_text("x")
    waiting = house.queue.enqueue(deployment)
    house.deployments.delete(deployment)
    assert list(house.home.artifacts.glob("*")) == []
    assert list(house.home.build_logs.glob("*")) == []
    assert list(house.home.server_logs.glob("*")) == []
    assert house.router.routes == {}
    with pytest.raises(NotFound):
        house.storage.builds.get(waiting.id)


def test_a_delete_that_was_interrupted_can_be_repeated(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    deployment = house.add_deployment()
    house.deploy(deployment)
    with monkeypatch.context() as patch:
        patch.setattr(house.storage.deployments, "delete", lambda _: (_ for _ in ()).throw(StorageError("Gone.")))
        with pytest.raises(StorageError):
            house.deployments.delete(deployment)
    assert house.read(deployment).status is DeploymentStatus.STOPPED
    house.deployments.delete(deployment)
    assert house.storage.deployments.list() == []


def test_a_claim_that_was_taken_over_writes_nothing_more(house: House) -> None:
    deployment = house.add_deployment()
    build = house.claim(deployment)
    house.queue.recover()
    again = house.storage.builds.claim(dead_worker(), limit=1)
    assert again is not None
    with pytest.raises(LeaseLost):
        house.pipeline.run(build, lambda: None)
    assert house.storage.builds.get(build.id) == again


def test_a_hint_stays_readable_beside_a_secret_that_is_a_word() -> None:
    error = BuildError("It said lines.", hint="Mend what its last lines say.", evidence={"log_tail": ["lines"]})
    told = explain(error, Redactor(["lines", SECRET]))
    assert (told.message, told.hint, told.evidence) == (
        "It said ***.", "Mend what its last lines say.", {"log_tail": ["***"]},
    )  # fmt: skip
    assert explain(BuildError("No.", hint=f"Look at {SECRET}."), Redactor([SECRET])).hint == "Look at ***."
