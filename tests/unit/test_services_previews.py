"""Previews: how long they live, what moves that, and what is left when they expire."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fixtures.house import House

from mastra_admin_sdk.errors import InvalidInput, LeaseLost, RouterError
from mastra_admin_sdk.models import BuildKind, Deployment, DeploymentStatus, DeploymentType, utc_now
from mastra_admin_sdk.services.deployments import live as live_module
from mastra_admin_sdk.services.deployments.lifetimes import FOREVER, find_expiry, has_expired, parse_ttl
from mastra_admin_sdk.services.deployments.previews import PreviewService, read_ttl
from mastra_admin_sdk.services.keeping import janitor as janitor_module
from mastra_admin_sdk.services.keeping.janitor import Janitor

NOW = datetime(2026, 5, 1, tzinfo=UTC)
PREVIEW = Deployment("project", "feature/x", "feature-x", type=DeploymentType.PREVIEW)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """A home where each deploy makes an artifact, and drains at once: nobody sends requests."""
    monkeypatch.setattr(live_module, "_QUIET", 0.0)
    made = House(tmp_path / "home", build_cache=False)
    yield made
    made.close()


@pytest.fixture
def previews(house: House) -> PreviewService:
    return PreviewService(house.parts, house.deployments)


def add_preview(house: House, branch: str = "feature/x", ttl_seconds: int | None = None) -> Deployment:
    (project, *_) = house.storage.projects.list() or [house.add_project()]
    return house.deployments.find_or_create(
        project, branch=branch, type=DeploymentType.PREVIEW, ttl_seconds=ttl_seconds
    )


def let_expire(house: House, deployment: Deployment) -> None:
    house.storage.deployments.update(deployment.id, expires_at=utc_now() - timedelta(seconds=1))


def deploy(house: House, deployment: Deployment) -> Deployment:
    house.deployments.deploy(house.read(deployment))
    claimed = house.storage.builds.claim("worker", limit=10)
    assert claimed is not None
    house.pipeline.run(claimed, lambda: None)
    return house.read(deployment)


# --- times to live ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ttl", "seconds"),
    [
        (72, 259_200),
        (0.5, 1800),
        ("72h", 259_200),
        ("72", 259_200),
        ("3d", 259_200),
        (" 1.5 H ", 5400),
        ("90m", 5400),
        ("2w", 1_209_600),
        (timedelta(hours=1), 3600),
        ("never", FOREVER),
        ("Never", FOREVER),
    ],
    ids=str,
)
def test_a_time_to_live_is_given_as_people_do(ttl: Any, seconds: int) -> None:
    assert parse_ttl(ttl) == seconds


@pytest.mark.parametrize(
    "ttl",
    [
        *(0, -1, True, float("nan"), float("inf"), 1e300, 10**400, None, [1]),
        *("", "soon", "0h", "-3d", "9" * 400, "20000d", timedelta(0), timedelta.max),
    ],
    ids=lambda ttl: repr(ttl)[:20],
)
def test_what_is_no_time_to_live_is_refused(ttl: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_ttl(ttl)
    assert '"3d"' in caught.value.hint


def test_only_previews_expire(house: House, previews: PreviewService) -> None:
    later = replace(PREVIEW, type=DeploymentType.STAGING, expires_at=NOW)
    assert find_expiry(later, NOW, 72) is None
    assert not has_expired(later, NOW)
    with pytest.raises(InvalidInput, match="only previews expire"):
        read_ttl(DeploymentType.PRODUCTION, "3d")
    with pytest.raises(InvalidInput, match="only previews expire"):
        previews.set_ttl(house.add_deployment(), "3d")


@pytest.mark.parametrize(
    ("own", "hours"), [(None, 72.0), (3600, 1.0), (FOREVER, None)], ids=["setting", "own", "forever"]
)
def test_a_preview_expires_after_its_own_time_else_that_of_the_setting(own: int | None, hours: float | None) -> None:
    found = find_expiry(replace(PREVIEW, ttl_seconds=own), NOW, 72)
    assert found == (None if hours is None else NOW + timedelta(hours=hours))


def test_a_setting_without_measure_overflows_nothing() -> None:
    assert find_expiry(PREVIEW, NOW, 1e300) == NOW + timedelta(days=3650)


# --- what moves it ----------------------------------------------------------------------------------------------------


def test_each_deploy_moves_the_time_and_keeps_the_lifetime(house: House) -> None:
    preview = deploy(house, add_preview(house, ttl_seconds=7200))
    let_expire(house, preview)
    again = deploy(house, add_preview(house))
    assert again.id == preview.id
    assert again.ttl_seconds == 7200
    assert again.expires_at is not None
    assert timedelta(hours=1.9) < again.expires_at - utc_now() <= timedelta(hours=2)


@pytest.mark.parametrize("kind", [BuildKind.RESTART, BuildKind.ROLLBACK])
def test_restarting_and_going_back_count_as_use(house: House, kind: BuildKind) -> None:
    preview = deploy(house, deploy(house, add_preview(house)))
    let_expire(house, preview)
    getattr(house.deployments, kind.value)(house.read(preview))
    assert not has_expired(house.read(preview), utc_now())


def test_another_time_to_live_counts_from_now(house: House, previews: PreviewService) -> None:
    preview = add_preview(house)
    assert previews.set_ttl(preview, "never").expires_at is None
    assert deploy(house, preview).expires_at is None
    changed = previews.set_ttl(preview, timedelta(hours=1))
    assert changed.expires_at is not None
    assert previews.set_ttl(preview, None).ttl_seconds is None


# --- expiring ---------------------------------------------------------------------------------------------------------


def test_coolify_4821_a_preview_that_nobody_deploys_any_more_is_gone(house: House, previews: PreviewService) -> None:
    preview, other = deploy(house, add_preview(house)), deploy(house, add_preview(house, "feature/y"))
    queued = house.queue.enqueue(preview)
    let_expire(house, preview)
    assert [item.id for item in previews.sweep_once()] == [preview.id]
    assert [item.id for item in house.storage.deployments.list()] == [other.id]
    assert {process.deployment_id for process in house.storage.processes.list()} == {other.id}
    assert {route.deployment_id for route in house.storage.routes.list()} == {other.id}
    assert set(house.router.routes) == {route.host for route in house.storage.routes.list()}
    assert {path.name for path in house.home.artifacts.iterdir()} == {other.current_build_id}
    assert not (house.home.data / preview.id).exists()
    assert not (house.home.build_logs / f"{queued.id}.log").exists()
    events = {event.action: event for event in house.storage.events.list(object_id=preview.id)}
    assert events["expire"].details["branch"] == "feature/x"
    assert "delete" in events


def test_a_stopped_preview_expires_too(house: House, previews: PreviewService) -> None:
    preview = deploy(house, add_preview(house))
    house.deployments.stop(preview)
    let_expire(house, preview)
    assert len(previews.sweep_once()) == 1


def test_what_isnt_due_and_what_is_no_preview_stays(house: House, previews: PreviewService) -> None:
    add_preview(house)
    production = house.add_deployment("other")
    house.storage.deployments.update(production.id, expires_at=utc_now() - timedelta(days=1))
    assert previews.sweep_once() == []
    assert len(house.storage.deployments.list()) == 2


def test_a_preview_that_is_deployed_while_it_expires_stays(
    house: House, previews: PreviewService, monkeypatch: pytest.MonkeyPatch
) -> None:
    preview = deploy(house, add_preview(house))
    let_expire(house, preview)
    stop = house.deployments.stop

    def deploy_meanwhile(deployment: Deployment) -> Deployment:
        stopped = stop(deployment)
        house.deployments.deploy(deployment)
        return stopped

    monkeypatch.setattr(house.deployments, "stop", deploy_meanwhile)
    assert previews.sweep_once() == []
    claimed = house.storage.builds.claim("worker", limit=10)
    assert claimed is not None
    house.pipeline.run(claimed, lambda: None)
    assert house.read(preview).status is DeploymentStatus.RUNNING
    assert house.serving(preview)


def test_one_that_resists_keeps_no_other(
    house: House, previews: PreviewService, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = deploy(house, add_preview(house)), deploy(house, add_preview(house, "feature/y"))
    for preview in (first, second):
        let_expire(house, preview)
    close = house.path.routes.close

    def fail(deployment_id: str) -> None:
        if deployment_id == first.id:
            raise RouterError("The router hangs.")
        close(deployment_id)

    with monkeypatch.context() as patch:
        patch.setattr(house.path.routes, "close", fail)
        assert [item.id for item in previews.sweep_once()] == [second.id]
    assert [item.id for item in previews.sweep_once()] == [first.id]


def test_the_janitor_sweeps_in_each_pass_and_collects_now_and_then(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    janitor, role = Janitor(house.parts, house.deployments), house.take("janitor")
    preview = add_preview(house)
    let_expire(house, preview)
    leftover = house.home.artifacts / "x.trash"
    leftover.mkdir(parents=True)
    janitor.run_once(role)
    assert house.storage.deployments.list() == []
    assert leftover.exists()
    monkeypatch.setattr(janitor_module.time, "monotonic", lambda: 1e12)
    janitor.run_once(role)
    assert not leftover.exists()


def test_a_janitor_that_is_to_stop_removes_nothing_more(house: House) -> None:
    let_expire(house, add_preview(house))
    with pytest.raises(LeaseLost):
        Janitor(house.parts, house.deployments).run_once(house.take("janitor"), stopping=lambda: True)
    assert len(house.storage.deployments.list()) == 1
