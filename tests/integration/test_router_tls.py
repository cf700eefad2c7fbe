"""Hosts with a certificate of their own, through a real Caddy."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from fixtures.quick import find_free_port
from fixtures.upstream import Upstream

from mastra_admin_sdk.adapters.router.caddy import LocalRouter
from mastra_admin_sdk.adapters.router.caddy.config import Instance, build_config
from mastra_admin_sdk.adapters.router.caddy.options import check_options
from mastra_admin_sdk.adapters.router.caddy.program import find_program
from mastra_admin_sdk.errors import RouterError
from mastra_admin_sdk.home import open_home
from mastra_admin_sdk.models import Route, Tls
from mastra_admin_sdk.services.deployments.requests import request

HOST = "agents.example.com"
PLAIN = "agent-main.team.localhost"


@pytest.fixture
def router(tmp_path: Path) -> Iterator[LocalRouter]:
    router = make_router(tmp_path)
    yield router
    router.stop()


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream("one") as upstream:
        yield upstream


def make_router(home: Path, https_port: int | None = None) -> LocalRouter:
    return LocalRouter(open_home(home), port=find_free_port(), https_port=https_port or find_free_port())


def lead_to(upstream: Upstream, host: str = HOST, tls: Tls = Tls.INTERNAL) -> Route:
    return Route(host, upstream.host, upstream.port, "d", tls=tls)


def test_a_host_with_a_certificate_is_served_as_soon_as_it_is_registered(
    router: LocalRouter, upstream: Upstream
) -> None:
    router.register(lead_to(upstream, PLAIN, Tls.OFF))
    router.register(lead_to(upstream))
    # The certificate is checked against the root that the endpoint names, and for the host.
    assert request(router.endpoint.secured, HOST, "GET", "/").text == "one"
    assert request(router.endpoint, PLAIN, "GET", "/").text == "one"
    assert router.make_url(HOST, Tls.INTERNAL) == f"https://{HOST}:{router.endpoint.https_port}"
    assert [(route.host, route.tls) for route in router.list_routes()] == [(PLAIN, "off"), (HOST, "internal")]


def test_plain_requests_are_sent_to_the_secure_address_as_they_are(router: LocalRouter, upstream: Upstream) -> None:
    router.register(lead_to(upstream))
    answer = request(router.endpoint, HOST, "POST", "/a/b?c=%20d&e", data="x", check=False)
    assert answer.status == 308
    assert answer.headers["Location"] == f"https://{HOST}:{router.endpoint.https_port}/a/b?c=%20d&e"


def test_hosts_without_a_certificate_are_not_served_on_the_secure_port(router: LocalRouter, upstream: Upstream) -> None:
    router.register(lead_to(upstream, PLAIN, Tls.OFF))
    router.register(lead_to(upstream))
    context = ssl.create_default_context(cafile=router.endpoint.ca_file)
    context.check_hostname = False
    with (
        socket.create_connection((router.endpoint.address, router.endpoint.https_port or 0), 10) as raw,
        context.wrap_socket(raw, server_hostname=HOST) as connection,
    ):
        connection.sendall(f"GET / HTTP/1.1\r\nHost: {PLAIN}\r\nConnection: close\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 4")


def test_the_secure_port_refuses_strangers_while_no_host_needs_it(router: LocalRouter) -> None:
    router.start()
    with (
        pytest.raises(OSError, match=r"(?i)alert|reset|eof"),
        socket.create_connection((router.endpoint.address, router.endpoint.https_port or 0), 10) as raw,
    ):
        ssl._create_unverified_context().wrap_socket(raw, server_hostname=HOST)
    assert not Path(router.endpoint.ca_file or "").exists()


def test_a_host_can_get_a_certificate_and_give_it_up(router: LocalRouter, upstream: Upstream) -> None:
    for _ in range(2):
        router.register(lead_to(upstream, tls=Tls.OFF))
        assert request(router.endpoint, HOST, "GET", "/").text == "one"
        router.register(lead_to(upstream))
        assert request(router.endpoint.secured, HOST, "GET", "/").text == "one"
    router.unregister(HOST)
    assert router.list_routes() == []


def test_a_probe_of_such_a_host_goes_through_its_certificate(router: LocalRouter, upstream: Upstream) -> None:
    router.register(lead_to(upstream))
    probe = router.probe(HOST)
    assert (probe.status, probe.target, probe.body) == (200, f"127.0.0.1:{upstream.port}", "one")


def test_a_taken_secure_port_stops_only_hosts_that_need_it(tmp_path: Path, upstream: Upstream) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = int(stranger.getsockname()[1])
        router = make_router(tmp_path, port)
        try:
            router.register(lead_to(upstream, PLAIN, Tls.OFF))
            with pytest.raises(RouterError, match=rf"port {port} \(taken by pid {os.getpid()}"):
                router.register(lead_to(upstream))
            assert request(router.endpoint, PLAIN, "GET", "/").text == "one"
            assert [route.host for route in router.list_routes()] == [PLAIN]
        finally:
            router.stop()


@pytest.mark.parametrize("tls", list(Tls), ids=str)
def test_caddy_takes_the_configuration_for_public_certificates(tmp_path: Path, tls: Tls) -> None:
    """No authority can be reached from a test; that Caddy understands what it is asked for can be seen."""
    options = check_options(port=80, bind="127.0.0.1", base_domain="example.com", tls=tls, https_port=443)
    routes = [Route(f"{kind}.example.com", "127.0.0.1", 4100, "d", tls=kind) for kind in Tls]
    (tmp_path / "targets").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as main, socket.create_server(("127.0.0.1", 0)) as secure:
        numbers = [main.fileno(), secure.fileno()]
        config = build_config(
            options, Instance(*numbers, "n", "s"), routes, socket=str(tmp_path / "s"), log_file=str(tmp_path / "log")
        )
        (tmp_path / "caddy.json").write_text(json.dumps(config))
        done = subprocess.run(
            [find_program(), "validate", "--config", "caddy.json"],
            cwd=tmp_path,
            env={"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)},
            pass_fds=numbers,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert "Valid configuration" in done.stdout + done.stderr
