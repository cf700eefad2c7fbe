"""What users of neighbouring systems complained about in public issue threads; each test names the fault.

Other rows of that kind stand beside what they test: queue and cancel, servers, retention, the build cache.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fixtures.quick import wait_until, write_source

from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.errors import ServerUnhealthy
from mastra_admin_sdk.services.objects import LiveDeployment

pytestmark = pytest.mark.slow  # real servers behind a real router


@contextmanager
def requests_under_way(live: LiveDeployment) -> Iterator[list[Exception]]:
    """Send requests all the while; afterwards the list holds what went wrong."""
    over = threading.Event()
    errors: list[Exception] = []
    sent = 0

    def send() -> None:
        nonlocal sent
        while not over.is_set():
            try:
                live.request("GET", "/slow?ms=20")
            except Exception as exc:
                errors.append(exc)
            sent += 1

    senders = [threading.Thread(target=send) for _ in range(3)]
    for sender in senders:
        sender.start()
    wait_until(lambda: sent > 5, what="the first requests")
    try:
        yield errors
    finally:
        over.set()
        for sender in senders:
            sender.join()


def change_env(live: LiveDeployment, source: Path) -> None:
    live.set_env({"GREETING": "hello"}).restart()


def redeploy(live: LiveDeployment, source: Path) -> None:
    write_source(source, version="v2")
    live.redeploy()


def roll_back(live: LiveDeployment, source: Path) -> None:
    redeploy(live, source)
    live.rollback()


@pytest.mark.parametrize("change", [change_env, redeploy, roll_back])
def test_seconds_of_502_on_every_change_although_deploy_has_none(
    admin: MastraAdmin, source: Path, change: Callable[[LiveDeployment, Path], None]
) -> None:
    """CapRover 1690, Dokploy 2109, Dokku 8282: all changes take one path to live."""
    live = admin.deploy(admin.projects.create(admin.teams.create("Search"), source="quick-app"))
    with requests_under_way(live) as errors:
        change(live, source)
    assert errors == []


def test_the_deploy_log_prints_every_variable(admin: MastraAdmin, source: Path) -> None:
    """Coolify 7019, 10767: neither names with values nor values stand in a log, also when an app prints them."""
    secret = "sk-live/abc+def=="
    project = admin.projects.create(admin.teams.create("Search"), source="quick-app", env={"API_KEY": secret})
    live = admin.deploy(project)
    assert live.request("GET", "/env").json()["API_KEY"] == secret
    logs = [line.text for line in [*live.builds[0].logs(), *live.server_log()]]
    assert not any(secret in text or "API_KEY=" in text for text in logs)
    written = [path for path in admin.home.path.rglob("*") if path.is_file() and path.stat().st_size < 5_000_000]
    assert not [path for path in written if secret.encode() in path.read_bytes()]


def test_a_failed_health_check_shows_no_output_of_the_app(admin: MastraAdmin, source: Path) -> None:
    """Kamal 842: the error carries what the server said last."""
    write_source(source, crash=True)
    with pytest.raises(ServerUnhealthy) as caught:
        admin.deploy(admin.projects.create(admin.teams.create("Search"), source="quick-app"))
    assert "this server crashes on boot" in "\n".join(caught.value.evidence["log_tail"])


def test_a_long_agent_run_is_cut_by_the_shutdown_of_the_old_server(
    open_admin: Callable[..., MastraAdmin], source: Path
) -> None:
    """Mastra 20678: its own shutdown waits 5 s; a call that began before the switch comes to its end."""
    admin = open_admin(drain_timeout=30.0)
    live = admin.deploy(admin.projects.create(admin.teams.create("Search"), source="quick-app"))
    answers: list[str] = []
    caller = threading.Thread(target=lambda: answers.append(live.request("GET", "/slow?ms=7000", timeout=30).text))
    caller.start()
    redeploy(live, source)
    caller.join(30)
    assert answers == ["slow v1"]
    assert live.request("GET", "/").json()["version"] == "v2"
