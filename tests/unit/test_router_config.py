from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra_admin_sdk.adapters.router.caddy.config import (
    IDENTITY_HOST,
    build_config,
    build_route,
    build_routes,
    check_host,
    check_options,
    check_route,
    format_target,
    list_route_keys,
    make_key,
    parse_route,
    parse_target,
    read_identity,
)
from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.models import Route

ROUTE = Route("one.localhost", "127.0.0.1", 4101, "d1", id="r1", created_at=datetime(2026, 1, 2, 3, 4, 5, 6, UTC))
LOCAL = check_options(port=8080, bind="127.0.0.1", base_domain="localhost", tls=None)


def build(tls: str = "off", bind: str = "127.0.0.1") -> dict[str, object]:
    options = check_options(port=8443, bind=bind, base_domain="example.com", tls=tls)
    config = build_config(options, listener=7, socket="/run/a b.sock", log_file="/home/{x}/caddy.log", nonce="n")
    return json.loads(json.dumps(config))


def test_a_route_comes_back_as_it_went_in() -> None:
    entry = json.loads(json.dumps(build_route(ROUTE)))
    assert parse_route(entry, ("127.0.0.1", 4101)) == ROUTE
    assert entry["@id"] == make_key("one.localhost")


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param({}, id="empty"),
        pytest.param({"@id": "route-1"}, id="no-handler"),
        pytest.param({"@id": "route-1", "handle": [{"handler": "vars"}], "match": []}, id="no-host"),
        pytest.param({"@id": "other"}, id="not-ours"),
    ],
)
def test_entries_that_are_no_routes_are_passed_over(entry: dict[str, object]) -> None:
    assert parse_route(entry, ("127.0.0.1", 1)) is None


def test_a_route_that_leads_nowhere_is_not_in_force() -> None:
    assert parse_route(build_route(ROUTE), None) is None


@given(st.ip_addresses(), st.integers(1, 65535))
def test_targets_come_back_as_they_went_in(address: object, port: int) -> None:
    assert parse_target(format_target(str(address), port)) == (str(address), port)


@pytest.mark.parametrize("text", ["", "127.0.0.1", ":80", "host:", "host:x"], ids=repr)
def test_what_is_no_target_is_none(text: str) -> None:
    assert parse_target(text) is None


def test_unknown_hosts_are_answered_last_and_routes_are_in_order() -> None:
    entries = build_routes(LOCAL, [Route(f"{name}.localhost", "::1", 1, "d") for name in "cab"], "n")
    assert list_route_keys(entries) == [make_key(f"{name}.localhost") for name in "abc"]
    assert "match" not in entries[-1]
    assert read_identity(entries[1]) == {"nonce": "n", "bind": "127.0.0.1", "port": 8080, "tls": "off"}


def test_the_configuration_is_never_persisted_and_the_admin_socket_is_private() -> None:
    admin = build()["admin"]
    assert admin == {"listen": "unix//run/a b.sock|0600", "config": {"persist": False}}


def test_the_port_is_inherited_and_not_opened_again() -> None:
    assert build()["apps"]["http"]["servers"]["router"]["listen"] == ["fd/7"]


def test_no_time_limit_is_shorter_than_an_agents_turn() -> None:
    server = build()["apps"]["http"]["servers"]["router"]
    transport = build_route(ROUTE)["handle"][1]["transport"]
    assert not {"read_timeout", "write_timeout", "idle_timeout"} & set(server)
    assert not {"response_header_timeout", "read_timeout", "write_timeout"} & set(transport)


def test_websockets_outlive_changes_of_the_configuration() -> None:
    assert build_route(ROUTE)["handle"][1]["stream_close_delay"] == "24h"


def test_the_log_holds_no_headers_and_no_addresses_of_requests() -> None:
    log = build()["logging"]["logs"]["default"]
    assert set(log["encoder"]["fields"]) == {"request>headers", "request>uri"}
    assert log["writer"]["filename"] == "/home/\\{x}/caddy.log"
    assert "logs" not in build()["apps"]["http"]["servers"]["router"]


def test_public_certificates_leave_the_identity_to_an_authority_of_our_own() -> None:
    apps = build("auto", "0.0.0.0")["apps"]
    assert apps["tls"]["automation"]["policies"] == [{"subjects": [IDENTITY_HOST], "issuers": [{"module": "internal"}]}]
    assert apps["http"]["https_port"] == 8443
    assert apps["pki"]["certificate_authorities"]["local"] == {"install_trust": False}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"bind": "0.0.0.0"}, "without TLS", id="all-interfaces"),
        pytest.param({"bind": "::"}, "without TLS", id="all-ipv6-interfaces"),
        pytest.param({"bind": "192.0.2.1"}, "without TLS", id="public-address"),
        pytest.param({"bind": "example.com"}, "IP address", id="name"),
        pytest.param({"port": 0}, "port 0", id="no-port"),
        pytest.param({"port": 70000}, "port 70000", id="high-port"),
        pytest.param({"tls": "on"}, "tls='on'", id="unknown-tls"),
        pytest.param({"base_domain": "*.example.com"}, "host of a route", id="wildcard-domain"),
        pytest.param({"base_domain": ""}, "host of a route", id="no-domain"),
    ],
)
def test_options_that_cannot_be_used_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        check_options(**{"port": 8080, "bind": "127.0.0.1", "base_domain": "localhost", "tls": None, **options})


@pytest.mark.parametrize(
    ("options", "url", "address"),
    [
        pytest.param({}, "http://a.localhost:8080", "127.0.0.1", id="default"),
        pytest.param({"bind": "localhost"}, "http://a.localhost:8080", "127.0.0.1", id="localhost"),
        pytest.param({"port": 80}, "http://a.localhost", "127.0.0.1", id="http-port"),
        pytest.param({"port": 443, "tls": "auto", "bind": "0.0.0.0"}, "https://a.localhost", "127.0.0.1", id="https"),
        pytest.param({"tls": "internal"}, "https://a.localhost:8080", "127.0.0.1", id="https-on-another-port"),
        pytest.param({"bind": "0.0.0.0", "tls": "off"}, "http://a.localhost:8080", "127.0.0.1", id="explicitly-off"),
        pytest.param({"bind": "::", "tls": "off"}, "http://a.localhost:8080", "::1", id="ipv6"),
        pytest.param({"bind": "192.0.2.1", "tls": "off"}, "http://a.localhost:8080", "192.0.2.1", id="one-address"),
    ],
)
def test_addresses(options: dict[str, object], url: str, address: str) -> None:
    found = check_options(**{"port": 8080, "bind": "127.0.0.1", "base_domain": "localhost", "tls": None, **options})
    assert (found.make_url("a.localhost"), found.local_address) == (url, address)


@pytest.mark.parametrize("target", ["", "a b", "{env.HOME}", "http://x", "127.0.0.1:80", "a/b"], ids=repr)
def test_targets_that_could_mean_something_else_are_refused(target: str) -> None:
    with pytest.raises(InvalidInput):
        check_route(Route("a.localhost", target, 80, "d"))


def test_the_routers_own_host_is_not_for_routes() -> None:
    with pytest.raises(InvalidInput):
        check_host(IDENTITY_HOST)
