"""The socket under a websocket: whole frames, one after the other, and nobody waited for forever."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from mastra_admin_panel.live.wire import SharedSocket


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
        found += peer.recv(65536)
    return found


def test_frames_of_two_threads_stay_whole_while_the_reader_is_slow(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    shared = SharedSocket(ours)
    size, count = 20_000, 20

    def send(byte: bytes) -> None:
        for _ in range(count):
            while shared.is_full:
                shared.flush()
            shared.send(byte * size)

    senders = [threading.Thread(target=send, args=(byte,)) for byte in (b"a", b"b")]
    for sender in senders:
        sender.start()
    received = read(theirs, 2 * count * size - 60_000)
    for sender in senders:
        sender.join(10)
    while shared.is_full:
        shared.flush()
    received += read(theirs, 2 * count * size - len(received))
    frames = [received[start : start + size] for start in range(0, len(received), size)]
    assert all(len(set(frame)) == 1 for frame in frames)
    shared.release()


def test_a_peer_that_doesnt_read_is_neither_waited_for_nor_sent_more_and_more(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    shared = SharedSocket(pair[0])
    shared.send(b"x" * 2_000_000)
    assert shared.is_full
    with pytest.raises(OSError, match="doesn't read"):
        shared.send(b"y" * 100_000)
    shared.release()


def test_what_was_kept_goes_out_in_order_when_there_is_room(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    shared = SharedSocket(ours)
    shared.send(b"x" * 1_000_000)
    shared.send(b"a pong")
    received = b""
    while shared.is_full:
        received += theirs.recv(65536)
        shared.flush()
    received += read(theirs, 1_000_006 - len(received))
    assert received == b"x" * 1_000_000 + b"a pong"
    shared.release()


def test_the_end_of_the_connection_is_told_and_wakes_a_thread_that_waits(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    shared = SharedSocket(pair[0])
    got: list[bytes] = []
    told = threading.Event()
    shared.when_ended(told.set)
    waiting = threading.Thread(target=lambda: got.append(shared.recv(10)))
    waiting.start()
    shared.end()
    waiting.join(10)
    assert got == [b""]
    shared.end()
    assert not told.is_set()
    shared.close()
    assert told.is_set()
    assert shared.fileno() >= 0
    late = threading.Event()
    shared.when_ended(late.set)
    assert late.is_set()
    shared.release()


def test_closing_it_leaves_the_servers_own_socket_alone(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    shared = SharedSocket(ours)
    shared.release()
    shared.release()
    ours.sendall(b"still here")
    assert read(theirs, 10) == b"still here"
