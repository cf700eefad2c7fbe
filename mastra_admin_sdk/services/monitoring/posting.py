"""One POST to a webhook, over within a known time however its receiver behaves."""

from __future__ import annotations

import http.client
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from typing import Any

TIMEOUT = 10.0
"""Seconds that a webhook may take, from connecting to the last header of its answer."""


def post(
    url: str, body: bytes, headers: dict[str, str], *, proxies: dict[str, str], timeout: float = TIMEOUT
) -> str | None:
    """Send a POST and return why it failed, ``None`` when it was accepted (2xx). Redirects are not followed.

    What is answered isn't shown to anybody: an address inside the network must not be read out by way of an alert.
    """
    request = urllib.request.Request(url, body, headers, method="POST")  # noqa: S310 - checked by check_webhook
    with _Deadline(timeout) as deadline:
        handlers = [urllib.request.ProxyHandler(proxies), _NoRedirects(), _Plain(deadline), _Encrypted(deadline)]
        failure = _open(urllib.request.build_opener(*handlers), request, timeout)
        # An answer that was cut off in its headers reads like a whole one.
        return f"It didn't answer within {timeout:.0f} s." if deadline.is_over else failure


def _open(opener: urllib.request.OpenerDirector, request: urllib.request.Request, timeout: float) -> str | None:
    try:
        with opener.open(request, timeout=timeout) as answer:
            return None if 200 <= answer.status < 300 else f"It answered {answer.status}."
    except urllib.error.HTTPError as exc:
        exc.close()
        if 300 <= exc.code < 400:
            return f"It answered {exc.code}: redirects are not followed."
        return f"It answered {exc.code} {http.client.responses.get(exc.code, '')}".rstrip() + "."
    except TimeoutError:
        return f"It didn't answer within {timeout:.0f} s."
    except urllib.error.URLError as exc:
        if isinstance(exc.reason, TimeoutError):
            return f"It didn't answer within {timeout:.0f} s."
        return f"It can't be reached: {getattr(exc.reason, 'strerror', None) or type(exc.reason).__name__}."
    except (OSError, http.client.HTTPException, ValueError) as exc:
        return f"It can't be reached: {type(exc).__name__}."


class _Deadline:
    """Ends the connections of one request when its time is over.

    The time-out of a socket starts anew with each byte that comes: a receiver that drips would never reach it.
    """

    def __init__(self, seconds: float) -> None:
        self.is_over = False
        self._sockets: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self._end)

    def connect(self, *arguments: Any, **options: Any) -> socket.socket:
        """Open a connection that ends in time, as ``socket.create_connection`` does."""
        made = socket.create_connection(*arguments, **options)
        # A duplicate reaches the connection also when TLS has taken the socket over.
        self._sockets.append(made.dup())
        if self.is_over:
            self._end()
        return made

    def _end(self) -> None:
        self.is_over = True
        for each in [*self._sockets]:
            with suppress(OSError):  # it has ended by itself
                each.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> _Deadline:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._timer.join()
        for each in self._sockets:
            each.close()


class _Plain(urllib.request.HTTPHandler):
    def __init__(self, deadline: _Deadline) -> None:
        super().__init__()
        self._make = _watch(http.client.HTTPConnection, deadline)

    def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._make, request)


class _Encrypted(urllib.request.HTTPSHandler):
    def __init__(self, deadline: _Deadline) -> None:
        super().__init__()
        self._make = _watch(http.client.HTTPSConnection, deadline)

    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._make, request)


def _watch(kind: type[http.client.HTTPConnection], deadline: _Deadline) -> Callable[..., http.client.HTTPConnection]:
    def make(host: str, **options: Any) -> http.client.HTTPConnection:
        connection = kind(host, **options)
        # The only place between a connection and its socket; without it nothing would end in time.
        connection._create_connection = deadline.connect  # type: ignore[attr-defined]
        return connection

    return make


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None
