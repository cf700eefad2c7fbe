"""Alerts over real servers, a real engine and a real receiver; and through the death of who evaluates them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fixtures.lines import make_span, new_trace, now
from fixtures.panel import run_panel
from fixtures.quick import wait_until
from fixtures.receiver import Receiver, run_receiver
from prometheus_client.parser import text_string_to_metric_families

from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.models import Build, BuildStatus, utc_now
from mastra_admin_sdk.services.objects import LiveDeployment

pytestmark = pytest.mark.slow

EVALUATE = """
import sys, threading
from datetime import timedelta
from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.services.monitoring import delivery
delivery._CLAIM = timedelta(seconds=1)  # how long a message belongs to who died while sending it
admin = MastraAdmin(sys.argv[1], alert_interval=0.1).start()
print("started", flush=True)
threading.Event().wait()
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with run_receiver() as running:
        yield running


def deploy(admin: MastraAdmin) -> LiveDeployment:
    live: LiveDeployment = admin.deploy(admin.projects.create(admin.teams.create("Search"), source="quick-app"))
    return live


def test_a_server_that_crashes_is_told_of_once_and_its_recovery_too(
    open_admin: Callable[..., MastraAdmin], receiver: Receiver
) -> None:
    admin = open_admin(alert_interval=0.1)
    live = deploy(admin)
    admin.start()
    admin.alerts.create(
        "crashes", kind="crash", threshold=1, window="4s", deployment=live, webhook=receiver.url, secret="s3cret"
    )
    wait_until(lambda: not admin.alerts.states().empty, what="the first look at the alerts")
    live.request("GET", "/exit")
    (first,) = receiver.wait_for(1)[:1]
    assert first.payload["event"] == "firing"
    assert "1 server ended without being asked to" in first.payload["text"]
    assert (first.payload["deployment"]["id"], first.payload["unit"]) == (live.id, "servers")
    health = admin.health()
    assert health["alerts"].tolist() == [1]
    receiver.wait_for(2)
    assert receiver.events == ["firing", "resolved"]
    wait_until(lambda: admin.health()["healthy"].tolist() == [1], what="the restart")
    row = admin.health().iloc[0]
    assert (row["status"], row["restarts"], row["alerts"]) == ("running", 1, 0)
    assert row["memory_mb"] > 10
    assert row["last_build_status"] == "succeeded"
    assert [event.action for event in admin.events.list(object_type="alert")][:2] == ["alert_recovered", "alert_fired"]


def test_traces_that_fail_fire_and_prometheus_sees_it(
    open_admin: Callable[..., MastraAdmin], receiver: Receiver
) -> None:
    admin = open_admin(alert_interval=0.1)
    live = deploy(admin)
    write_traces(admin, live, failed=6, of=10)
    admin.alerts.create("errors", kind="error_rate", threshold=0.5, project=live.project, webhook=receiver.url)
    admin.alerts.create("slow", kind="latency", threshold=200, percentile=95, clear=150)
    admin.start()
    (delivery,) = receiver.wait_for(1)
    assert "6 of 10 traces failed in the last 5 minutes (60 %)" in delivery.payload["text"]
    wait_until(lambda: len(admin.alerts.states(firing=True)) == 2, what="the other alert")
    row = admin.health().iloc[0]
    assert (row["traces"], row["error_rate"], row["alerts"]) == (10, 0.6, 2)
    assert row["p95_ms"] == 250.0
    secret = admin.tokens.create("prometheus", scopes=["read"]).secret
    with run_panel(admin.home.path) as panel:
        found = scrape(panel.url, secret)
    owner = {"team": "search", "project": "quick-app", "deployment": "main"}
    assert found["mastra_admin_deployment_up", frozenset(owner.items())] == 1.0
    assert found["mastra_admin_recent_trace_errors", frozenset(owner.items())] == 6.0
    assert found["mastra_admin_alert_firing", frozenset({"alert": "errors", "kind": "error_rate"}.items())] == 1.0
    assert found["mastra_admin_role_held", frozenset({("role", "alerter")})] == 1.0
    assert found["mastra_admin_engine_memory_bytes", frozenset()] > 10 * 2**20
    assert found["mastra_admin_server_memory_bytes", frozenset({**owner, "replica": "0"}.items())] > 10 * 2**20
    assert found["mastra_admin_requests_total", frozenset({**owner, "status": "200"}.items())] >= 1
    assert found["mastra_admin_ingestion_lines_total", frozenset()] >= 10


def test_who_dies_while_a_message_is_sent_is_followed_by_one_who_sends_it_again(
    open_admin: Callable[..., MastraAdmin], receiver: Receiver
) -> None:
    admin = open_admin()
    live = deploy(admin)
    receiver.hangs = True
    admin.alerts.create("builds", kind="build", threshold=1, webhook=receiver.url, remind="1d")
    with evaluating(admin.home.path) as first:
        wait_until(lambda: not admin.alerts.states().empty, what="the first look at the alerts")
        admin.storage.builds.create(Build(live.id, status=BuildStatus.FAILED, completed_at=utc_now()))
        receiver.wait_for(1)
        os.kill(first.pid, signal.SIGKILL)
        first.wait(10)
    receiver.hangs = False
    receiver.released.set()
    with evaluating(admin.home.path):
        receiver.wait_for(2)
        wait_until(lambda: admin.alerts.history()["status"].tolist() == ["delivered"], what="the end of it")
    one, two = receiver.deliveries
    assert one.payload["id"] == two.payload["id"]
    assert (one.payload["attempt"], two.payload["attempt"]) == (1, 2)
    assert receiver.events == ["firing", "firing"]


@contextmanager
def evaluating(home: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a process that does the background work of a home."""
    env = {**os.environ, "MASTRA_ADMIN_HOME": str(home)}
    process = subprocess.Popen(
        [sys.executable, "-c", EVALUATE, str(home)], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def write_traces(admin: MastraAdmin, live: LiveDeployment, *, failed: int, of: int) -> None:
    """Write traces of a deployment into its telemetry files, as its server does: the failed ones took 250 ms."""
    process = live.process
    assert process is not None
    folder = admin.home.telemetry / live.id / process.build_id / process.id / "spans"
    folder.mkdir(parents=True, exist_ok=True)
    owner = {"projectId": live.project.id, "deploymentId": live.id, "buildId": process.build_id}
    begun = now() - timedelta(seconds=30)
    error: dict[str, Any] = {"errorInfo": {"message": "no"}}
    lines = [
        make_span(
            "ended",
            new_trace(),
            "root",
            begun,
            250 if place < failed else 50,
            **owner,
            **(error if place < failed else {}),
        )
        for place in range(of)
    ]
    stamp = int(begun.timestamp() * 1000)
    (folder / f"{stamp}_{new_trace()}.jsonl").write_text("".join(f"{line}\n" for line in lines))


def scrape(url: str, token: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Read a panel's metrics as Prometheus does."""
    request = urllib.request.Request(f"{url}/metrics", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        text = answer.read().decode()
    return {
        (one.name, frozenset(one.labels.items())): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }
