"""Who listens where."""

from __future__ import annotations

import os
import socket

import pytest

from mastra_admin_sdk.adapters.runner.local.health import Listening, find_listening
from mastra_admin_sdk.adapters.runner.local.ports import find_free_port, list_listeners, list_sockets
from mastra_admin_sdk.errors import NoFreePort


@pytest.mark.parametrize(
    ("family", "address", "is_loopback"),
    [
        pytest.param(socket.AF_INET, "127.0.0.1", True, id="loopback"),
        pytest.param(socket.AF_INET, "127.0.0.9", True, id="another-loopback"),
        pytest.param(socket.AF_INET, "0.0.0.0", False, id="everywhere"),
        pytest.param(socket.AF_INET6, "::1", True, id="loopback-6"),
        pytest.param(socket.AF_INET6, "::", False, id="everywhere-6"),
    ],
)
def test_a_listener_is_found_with_its_reach(family: socket.AddressFamily, address: str, is_loopback: bool) -> None:
    with socket.create_server((address, 0), family=family) as server:
        port = server.getsockname()[1]
        found = [listener for listener in list_listeners() if listener.port == port]
        assert [listener.is_loopback for listener in found] == [is_loopback]
        assert found[0].inode in list_sockets([os.getpid()])


def test_closed_connections_that_linger_do_not_make_a_port_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        served, _ = server.accept()
        served.close()  # the side that closes first keeps the port in TIME_WAIT
        client.close()
    assert find_free_port("127.0.0.1", range(port, port + 1), frozenset()) == port


def test_a_port_that_is_bound_and_not_yet_listened_on_is_taken() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        with pytest.raises(NoFreePort) as caught:
            find_free_port("127.0.0.1", range(port, port + 1), frozenset())
    assert caught.value.evidence == {"range": f"{port}-{port}", "deployments": 0, "others": 1}


def test_a_listener_of_another_process_is_a_stranger() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert find_listening("no such process", 0, port) is Listening.STRANGER
        assert find_listening("no such process", os.getpid(), port) is Listening.OURS
    assert find_listening("no such process", os.getpid(), port) is Listening.NOBODY
