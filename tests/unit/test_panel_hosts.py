"""Under which names a panel answers, and which pages may talk to it."""

from __future__ import annotations

import pytest

from mastra_admin_panel.hosts import is_allowed_host, is_same_origin, split_host


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("127.0.0.1:3001", id="address"),
        pytest.param("localhost:3001", id="localhost"),
        pytest.param("LocalHost:3001", id="case"),
        pytest.param("localhost.:3001", id="trailing-dot"),
        pytest.param("[::1]:3001", id="ipv6"),
        pytest.param("panel.example.com", id="configured-name"),
        pytest.param("panel.example.com:8443", id="configured-name-with-port"),
    ],
)
def test_own_names_are_allowed(header: str) -> None:
    assert is_allowed_host(header, bind="127.0.0.1", port=3001, names=["panel.example.com"])


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("", id="none"),
        pytest.param("evil.example", id="stranger"),
        pytest.param("evil.example:3001", id="stranger-with-our-port"),
        pytest.param("localhost", id="no-port"),
        pytest.param("localhost:3002", id="other-port"),
        pytest.param("localhost.evil.example:3001", id="our-name-as-prefix"),
        pytest.param("weather.search.localhost:3001", id="subdomain"),
        pytest.param("localhost:3001@evil.example", id="user-part"),
        pytest.param("evil@localhost:3001", id="user"),
        pytest.param("localhost:3001/x", id="path"),
        pytest.param("localhost:99999", id="impossible-port"),
        pytest.param("[::1", id="open-bracket"),
        pytest.param("10.0.0.7:3001", id="other-address"),
    ],
)
def test_other_names_are_refused(header: str) -> None:
    assert not is_allowed_host(header, bind="127.0.0.1", port=3001)


def test_a_bind_address_is_a_name_and_a_wildcard_isnt() -> None:
    assert is_allowed_host("10.0.0.7:3001", bind="10.0.0.7", port=3001)
    assert not is_allowed_host("0.0.0.0:3001", bind="0.0.0.0", port=3001)


@pytest.mark.parametrize(
    ("origin", "host", "same"),
    [
        pytest.param("http://127.0.0.1:3001", "127.0.0.1:3001", True, id="same"),
        pytest.param("https://panel.example.com", "panel.example.com", True, id="behind-tls"),
        pytest.param("https://panel.example.com", "panel.example.com:443", True, id="default-port-named"),
        pytest.param("http://localhost:3001", "127.0.0.1:3001", False, id="other-name"),
        pytest.param("http://127.0.0.1:4101", "127.0.0.1:3001", False, id="other-port"),
        pytest.param("http://weather.search.localhost:8080", "localhost:3001", False, id="deployed-app"),
        pytest.param("null", "127.0.0.1:3001", False, id="null"),
        pytest.param("", "127.0.0.1:3001", False, id="empty"),
        pytest.param("file://", "127.0.0.1:3001", False, id="file"),
        pytest.param("http://127.0.0.1:99999", "127.0.0.1:3001", False, id="impossible-port"),
    ],
)
def test_an_origin_is_compared_with_the_host(origin: str, host: str, same: bool) -> None:
    assert is_same_origin(origin, host) is same


def test_a_host_is_split_into_name_and_port() -> None:
    assert split_host("[::1]:3001") == ("::1", 3001)
    assert split_host("Panel.Example.com") == ("panel.example.com", None)
