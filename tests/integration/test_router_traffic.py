"""Requests through a real Caddy to real servers."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import simple_websocket
from fixtures.upstream import Upstream

from mastra_admin_sdk.adapters.router.caddy import LocalRouter
from mastra_admin_sdk.errors import RequestFailed
from mastra_admin_sdk.home import open_home
from mastra_admin_sdk.models import Route
from mastra_admin_sdk.services.deployments.requests import request

HOST = "agent-main.team.localhost"
BY_ADDRESS = "127.0.0.1"


@pytest.fixture
def router(tmp_path: Path) -> Iterator[LocalRouter]:
    router = LocalRouter(open_home(tmp_path), port=find_port())
    yield router
    router.stop()


@pytest.fixture
def upstream(router: LocalRouter) -> Iterator[Upstream]:
    with Upstream("one") as upstream:
        router.register(route_to(upstream))
        yield upstream


@pytest.fixture
def other() -> Iterator[Upstream]:
    with Upstream("two") as other:
        yield other


def route_to(upstream: Upstream, host: str = HOST) -> Route:
    return Route(host, upstream.host, upstream.port, f"deployment-of-{host}")


def find_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], bool], timeout: float = 10) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


def get(router: LocalRouter, path: str = "/", host: str = HOST) -> str:
    return request(router.endpoint, host, "GET", path).text


def ask_raw(router: LocalRouter, host: str) -> tuple[int, str, str]:
    """Send a Host header as it is; return status, content type and text."""
    with socket.create_connection((router.endpoint.address, router.endpoint.port), 10) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nConnection: close\r\nHost: " + host.encode() + b"\r\n\r\n")
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.status, answer.headers.get("Content-Type", ""), answer.read().decode()


def open_websocket(router: LocalRouter) -> simple_websocket.Client:
    """Connect by address: the client's host header is that, and Python resolves no name under .localhost."""
    return simple_websocket.Client.connect(f"ws://{BY_ADDRESS}:{router.endpoint.port}/ws")


# --- answers ----------------------------------------------------------------------------------------------------------


def test_each_host_reaches_its_own_server(router: LocalRouter, upstream: Upstream, other: Upstream) -> None:
    router.register(route_to(other, "other.team.localhost"))
    assert (get(router), get(router, host="OTHER.Team.localhost")) == ("one", "two")


def test_an_unknown_host_gets_404_with_its_name(router: LocalRouter, upstream: Upstream) -> None:
    with pytest.raises(RequestFailed) as caught:
        get(router, host="nobody.team.localhost")
    assert caught.value.evidence["status"] == 404
    assert caught.value.evidence["router"] == "no-route"
    assert "No deployment answers on nobody.team.localhost" in caught.value.evidence["body"]


def test_a_dead_server_gives_502_with_the_name_of_the_host(router: LocalRouter) -> None:
    router.register(Route(HOST, "127.0.0.1", find_port(), "d"))
    with pytest.raises(RequestFailed) as caught:
        get(router)
    assert caught.value.evidence["status"] == 502
    assert caught.value.evidence["router"] == "no-answer"
    assert f"The server of {HOST} does not answer" in caught.value.evidence["body"]


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("<script>alert(1)</script>", id="markup"),
        pytest.param("a&b'c(d)", id="entities"),
        pytest.param("{env.HOME}", id="placeholder"),
        pytest.param("..", id="dots"),
        pytest.param("*", id="star"),
        pytest.param("", id="empty"),
        pytest.param("a\x1b[31m", id="escape-sequence"),
        pytest.param("x" * 5000, id="long"),
        pytest.param(f"{HOST}.evil.example", id="suffix"),
        pytest.param(f"evil-{HOST}", id="prefix"),
        pytest.param(f"a.{HOST}", id="subdomain"),
    ],
)
def test_hostile_hosts_reach_nobody_and_come_back_as_plain_text(
    router: LocalRouter, upstream: Upstream, host: str
) -> None:
    status, kind, text = ask_raw(router, host)
    assert status in (400, 404)
    assert kind.startswith("text/plain") or not text
    assert "\x1b" not in text
    assert "<script" not in text
    assert str(Path.home()) not in text


def test_a_server_cannot_pose_as_the_router(router: LocalRouter, upstream: Upstream) -> None:
    assert request(router.endpoint, HOST, "GET", "/pose").router_reason is None


def test_forwarded_headers_tell_the_truth(router: LocalRouter, upstream: Upstream) -> None:
    forged = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
    seen = request(router.endpoint, HOST, "GET", "/headers", headers=forged).json()
    own = f"{HOST}:{router.endpoint.port}"
    assert (seen["Host"], seen["X-Forwarded-Host"]) == (own, own)
    assert (seen["X-Forwarded-For"], seen["X-Forwarded-Proto"]) == ("127.0.0.1", "http")


def test_large_bodies_pass(router: LocalRouter, upstream: Upstream) -> None:
    body = b"x" * (50 << 20)
    assert request(router.endpoint, HOST, "POST", "/", data=body).text == f"one got {len(body)}"


def test_nothing_of_a_request_is_logged(router: LocalRouter, tmp_path: Path) -> None:
    router.register(Route(HOST, "127.0.0.1", find_port(), "d"))
    headers = {"Authorization": "Bearer s3cr3t", "X-Api-Key": "s3cr3t"}
    request(router.endpoint, HOST, "GET", "/?token=s3cr3t", headers=headers, check=False)
    router.stop()
    log = tmp_path / "logs" / "caddy.log"
    assert "serving initial configuration" in log.read_text()
    assert "s3cr3t" not in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


# --- streams ----------------------------------------------------------------------------------------------------------


def test_an_event_arrives_before_the_next_is_sent(router: LocalRouter, upstream: Upstream) -> None:
    """kamal-proxy 46: a proxy that buffers answers holds server-sent events back."""
    lines = request(router.endpoint, HOST, "GET", "/events", stream=True).iter_lines()
    assert next(lines) == "data: first"
    upstream.release.set()
    assert list(lines) == ["", "data: second", ""]


def test_a_stream_outlives_every_change_of_routes(router: LocalRouter, upstream: Upstream, other: Upstream) -> None:
    lines = request(router.endpoint, HOST, "GET", "/events", stream=True).iter_lines()
    assert next(lines) == "data: first"
    router.register(route_to(other))
    router.register(route_to(other, "other.team.localhost"))
    router.unregister(HOST)
    upstream.release.set()
    assert list(lines) == ["", "data: second", ""]


def test_the_server_learns_that_a_client_has_gone(router: LocalRouter, upstream: Upstream) -> None:
    with request(router.endpoint, HOST, "GET", "/events", stream=True) as answer:
        assert next(answer.iter_lines()) == "data: first"
    assert upstream.left.wait(10)
    wait_for(lambda: router.count_requests(upstream.host, upstream.port) == 0)


def test_a_websocket_outlives_every_change_of_routes(router: LocalRouter, upstream: Upstream, other: Upstream) -> None:
    router.register(route_to(upstream, BY_ADDRESS))
    client = open_websocket(router)
    try:
        for change in (
            lambda: router.register(route_to(other, "other.team.localhost")),
            lambda: router.register(route_to(upstream, "other.team.localhost")),
            lambda: router.unregister("other.team.localhost"),
            lambda: router.reconcile([route_to(upstream, BY_ADDRESS), route_to(other, "third.team.localhost")]),
            lambda: router.register(route_to(other, BY_ADDRESS)),
            lambda: router.unregister(BY_ADDRESS),
        ):
            client.send("hello")
            assert client.receive(timeout=10) == "one: hello"
            change()
        client.send("still here")
        assert client.receive(timeout=10) == "one: still here"
        assert router.count_requests(upstream.host, upstream.port) == 1
    finally:
        client.close()
    wait_for(lambda: router.count_requests(upstream.host, upstream.port) == 0)


# --- switching --------------------------------------------------------------------------------------------------------


def test_requests_on_a_target_that_no_route_names_are_still_counted(
    router: LocalRouter, upstream: Upstream, other: Upstream
) -> None:
    answers: list[str] = []
    thread = threading.Thread(target=lambda: answers.append(get(router, "/stall")))
    thread.start()
    assert upstream.arrived.wait(10)
    assert router.count_requests(upstream.host, upstream.port) == 1
    router.register(route_to(other))
    assert router.count_requests(upstream.host, upstream.port) == 1
    router.unregister(HOST)
    assert router.count_requests(upstream.host, upstream.port) == 1
    upstream.release.set()
    thread.join()
    assert answers == ["one"]
    wait_for(lambda: router.count_requests(upstream.host, upstream.port) == 0)


def test_a_request_that_was_on_its_way_to_the_old_server_goes_to_the_new_one(
    router: LocalRouter, other: Upstream
) -> None:
    router.register(Route(HOST, "127.0.0.1", find_port(), f"deployment-of-{HOST}"))
    body = b"x" * 100_000
    with socket.create_connection((router.endpoint.address, router.endpoint.port), 10) as connection:
        head = f"POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        connection.sendall(head + body)
        router.register(route_to(other))
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert (answer.status, answer.read()) == (200, b"two got 100000")


@pytest.mark.slow
def test_no_request_fails_while_targets_are_switched(router: LocalRouter, upstream: Upstream, other: Upstream) -> None:
    load = Load(router)
    with load:
        for count in range(60):
            router.register(route_to((other, upstream)[count % 2]))
            time.sleep(0.02)
    assert load.failures == []
    assert set(load.answers) == {"one", "two", "one got 3", "two got 3"}


@pytest.mark.slow
def test_servers_that_are_replaced_and_stopped_drop_nothing(router: LocalRouter) -> None:
    current = Upstream("0").__enter__()
    router.register(route_to(current))
    load = Load(router)
    with load:
        for count in range(1, 11):
            old, current = current, Upstream(str(count)).__enter__()
            router.register(route_to(current))
            wait_for(lambda old=old: router.count_requests(old.host, old.port) == 0)
            old.__exit__(None, None, None)
    current.__exit__(None, None, None)
    assert load.failures == []
    assert len(load.answers) >= 11


class Load:
    """Clients that ask without pause, some over connections they would like to keep; collects answers and failures."""

    def __init__(self, router: LocalRouter) -> None:
        self.answers: Counter[str] = Counter()
        self.failures: list[str] = []
        self._address = (router.endpoint.address, router.endpoint.port)
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(kind,)) for kind in ("GET", "GET", "POST", "POST")]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _run(self, method: str) -> None:
        connection = http.client.HTTPConnection(*self._address, timeout=20)
        while not self._over.is_set():
            try:
                connection.request(method, "/", b"abc" if method == "POST" else None, {"Host": HOST})
                answer = connection.getresponse()
                text = answer.read().decode()
                if answer.status == 200:
                    self.answers[text] += 1
                else:
                    self.failures.append(f"{answer.status}: {text}")
            except (OSError, http.client.HTTPException) as exc:
                self.failures.append(repr(exc))
                connection.close()
        connection.close()


# --- TLS --------------------------------------------------------------------------------------------------------------


def test_certificates_of_an_authority_of_its_own(tmp_path: Path) -> None:
    router = LocalRouter(open_home(tmp_path), port=find_port(), tls="internal")
    try:
        with Upstream("secure") as upstream:
            router.register(route_to(upstream))
            assert router.make_url(HOST) == f"https://{HOST}:{router.endpoint.port}"
            assert request(router.endpoint, HOST, "GET", "/").text == "secure"
            seen = json.loads(request(router.endpoint, HOST, "GET", "/headers").content)
            assert seen["X-Forwarded-Proto"] == "https"
            with pytest.raises(RequestFailed, match="certificate verify failed"):
                request(replace(router.endpoint, ca_file=None), HOST, "GET", "/")
    finally:
        router.stop()
