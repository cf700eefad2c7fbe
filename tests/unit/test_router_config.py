from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra_admin_sdk.adapters.router.caddy.config import (
    Instance,
    build_apps,
    build_config,
    list_entries,
    read_identity,
    read_instance,
)
from mastra_admin_sdk.adapters.router.caddy.entries import build_route, make_key, parse_route
from mastra_admin_sdk.adapters.router.caddy.options import (
    IDENTITY_HOST,
    RouterOptions,
    check_host,
    check_options,
    check_route,
    format_target,
    list_targets,
    parse_target,
)
from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.models import Route, Tls

ROUTE = Route("one.localhost", "127.0.0.1", 4101, "d1", id="r1", created_at=datetime(2026, 1, 2, 3, 4, 5, 6, UTC))
LOCAL = check_options(port=8080, bind="127.0.0.1", base_domain="localhost", tls=None, https_port=8443)
INSTANCE = Instance(7, 8, "n", "s")


def build(tls: str = "off", bind: str = "127.0.0.1", *routes: Route, instance: Instance = INSTANCE) -> dict[str, Any]:
    options = check_options(port=8080, bind=bind, base_domain="example.com", tls=tls, https_port=8443)
    config = build_config(options, instance, routes, socket="/run/a b.sock", log_file="/home/{x}/caddy.log")
    return json.loads(json.dumps(config))


def make_options(given: dict[str, Any]) -> RouterOptions:
    defaults = {"port": 8080, "bind": "127.0.0.1", "base_domain": "localhost", "tls": None, "https_port": 8443}
    return check_options(**{**defaults, **given})


def find_proxies(entry: Any) -> list[dict[str, Any]]:
    """Return all reverse proxies in an entry, however deep."""
    if isinstance(entry, list):
        return [proxy for item in entry for proxy in find_proxies(item)]
    if not isinstance(entry, dict):
        return []
    return [entry] if entry.get("handler") == "reverse_proxy" else find_proxies(list(entry.values()))


def test_a_route_comes_back_as_it_went_in() -> None:
    entry = json.loads(json.dumps(build_route(ROUTE)))
    assert parse_route(entry, ["127.0.0.1:4101"]) == ROUTE
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
    assert parse_route(entry, ["127.0.0.1:1"]) is None


def test_a_route_that_leads_nowhere_is_not_in_force() -> None:
    assert parse_route(build_route(ROUTE), []) is None


@given(st.ip_addresses(), st.integers(1, 65535))
def test_targets_come_back_as_they_went_in(address: object, port: int) -> None:
    assert parse_target(format_target(str(address), port)) == (str(address), port)


@pytest.mark.parametrize("text", ["", "127.0.0.1", ":80", "host:", "host:x"], ids=repr)
def test_what_is_no_target_is_none(text: str) -> None:
    assert parse_target(text) is None


def test_unknown_hosts_are_answered_last_and_routes_are_in_order() -> None:
    apps = build_apps(LOCAL, INSTANCE, [Route(f"{name}.localhost", "::1", 1, "d") for name in "cab"])
    entries = apps["http"]["servers"]["router"]["routes"]
    assert list(list_entries(apps)) == [make_key(f"{name}.localhost") for name in "abc"]
    assert "match" not in entries[-1]
    assert read_identity(entries[2]) == {
        "nonce": "n",
        "bind": "127.0.0.1",
        "port": 8080,
        "tls": "off",
        "https_port": 8443,
        "listeners": [7, 8],
    }
    assert read_instance(apps) == INSTANCE


def test_the_configuration_is_never_persisted_and_the_admin_socket_is_private() -> None:
    admin = build()["admin"]
    assert admin == {"listen": "unix//run/a b.sock|0600", "config": {"persist": False}}


def test_the_port_is_inherited_and_not_opened_again() -> None:
    assert build()["apps"]["http"]["servers"]["router"]["listen"] == ["fd/7"]


def test_no_time_limit_is_shorter_than_an_agents_turn() -> None:
    server = build()["apps"]["http"]["servers"]["router"]
    assert not {"read_timeout", "write_timeout", "idle_timeout"} & set(server)
    for proxy in find_proxies(build_route(ROUTE)):
        assert not {"response_header_timeout", "read_timeout", "write_timeout"} & set(proxy["transport"])


def test_websockets_outlive_changes_of_the_configuration() -> None:
    assert [proxy["stream_close_delay"] for proxy in find_proxies(build_route(ROUTE))] == ["24h", "24h"]


def test_the_log_holds_no_headers_and_no_addresses_of_requests() -> None:
    log = build()["logging"]["logs"]["default"]
    assert set(log["encoder"]["fields"]) == {"request>headers", "request>uri"}
    assert log["writer"]["filename"] == "/home/\\{x}/caddy.log"
    assert "logs" not in build()["apps"]["http"]["servers"]["router"]


def test_public_certificates_leave_the_identity_to_an_authority_of_our_own() -> None:
    apps = build("auto", "0.0.0.0")["apps"]
    assert apps["tls"]["automation"]["policies"] == [{"subjects": [IDENTITY_HOST], "issuers": [{"module": "internal"}]}]
    assert apps["http"]["https_port"] == 8080
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
        pytest.param({"https_port": 0}, "port 0", id="no-https-port"),
        pytest.param({"https_port": 8080}, "twice", id="one-port-for-both"),
        pytest.param({"tls": "on"}, "tls='on'", id="unknown-tls"),
        pytest.param({"base_domain": "*.example.com"}, "host of a route", id="wildcard-domain"),
        pytest.param({"base_domain": ""}, "host of a route", id="no-domain"),
    ],
)
def test_options_that_cannot_be_used_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        make_options(options)


@pytest.mark.parametrize(
    ("options", "url", "address"),
    [
        pytest.param({}, "http://a.localhost:8080", "127.0.0.1", id="default"),
        pytest.param({"bind": "localhost"}, "http://a.localhost:8080", "127.0.0.1", id="localhost"),
        pytest.param({"port": 80}, "http://a.localhost", "127.0.0.1", id="http-port"),
        pytest.param({"port": 443, "tls": "auto", "bind": "0.0.0.0"}, "https://a.localhost", "127.0.0.1", id="https"),
        pytest.param({"port": 8443, "tls": "internal"}, "https://a.localhost:8443", "127.0.0.1", id="one-port-for-all"),
        pytest.param({"tls": "internal"}, "https://a.localhost:8080", "127.0.0.1", id="https-on-another-port"),
        pytest.param({"bind": "0.0.0.0", "tls": "off"}, "http://a.localhost:8080", "127.0.0.1", id="explicitly-off"),
        pytest.param({"bind": "::", "tls": "off"}, "http://a.localhost:8080", "::1", id="ipv6"),
        pytest.param({"bind": "192.0.2.1", "tls": "off"}, "http://a.localhost:8080", "192.0.2.1", id="one-address"),
    ],
)
def test_addresses(options: dict[str, object], url: str, address: str) -> None:
    found = make_options(options)
    assert (found.make_url("a.localhost"), found.local_address) == (url, address)


@pytest.mark.parametrize("target", ["", "a b", "{env.HOME}", "http://x", "127.0.0.1:80", "a/b"], ids=repr)
def test_targets_that_could_mean_something_else_are_refused(target: str) -> None:
    with pytest.raises(InvalidInput):
        check_route(Route("a.localhost", target, 80, "d"))


def test_targets_are_written_as_caddy_dials_them_and_each_once() -> None:
    route = check_route(Route("a.localhost", "::1", 80, "d", ("::1:81", "[::1]:80", "127.0.0.1:82")))
    assert list_targets(route) == ("[::1]:80", "[::1]:81", "127.0.0.1:82")


@pytest.mark.parametrize(
    "target", ["", "127.0.0.1", "{env.HOME}:80", "127.0.0.1:0", "127.0.0.1:70000", "a b:1"], ids=repr
)
def test_further_targets_are_checked_like_the_first(target: str) -> None:
    with pytest.raises(InvalidInput):
        check_route(Route("a.localhost", "127.0.0.1", 80, "d", (target,)))


def test_a_host_with_a_certificate_is_served_on_its_own_port_and_sent_there_from_the_plain_one() -> None:
    plain = replace(ROUTE, host="two.localhost")
    apps = build("off", "127.0.0.1", replace(ROUTE, tls=Tls.INTERNAL), plain)["apps"]
    servers = apps["http"]["servers"]
    served = {name: list(list_entries({"http": {"servers": {name: found}}})) for name, found in servers.items()}
    assert served == {"router": [make_key("two.localhost")], "secure": [make_key("one.localhost")]}
    (redirect,) = [item for item in servers["router"]["routes"] if item.get("match") == [{"host": ["one.localhost"]}]]
    assert redirect["handle"][0]["status_code"] == "308"
    assert redirect["handle"][0]["headers"]["Location"] == ["https://one.localhost:8443{http.request.uri}"]
    assert servers["secure"]["listen"] == ["fd/8"]
    assert "tls_connection_policies" not in servers["router"]


def test_without_such_a_host_nothing_makes_certificates() -> None:
    apps = build("off", "127.0.0.1", ROUTE)["apps"]
    assert not {"tls", "pki"} & set(apps)
    assert [list(item) for item in apps["http"]["servers"]["secure"]["routes"]] == [["handle"]]


def test_each_host_gets_its_certificate_from_where_it_asks() -> None:
    routes = [replace(ROUTE, host=f"{tls}.example.com", tls=tls) for tls in Tls]
    internal = {"subjects": [IDENTITY_HOST, "internal.example.com"], "issuers": [{"module": "internal"}]}
    public = {"subjects": ["auto.example.com"]}
    policies = {tls: build(tls, "127.0.0.1", *routes)["apps"]["tls"]["automation"]["policies"] for tls in Tls}
    assert policies == {
        "off": [internal, public],
        "auto": [internal, public],
        "internal": [internal, public, {"issuers": [{"module": "internal"}]}],
    }


def test_a_router_without_the_port_for_certificates_has_one_server() -> None:
    apps = build(instance=Instance(7, None, "n", "s"))["apps"]
    assert list(apps["http"]["servers"]) == ["router"]


def test_the_routers_own_host_is_not_for_routes() -> None:
    with pytest.raises(InvalidInput):
        check_host(IDENTITY_HOST)
