"""A POST ends in time, whatever its receiver does."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from mastra_admin_sdk.services.monitoring.posting import post


@pytest.fixture
def dripping() -> Iterator[int]:
    """A port whose listener sends a byte every 20 ms and never comes to an end."""
    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(5)

    def drip() -> None:
        with suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
                while not over.wait(0.02):
                    connection.sendall(b"a")

    thread = threading.Thread(target=drip)
    thread.start()
    yield listener.getsockname()[1]
    over.set()
    thread.join(10)
    listener.close()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_receiver_that_drips_is_left_in_time(dripping: int, scheme: str) -> None:
    began = time.monotonic()
    failure = post(f"{scheme}://127.0.0.1:{dripping}/", b"{}", {}, proxies={}, timeout=0.3)
    assert failure is not None
    assert time.monotonic() - began < 3
    if scheme == "http":
        assert failure.startswith("It didn't answer within")
