"""What every router promises, on the fake and on a real Caddy."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fakes.router import FakeRouter

from mastra_admin_sdk.adapters.router.caddy import LocalRouter
from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.home import open_home
from mastra_admin_sdk.models import Route, Tls
from mastra_admin_sdk.ports.router import MAX_TARGETS, Router

ONE = Route("one.team.localhost", "127.0.0.1", 4101, "deployment-1")
TWO = Route("two.team.localhost", "::1", 4102, "deployment-2")


@pytest.fixture(params=["fake", "caddy"])
def router(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Router]:
    ports = {"port": _find_port(), "https_port": _find_port()}
    router = FakeRouter(**ports) if request.param == "fake" else LocalRouter(open_home(tmp_path), **ports)
    yield router
    router.stop()


def test_it_runs_from_start_to_stop_and_both_can_be_repeated(router: Router) -> None:
    assert not router.is_running()
    assert router.start() == router.start() == router.endpoint
    assert router.is_running()
    router.stop()
    router.stop()
    assert not router.is_running()


def test_register_starts_it_and_puts_the_route_in_force(router: Router) -> None:
    router.register(ONE)
    assert router.is_running()
    assert router.get_route(ONE.host) == ONE
    assert router.list_routes() == [ONE]


def test_registering_again_changes_the_target_or_nothing(router: Router) -> None:
    router.register(ONE)
    router.register(Route(ONE.host, ONE.target_host, 4105, ONE.deployment_id))
    assert router.get_route(ONE.host) == replace(ONE, target_port=4105)
    router.register(replace(ONE, target_port=4105))
    assert len(router.list_routes()) == 1


def test_a_host_can_move_to_another_deployment(router: Router) -> None:
    router.register(ONE)
    moved = Route(ONE.host, "127.0.0.1", 4110, "deployment-9")
    router.register(moved)
    assert router.list_routes() == [moved]


def test_a_route_has_all_its_targets_the_main_one_first(router: Router) -> None:
    several = replace(ONE, more_targets=("127.0.0.1:4103", "127.0.0.1:4102"))
    router.register(several)
    assert router.get_route(ONE.host) == several
    fewer = replace(ONE, target_port=4102)
    router.register(fewer)
    assert router.list_routes() == [fewer]


def test_a_route_has_its_certificate(router: Router) -> None:
    for tls in (Tls.INTERNAL, Tls.OFF, Tls.INTERNAL):
        router.register(replace(ONE, tls=tls))
        assert router.list_routes() == [replace(ONE, tls=tls)]


def test_targets_and_certificates_are_differences_too(router: Router) -> None:
    more, secured = replace(ONE, more_targets=("127.0.0.1:4103",)), replace(TWO, tls=Tls.INTERNAL)
    assert router.reconcile([ONE, TWO]) == 2
    assert router.reconcile([more, TWO]) == 1
    assert router.reconcile([more, secured]) == 1
    assert router.reconcile([secured, more]) == 0
    assert router.list_routes() == [more, secured]


def test_there_is_a_most_of_targets(router: Router) -> None:
    several = replace(ONE, more_targets=tuple(f"127.0.0.1:{5000 + number}" for number in range(1, MAX_TARGETS)))
    router.register(several)
    assert router.get_route(ONE.host) == several
    with pytest.raises(InvalidInput):
        router.register(replace(several, more_targets=(*several.more_targets, "127.0.0.1:5999")))


def test_a_probe_of_what_leads_nowhere_says_so(router: Router) -> None:
    router.start()
    unknown = router.probe("nobody.team.localhost")
    assert (unknown.status, unknown.target) == (404, None)
    router.register(replace(ONE, target_port=_find_port()))
    dead = router.probe(ONE.host)
    assert (dead.status, dead.target) == (502, None)


def test_hosts_are_compared_without_regard_to_case(router: Router) -> None:
    router.register(replace(ONE, host="One.Team.LocalHost"))
    assert router.get_route("ONE.team.localhost") == ONE
    router.unregister("oNe.team.localhost")
    assert router.get_route(ONE.host) is None


def test_unregister_removes_one_route_and_takes_unknown_hosts(router: Router) -> None:
    router.unregister("nobody.localhost")
    assert not router.is_running()
    router.register(ONE)
    router.register(TWO)
    router.unregister(ONE.host)
    router.unregister(ONE.host)
    router.unregister("not a host")
    assert router.list_routes() == [TWO]


def test_reconcile_writes_differences_only(router: Router) -> None:
    assert router.reconcile([ONE, TWO]) == 2
    assert router.reconcile([TWO, ONE]) == 0
    assert router.reconcile([Route(ONE.host, ONE.target_host, ONE.target_port, ONE.deployment_id), TWO]) == 0
    assert router.reconcile([replace(ONE, target_port=4109), TWO]) == 1
    assert router.reconcile([TWO]) == 1
    assert router.list_routes() == [TWO]
    assert router.reconcile([]) == 1
    assert router.list_routes() == []


def test_reconciling_nothing_does_not_start_it(router: Router) -> None:
    assert router.reconcile([]) == 0
    assert not router.is_running()


def test_nothing_is_in_force_while_it_does_not_run(router: Router) -> None:
    router.register(ONE)
    router.stop()
    assert (router.get_route(ONE.host), list(router.list_routes())) == (None, [])
    assert router.count_requests(ONE.target_host, ONE.target_port) == 0
    router.start()
    assert router.list_routes() == []


def test_idle_and_unknown_targets_count_no_requests(router: Router) -> None:
    router.register(ONE)
    assert router.count_requests(ONE.target_host, ONE.target_port) == 0
    assert router.count_requests("127.0.0.1", 9) == 0


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("", id="empty"),
        pytest.param("*.localhost", id="wildcard"),
        pytest.param("{http.request.host}", id="placeholder"),
        pytest.param("a..localhost", id="empty-label"),
        pytest.param("-a.localhost", id="leading-hyphen"),
        pytest.param("a" * 64 + ".localhost", id="long-label"),
        pytest.param("a.localhost\n", id="line-break"),
        pytest.param("a.localhost:80", id="port"),
        pytest.param("münchen.localhost", id="not-ascii"),
        pytest.param("../a", id="path"),
    ],
)
def test_what_is_no_host_name_is_refused(router: Router, host: str) -> None:
    with pytest.raises(InvalidInput):
        router.register(replace(ONE, host=host))
    with pytest.raises(InvalidInput):
        router.reconcile([replace(ONE, host=host)])
    assert not router.is_running()


@pytest.mark.parametrize("port", [0, -1, 65536], ids=str)
def test_what_is_no_port_is_refused(router: Router, port: int) -> None:
    with pytest.raises(InvalidInput):
        router.register(replace(ONE, target_port=port))
    with pytest.raises(InvalidInput):
        router.register(replace(ONE, more_targets=(f"127.0.0.1:{port}",)))


def test_two_routes_of_one_host_are_refused(router: Router) -> None:
    with pytest.raises(InvalidInput):
        router.reconcile([ONE, replace(ONE, host=ONE.host.upper(), target_port=1)])


def test_addresses_name_scheme_host_and_port(router: Router) -> None:
    assert router.base_domain == "localhost"
    assert router.make_url(ONE.host) == f"http://{ONE.host}:{router.endpoint.port}"
    assert router.make_url(ONE.host, Tls.INTERNAL) == f"https://{ONE.host}:{router.endpoint.https_port}"
    assert (router.endpoint.scheme, router.endpoint.address) == ("http", "127.0.0.1")
    assert (router.endpoint.secured.scheme, router.endpoint.secured.port) == ("https", router.endpoint.https_port)
    assert router.describe()


def _find_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
