"""What a real router counts of the requests that it answers."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from fakes.router import FakeRouter
from fixtures.quick import find_free_port

from mastra_admin_sdk.adapters.router.caddy import LocalRouter
from mastra_admin_sdk.home import open_home
from mastra_admin_sdk.models import Route
from mastra_admin_sdk.ports.router import Router, Traffic

ONE, DEAD = "one.team.localhost", "dead.team.localhost"


class Upstream(BaseHTTPRequestHandler):
    """Answers 200, or 500 for what is called bad."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(500 if self.path == "/bad" else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def upstream() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join(10)
    server.server_close()


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Router]:
    made = LocalRouter(open_home(tmp_path), port=find_free_port(), https_port=find_free_port())
    yield made
    made.stop()


@pytest.mark.parametrize("kind", ["fake", "caddy"])
def test_nothing_is_counted_while_it_does_not_run(kind: str, tmp_path: Path) -> None:
    assert list((FakeRouter() if kind == "fake" else LocalRouter(open_home(tmp_path))).read_traffic()) == []


def test_each_request_counts_once_by_host_and_status(router: Router, upstream: int) -> None:
    router.reconcile([Route(ONE, "127.0.0.1", upstream, "d1"), Route(DEAD, "127.0.0.1", find_free_port(), "d2")])
    for host, path in ((ONE, "/"), (ONE, "/"), (ONE, "/bad"), (DEAD, "/"), ("nobody.localhost", "/")):
        get(router, host, path)
    found = list(router.read_traffic())
    assert [(one.host, one.status, one.requests) for one in found] == [(DEAD, 502, 1), (ONE, 200, 2), (ONE, 500, 1)]
    assert all(isinstance(one, Traffic) and 0 < one.seconds < 60 for one in found)


def get(router: Router, host: str, path: str) -> None:
    """Send a GET for a host, as a client that resolves it to the router does."""
    connection = http.client.HTTPConnection(host, timeout=20)
    connection.sock = socket.create_connection((router.endpoint.address, router.endpoint.port), 20)
    connection.request("GET", path)
    connection.getresponse().read()
    connection.close()
