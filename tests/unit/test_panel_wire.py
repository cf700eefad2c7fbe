"""The socket under a websocket: whole frames, one after the other, and nobody waited for forever."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from mastra_admin_panel.wire import SharedSocket


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    theirs.settimeout(10)
    with ours, theirs:
        yield ours, theirs


def read(peer: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        found += peer.recv(1000)
    return found


def test_frames_of_two_threads_stay_whole_while_the_reader_is_slow(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    shared = SharedSocket(ours)
    size, count = 50_000, 20
    senders = [
        threading.Thread(target=lambda byte=byte: [shared.send(byte * size) for _ in range(count)])
        for byte in (b"a", b"b")
    ]
    for sender in senders:
        sender.start()
    received = read(theirs, 2 * count * size)
    for sender in senders:
        sender.join(10)
    frames = [received[start : start + size] for start in range(0, len(received), size)]
    assert all(len(set(frame)) == 1 for frame in frames)
    shared.close()


def test_a_peer_that_doesnt_read_is_given_up(pair: tuple[socket.socket, socket.socket]) -> None:
    shared = SharedSocket(pair[0], send_seconds=0.05)
    with pytest.raises(OSError, match="temporarily unavailable"):
        shared.send(b"x" * 10_000_000)
    shared.close()


def test_ending_it_wakes_a_thread_that_waits(pair: tuple[socket.socket, socket.socket]) -> None:
    shared = SharedSocket(pair[0])
    got: list[bytes] = []
    waiting = threading.Thread(target=lambda: got.append(shared.recv(10)))
    waiting.start()
    shared.end()
    waiting.join(10)
    assert got == [b""]
    shared.end()
    shared.close()


def test_closing_it_leaves_the_servers_own_socket_alone(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    shared = SharedSocket(ours)
    shared.close()
    shared.close()
    ours.sendall(b"still here")
    assert read(theirs, 10) == b"still here"
