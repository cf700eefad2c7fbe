"""Pushes, changes and the clock deploy for real: a panel process, repositories, and servers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fixtures.panel import RunningPanel, run_panel
from fixtures.quick import SERVER, wait_until, write_source
from fixtures.repositories import Remote, make_remote

from mastra_admin_sdk import LiveDeployment, MastraAdmin
from mastra_admin_sdk.models import BuildStatus, BuildTrigger, Project, utc_now

pytestmark = pytest.mark.slow

HOOK = """#!{python}
# Tells the panel of each branch that was pushed, as a hosting service would.
import hashlib, hmac, json, sys, urllib.request
for line in sys.stdin:
    before, after, ref = line.split()
    body = json.dumps({{"ref": ref, "before": before, "after": after, "pusher": {{"name": "ana"}}}}).encode()
    signature = hmac.new({secret!r}.encode(), body, hashlib.sha256).hexdigest()
    headers = {{"X-Gitea-Signature": signature, "X-Gitea-Event": "push", "X-Gitea-Delivery": after,
               "Content-Type": "application/json", "Host": "hooks.tunnel.example"}}
    request = urllib.request.Request({url!r}, data=body, headers=headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({{}}))
    with opener.open(request, timeout=20) as answer, open({answers!r}, "a") as file:
        file.write(answer.read().decode().replace("\\n", "") + "\\n")
"""


def write_version(version: str, **settings: Any) -> dict[str, str]:
    """Return the files of an app that builds at once and answers its version."""
    return {"settings.json": json.dumps({"version": version, **settings}), "index.mjs": SERVER}


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return make_remote(tmp_path, write_version("v1"), type="module")


@pytest.fixture
def project(admin: MastraAdmin, remote: Remote) -> Project:
    return admin.projects.create(admin.teams.create("Search"), git=str(remote.bare), name="agent")


def install_hook(remote: Remote, panel: RunningPanel, path: str, secret: str, answers: Path) -> None:
    """Let every push call the webhook of a panel."""
    script = remote.bare / "hooks" / "post-receive"
    script.write_text(HOOK.format(python=sys.executable, secret=secret, url=f"{panel.url}{path}", answers=str(answers)))
    script.chmod(0o755)


def read_version(live: LiveDeployment) -> str:
    return str(live.request("GET", "/").json()["version"])


def wait_for_version(live: LiveDeployment, version: str) -> None:
    wait_until(lambda: read_version(live) == version, timeout=40, what=f"the deploy of {version}")


def test_a_push_deploys_the_branch_through_the_panels_webhook(
    admin: MastraAdmin, project: Project, remote: Remote, tmp_path: Path
) -> None:
    live = admin.deploy(project)
    other = admin.deploy(project, branch="main", type="staging")
    webhook = admin.webhooks.create(project)
    answers = tmp_path / "answers"
    with run_panel(admin.home.path) as panel:
        install_hook(remote, panel, webhook.path, webhook.secret, answers)
        admin.start()
        commit = remote.commit(write_version("v2"))
        for deployment in (live, other):
            wait_for_version(deployment, "v2")
        remote.commit(write_version("x"), branch="unknown")
    first, second = (json.loads(line) for line in answers.read_text().splitlines())
    assert len(first["builds"]) == 2
    assert second["builds"] == []
    build = admin.builds.get(first["builds"][0]["id"])
    wait_until(lambda: build.refresh().record.is_final, what="the end of the build")
    assert (build.record.trigger, build.record.actor, build.record.commit) == (BuildTrigger.WEBHOOK, "ana", commit)
    events = admin.events.list(object_type="build", object_id=build.id)
    assert any(item.actor == "ana" and item.details["origin"] == "webhook" for item in events)


def test_a_watched_folder_is_deployed_when_it_changes(open_admin: Callable[..., MastraAdmin], source: Path) -> None:
    admin = open_admin(watch_debounce=0.2)
    live = admin.deploy(admin.projects.create(admin.teams.create("Search"), source="quick-app"))
    live.set_watch(True)
    admin.start()
    write_source(source, version="v2")
    wait_for_version(live, "v2")
    write_source(source, version="v3", fail_build=True)
    wait_until(lambda: admin.builds.list(live)[0].status is BuildStatus.FAILED, timeout=40, what="the failed build")
    failed = admin.builds.list(live)[0]
    assert failed.record.trigger is BuildTrigger.WATCH
    admin.close()
    again = open_admin(watch_debounce=0.2)
    again.start()
    live = again.deployments.get(live.id)
    write_source(source, version="v4")
    wait_for_version(live, "v4")
    numbers = [item.number for item in again.builds.list(live)]
    assert numbers == [4, 3, 2, 1], "a restart built nothing again"


def test_a_watched_branch_is_deployed_when_it_moves(open_admin: Callable[..., MastraAdmin], remote: Remote) -> None:
    admin = open_admin(git_poll_seconds=1.0)
    project = admin.projects.create(admin.teams.create("Search"), git=str(remote.bare), name="agent")
    live = admin.watch(admin.deploy(project))
    admin.start()
    commit = remote.commit(write_version("v2"))
    wait_for_version(live, "v2")
    wait_until(lambda: admin.builds.list(live)[0].status is BuildStatus.SUCCEEDED, what="the build")
    newest, first = admin.builds.list(live)
    assert (newest.record.trigger, newest.record.commit) == (BuildTrigger.WATCH, commit)
    assert first.record.trigger is BuildTrigger.MANUAL


def test_a_schedule_deploys_when_its_time_comes_and_one_process_fires_it(
    open_admin: Callable[..., MastraAdmin], source: Path
) -> None:
    admin, other = open_admin(), open_admin()
    live = admin.deploy(admin.projects.create(admin.teams.create("Search"), source="quick-app"))
    write_source(source, version="v2")
    schedule = admin.schedule(live, cron="0 3 * * *", timezone="Europe/Berlin")
    admin.storage.schedules.update(schedule.id, next_at=utc_now() - timedelta(seconds=1))
    admin.start()
    other.start()
    wait_for_version(live, "v2")
    assert [item.record.trigger for item in admin.builds.list(live)] == ["schedule", "manual"]
    fired = admin.schedules.get(schedule)
    assert fired.last_build_id == admin.builds.list(live)[0].id
    assert fired.next_at is not None
    assert fired.next_at > utc_now()


def test_a_source_that_is_gone_is_shown_where_people_look(open_admin: Callable[..., MastraAdmin], source: Path) -> None:
    admin = open_admin(watch_debounce=0.2)
    live = admin.deploy(admin.projects.create(admin.teams.create("Search"), source="quick-app"))
    live.set_watch(True)
    admin.start()
    source.rename(source.with_name("elsewhere"))
    wait_until(lambda: admin.overview().deployments[0].watch_error, what="the reason")
    shown = subprocess.run(
        [sys.executable, "-m", "mastra_admin_sdk.cli", "--home", str(admin.home.path), "ps"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    assert "can't be watched:" in shown
    source.with_name("elsewhere").rename(source)
    wait_until(lambda: not admin.overview().deployments[0].watch_error, timeout=40, what="its end")
    assert len(admin.builds.list(live)) == 1
