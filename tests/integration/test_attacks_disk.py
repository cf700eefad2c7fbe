"""Disks that fill up and folders that break: clear errors, nothing stuck, and all goes on when they are mended."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from typing import Any

import pytest
from fixtures.homes import look_from_outside
from fixtures.quick import wait_until

from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.errors import RouterError, StorageError
from mastra_admin_sdk.models import Build

pytestmark = pytest.mark.slow


def deploy(admin: MastraAdmin) -> Any:
    return admin.deploy(admin.projects.create(admin.teams.create("Search"), source="quick-app"))


def test_a_build_whose_end_cant_be_written_ends_when_the_database_is_back(
    open_admin: Callable[..., MastraAdmin], monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = open_admin()
    live = deploy(admin)
    full, refusals = threading.Event(), threading.Semaphore(0)

    def refuse_while_full(method: Callable[..., Build]) -> Callable[..., Build]:
        def call(*arguments: Any, **options: Any) -> Build:
            if full.is_set():
                refusals.release()
                raise StorageError("database or disk is full")
            return method(*arguments, **options)

        return call

    for name in ("update", "transition"):
        monkeypatch.setattr(admin.storage.builds, name, refuse_while_full(getattr(admin.storage.builds, name)))
    build = live.redeploy(wait=False)
    full.set()
    waiting = threading.Thread(target=build.wait, name="test-wait")
    waiting.start()
    # More refusals than one attempt at a build makes: its worker has failed, and tries to say so.
    for _ in range(5):
        assert refusals.acquire(timeout=20)
    full.clear()
    waiting.join(20)
    assert build.refresh().status == "succeeded"
    assert live.request("GET", "/").json()["version"] == "v1"


def test_a_server_is_stopped_also_when_nothing_can_be_written_about_it(open_admin: Callable[..., MastraAdmin]) -> None:
    admin = open_admin(drain_timeout=1.0)
    live = deploy(admin)
    records = admin.home.run / "servers"
    shutil.rmtree(records)
    records.write_text("in the way")
    try:
        live.stop()
    finally:
        records.unlink()
    assert live.status == "stopped"
    assert [item for item in look_from_outside(admin.home.path)["processes"] if "node" in item["command"]] == []


def test_a_router_whose_folder_breaks_says_so_and_is_stopped_when_it_is_mended(
    open_admin: Callable[..., MastraAdmin],
) -> None:
    admin = open_admin()
    live = deploy(admin)
    targets = admin.home.caddy / "targets"
    assert targets.is_dir()
    kept = targets.with_name("kept")
    targets.rename(kept)
    targets.write_text("in the way")
    with pytest.raises(RouterError, match="can't be written") as caught:
        live.redeploy()
    assert str(targets) in str(caught.value)
    targets.unlink()
    kept.rename(targets)
    admin.start()
    wait_until(lambda: live.refresh().status == "running", what="the deployment")
    wait_until(lambda: _version(live) == "v1", what="an answer")
    admin.down()
    assert not admin.router.is_running()


def _version(live: Any) -> str | None:
    answer = live.request("GET", "/", check=False)
    return str(answer.json()["version"]) if answer.status == 200 else None
