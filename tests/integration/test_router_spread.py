"""One host, several servers, through a real Caddy."""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from fixtures.quick import find_free_port, wait_until
from fixtures.upstream import Upstream

from mastra_admin_sdk.adapters.router.caddy import LocalRouter
from mastra_admin_sdk.adapters.router.caddy.config import PROBE_HEADER, TARGET_HEADER
from mastra_admin_sdk.errors import RequestFailed
from mastra_admin_sdk.home import open_home
from mastra_admin_sdk.models import Route
from mastra_admin_sdk.services.deployments.requests import request

HOST = "agent-main.team.localhost"


@pytest.fixture
def router(tmp_path: Path) -> Iterator[LocalRouter]:
    router = LocalRouter(open_home(tmp_path), port=find_free_port(), https_port=find_free_port())
    yield router
    router.stop()


@pytest.fixture
def three() -> Iterator[list[Upstream]]:
    with ExitStack() as stack:
        yield [stack.enter_context(Upstream(name)) for name in ("one", "two", "three")]


def lead_to(*ports: int) -> Route:
    return Route(HOST, "127.0.0.1", ports[0], "d", tuple(f"127.0.0.1:{port}" for port in ports[1:]))


def ask(router: LocalRouter, path: str = "/", method: str = "GET", data: str | None = None) -> str:
    return request(router.endpoint, HOST, method, path, data=data).text


def test_requests_are_spread_evenly_over_all_targets(router: LocalRouter, three: list[Upstream]) -> None:
    router.register(lead_to(*(item.port for item in three)))
    assert Counter(ask(router) for _ in range(24)) == {"one": 8, "two": 8, "three": 8}


def test_other_targets_are_in_force_at_once_and_without_a_change_of_the_configuration(
    router: LocalRouter, three: list[Upstream]
) -> None:
    one, two, three_ = (item.port for item in three)
    router.register(lead_to(one))
    nonce = router._client.get_identity()
    assert {ask(router) for _ in range(12)} == {"one"}
    router.register(lead_to(two, three_))
    assert {ask(router) for _ in range(12)} == {"two", "three"}
    router.register(lead_to(three_))
    assert {ask(router) for _ in range(12)} == {"three"}
    assert router._client.get_identity() == nonce


def test_a_target_that_is_gone_costs_no_request(router: LocalRouter, three: list[Upstream]) -> None:
    router.register(lead_to(three[0].port, find_free_port(), find_free_port()))
    body = "x" * 100_000
    assert {ask(router, method="POST", data=body) for _ in range(30)} == {"one got 100000"}


@pytest.mark.slow
def test_a_target_that_takes_no_connection_is_passed_over_for_a_while(
    router: LocalRouter, three: list[Upstream]
) -> None:
    with full_listener() as port:
        router.register(lead_to(three[0].port, port))
        for _ in range(12):  # each slot is found out once
            assert ask(router) == "one"
        started = time.monotonic()
        assert {ask(router) for _ in range(30)} == {"one"}
        assert time.monotonic() - started < 15 * 0.3  # what it would take if every other one waited for it


def test_a_request_that_reached_a_target_is_not_sent_to_another(router: LocalRouter, three: list[Upstream]) -> None:
    with hanging_up() as (port, arrived):
        router.register(lead_to(port, port, three[0].port))
        answers = Counter(status_of(router, "POST") for _ in range(8))
        assert answers[502] == len(arrived) > 0


@pytest.mark.slow
def test_a_new_target_serves_at_once_where_all_before_it_were_passed_over(
    router: LocalRouter, three: list[Upstream]
) -> None:
    router.register(lead_to(find_free_port()))
    assert {status_of(router) for _ in range(3)} == {502}
    router.register(lead_to(three[1].port))
    assert [ask(router) for _ in range(12)] == ["two"] * 12


def test_requests_are_counted_for_each_target(router: LocalRouter, three: list[Upstream]) -> None:
    router.register(lead_to(three[0].port, three[1].port))
    clients = [threading.Thread(target=ask, args=(router, "/stall")) for _ in range(6)]
    for client in clients:
        client.start()
    wait_until(lambda: sum(router.count_requests(item.host, item.port) for item in three) == 6)
    assert [router.count_requests(item.host, item.port) for item in three] == [3, 3, 0]
    router.register(lead_to(three[2].port))
    assert [router.count_requests(item.host, item.port) for item in three] == [3, 3, 0]
    for item in three:
        item.release.set()
    for client in clients:
        client.join()
    wait_until(lambda: not any(router.count_requests(item.host, item.port) for item in three))


def test_switching_sets_under_load_loses_nothing(router: LocalRouter, three: list[Upstream]) -> None:
    ports = [item.port for item in three]
    router.register(lead_to(*ports))
    stop, failed, sent = threading.Event(), [], Counter[str]()

    def keep_asking() -> None:
        while not stop.is_set():
            try:
                sent[ask(router, method="POST", data="x")] += 1
            except RequestFailed as exc:
                failed.append(str(exc))

    clients = [threading.Thread(target=keep_asking) for _ in range(4)]
    for client in clients:
        client.start()
    for turn in range(60):
        router.register(lead_to(*(ports[turn % 3 :] + ports[: turn % 3])[: 1 + turn % 3]))
    stop.set()
    for client in clients:
        client.join()
    assert failed == []
    assert set(sent) == {"one got 1", "two got 1", "three got 1"}


def test_a_probe_tells_which_target_answered(router: LocalRouter, three: list[Upstream]) -> None:
    router.register(lead_to(three[0].port, three[1].port))
    assert {router.probe(HOST).target for _ in range(4)} == {f"127.0.0.1:{item.port}" for item in three[:2]}
    assert router.probe(HOST, "/headers").status == 200
    assert PROBE_HEADER not in router.probe(HOST, "/headers").body
    assert router.probe("nobody.localhost") == router.probe("nobody.localhost")
    assert (router.probe("nobody.localhost").status, router.probe("nobody.localhost").target) == (404, None)
    router.register(lead_to(find_free_port()))
    assert (router.probe(HOST).status, router.probe(HOST).target) == (502, None)


def test_nobody_else_is_told_where_a_server_listens(router: LocalRouter, three: list[Upstream]) -> None:
    router.register(lead_to(three[0].port))
    for headers in ({}, {PROBE_HEADER: "guessed"}, {PROBE_HEADER: "*"}):
        assert TARGET_HEADER not in request(router.endpoint, HOST, "GET", "/", headers=headers).headers


def test_files_of_former_targets_do_not_pile_up(router: LocalRouter, three: list[Upstream]) -> None:
    for turn in range(10):
        router.register(lead_to(three[turn % 2].port))
    folder = router._process.folder / "targets"
    assert len(list(folder.iterdir())) == 3
    router.unregister(HOST)
    assert list(folder.iterdir()) == []


def test_a_probe_outlives_changes_of_the_configuration(router: LocalRouter, three: list[Upstream]) -> None:
    router.register(lead_to(three[0].port))
    stop, found = threading.Event(), set()

    def keep_probing() -> None:
        while not stop.is_set():
            found.add(router.probe(HOST).target)

    clients = [threading.Thread(target=keep_probing) for _ in range(2)]
    for client in clients:
        client.start()
    for turn in range(10):
        router.register(Route(f"h{turn}.team.localhost", "127.0.0.1", three[1].port, "d"))
    stop.set()
    for client in clients:
        client.join()
    assert found == {f"127.0.0.1:{three[0].port}"}


def status_of(router: LocalRouter, method: str = "GET") -> int:
    return request(router.endpoint, HOST, method, "/", data="x" if method == "POST" else None, check=False).status


class full_listener:
    """A port that takes no connection: its queue is full, and nobody accepts."""

    def __enter__(self) -> int:
        self._sockets = [socket.socket()]
        self._sockets[0].bind(("127.0.0.1", 0))
        self._sockets[0].listen(0)
        port = int(self._sockets[0].getsockname()[1])
        for _ in range(3):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
            self._sockets.append(client)
        return port

    def __exit__(self, *_: object) -> None:
        for item in self._sockets:
            item.close()


class hanging_up:
    """A server that reads requests and ends the connection without an answer; it lists what arrived."""

    def __enter__(self) -> tuple[int, list[bytes]]:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._arrived: list[bytes] = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return int(self._listener.getsockname()[1]), self._arrived

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with connection:
                head = connection.recv(65536)
                if head == b"stop":
                    return
                self._arrived.append(head)

    def __exit__(self, *_: object) -> None:
        with socket.create_connection(self._listener.getsockname()) as connection:
            connection.sendall(b"stop")
            self._thread.join(10)
        self._listener.close()
