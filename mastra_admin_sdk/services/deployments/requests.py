"""HTTP to a deployment through the router, without DNS: the router is connected to, the Host header says whom for.

Redirects are returned, never followed, so a request can't be led to another host.
"""

from __future__ import annotations

import http.client
import json as json_module
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mastra_admin_sdk.errors import RequestFailed
from mastra_admin_sdk.ports.router import ROUTER_HEADER, RouterEndpoint

DEFAULT_TIMEOUT = 300.0
_SHOWN_BODY = 2000
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Response:
    """An answer. With ``stream=True`` read it once, with `iter_lines` or ``content``; a ``with`` block closes it.

    ``router_reason`` is ``no-route`` or ``no-answer`` when the router itself answered, else ``None``.
    """

    status: int
    headers: Mapping[str, str]
    _source: _Source = field(repr=False)

    @property
    def content(self) -> bytes:
        """The body. Of a stream: all that is still to come, waited for."""
        return self._source.read()

    @property
    def text(self) -> str:
        """The body as text, in the encoding that the answer names, else UTF-8."""
        charset = self._source.answer.headers.get_content_charset() or "utf-8"
        try:
            return self.content.decode(charset, errors="replace")
        except LookupError:
            return self.content.decode("utf-8", errors="replace")

    @property
    def router_reason(self) -> str | None:
        """Why the router itself answered; ``None`` when the deployment did."""
        return self._source.answer.headers.get(ROUTER_HEADER)

    def json(self) -> Any:
        """Return the body, parsed.

        Raises:
            RequestFailed: it isn't JSON; the error shows how it begins.
        """
        try:
            return json_module.loads(self.content)
        except ValueError as exc:
            raise RequestFailed(
                f"{self._source.title} answered {self.status} with something that isn't JSON.",
                evidence={"host": self._source.host, "status": self.status, "body": self.text[:_SHOWN_BODY]},
            ) from exc

    def iter_lines(self) -> Iterator[str]:
        """Yield the lines of the body as they arrive, without their ends, and close the connection after the last."""
        return self._source.iter_lines()

    def close(self) -> None:
        """End the connection, also in the middle of a stream. Can be repeated."""
        self._source.close()

    def __enter__(self) -> Response:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def request(
    endpoint: RouterEndpoint,
    host: str,
    method: str,
    path: str,
    *,
    json: Any = None,
    data: bytes | str | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = DEFAULT_TIMEOUT,
    stream: bool = False,
    check: bool = True,
) -> Response:
    """Send a request to the deployment that answers on a host.

    Parameters:
        endpoint: where the router listens.
        host: one of the deployment's host names.
        method: such as ``"GET"``.
        path: such as ``"/api/agents?page=1"``; it has to begin with a slash.
        json: a body to send as JSON.
        data: a body to send as it is; text goes as UTF-8.
        headers: more headers; ``Host`` stays what ``host`` says.
        timeout: seconds to wait for the connection, and then for each piece of the answer.
        stream: return as soon as the headers are there.
        check: raise for status 400 and above; without it such answers are returned.

    Raises:
        RequestFailed: nobody answered, not in time, or (with ``check``) with an error; ``evidence`` has the host, the
            status, ``router`` (see `Response.router_reason`) and the beginning of the body.
    """
    title = f"{method} {path} on {host}"
    if not path.startswith("/") or any(char.isspace() for char in path + method):
        raise RequestFailed(f"{title} can't be sent.", hint="The path begins with a slash; spaces in it are %20.")
    body, sent = _build(endpoint, host, json, data, headers)
    answered = _send(endpoint, host, title, (method, path, body, sent), timeout)
    found = Response(answered.answer.status, dict(answered.answer.headers.items()), answered)
    if check and found.status >= 400:
        raise _refuse(found, title, host)
    if not stream:
        answered.read()
    return found


@dataclass(slots=True)
class _Source:
    """The open connection behind a response, and what was read from it."""

    connection: http.client.HTTPConnection
    answer: http.client.HTTPResponse
    title: str
    host: str
    body: bytes | None = None

    def read(self) -> bytes:
        if self.body is None:
            try:
                self.body = self.answer.read()
            except (OSError, http.client.HTTPException) as exc:
                raise _break(self.title, self.host, exc) from exc
            finally:
                self.close()
        return self.body

    def iter_lines(self) -> Iterator[str]:
        if self.body is not None:
            yield from self.body.decode("utf-8", errors="replace").splitlines()
            return
        try:
            while line := self.answer.readline():
                yield line.decode("utf-8", errors="replace").rstrip("\r\n")
            self.body = b""
        except (OSError, http.client.HTTPException) as exc:
            raise _break(self.title, self.host, exc) from exc
        finally:
            self.close()

    def close(self) -> None:
        self.answer.close()
        self.connection.close()


class _LocalTlsConnection(http.client.HTTPSConnection):
    """Connects to the router's address, and has the certificate checked for the deployment's host."""

    def __init__(self, endpoint: RouterEndpoint, host: str, timeout: float) -> None:
        self._context_of_router = ssl.create_default_context(cafile=endpoint.ca_file)
        super().__init__(host, endpoint.port, timeout=timeout, context=self._context_of_router)
        self._endpoint = endpoint

    def connect(self) -> None:
        raw = socket.create_connection((self._endpoint.address, self._endpoint.port), self.timeout)
        try:
            self.sock = self._context_of_router.wrap_socket(raw, server_hostname=self.host)
        except BaseException:
            raw.close()
            raise


def _build(
    endpoint: RouterEndpoint, host: str, json: Any, data: bytes | str | None, headers: Mapping[str, str] | None
) -> tuple[bytes | None, dict[str, str]]:
    given = {name: value for name, value in (headers or {}).items() if name.lower() != "host"}
    names = {name.lower() for name in given}
    body = data.encode() if isinstance(data, str) else data
    if json is not None:
        body = json_module.dumps(json).encode()
        if "content-type" not in names:
            given["Content-Type"] = "application/json"
    port = "" if endpoint.port == _DEFAULT_PORTS.get(endpoint.scheme) else f":{endpoint.port}"
    return body, {"Host": f"{host}{port}", **given}


def _send(
    endpoint: RouterEndpoint,
    host: str,
    title: str,
    message: tuple[str, str, bytes | None, Mapping[str, str]],
    timeout: float,
) -> _Source:
    # The router may end a connection that arrives while its routes change. Asking again does no harm for some methods.
    attempts = 2 if message[0].upper() in _SAFE_METHODS else 1
    while True:
        attempts -= 1
        connection = _connect(endpoint, host, timeout, title)
        try:
            connection.request(message[0], message[1], message[2], dict(message[3]))
            return _Source(connection, connection.getresponse(), title, host)
        except (OSError, http.client.HTTPException, ValueError) as exc:
            connection.close()
            if not (attempts and isinstance(exc, ConnectionResetError)):
                raise _break(title, host, exc) from exc


def _connect(endpoint: RouterEndpoint, host: str, timeout: float, title: str) -> http.client.HTTPConnection:
    if endpoint.scheme != "https":
        return http.client.HTTPConnection(endpoint.address, endpoint.port, timeout=timeout)
    try:
        return _LocalTlsConnection(endpoint, host, timeout)
    except OSError as exc:  # its root certificate can't be read
        raise _break(title, host, exc) from exc


def _refuse(found: Response, title: str, host: str) -> RequestFailed:
    reason = found.router_reason
    hints = {
        "no-route": "Nothing is registered for that host: see `mastra-admin ps`, or deploy it.",
        "no-answer": "Its server is gone or restarting: see `mastra-admin ps` and its log.",
    }
    evidence: dict[str, Any] = {"host": host, "status": found.status, "body": found.text[:_SHOWN_BODY]}
    if reason:
        evidence["router"] = reason
    who = "the router" if reason else "the deployment"
    return RequestFailed(
        f"{title} failed: {who} answered {found.status}.",
        hint=hints.get(reason or "", "What it said is above; more may be in the server's log (`mastra-admin logs`)."),
        evidence=evidence,
    )


def _break(title: str, host: str, exc: Exception) -> RequestFailed:
    if isinstance(exc, TimeoutError):
        return RequestFailed(
            f"{title} failed: no answer in time.", hint="Give it more with timeout=….", evidence={"host": host}
        )
    if isinstance(exc, ConnectionRefusedError):
        return RequestFailed(
            f"{title} failed: the router isn't running.",
            hint="Start it with `mastra-admin up`, or admin.start().",
            evidence={"host": host},
        )
    return RequestFailed(
        f"{title} failed: {str(exc) or type(exc).__name__}.",
        hint="The connection broke: see `mastra-admin ps` and the server's log.",
        evidence={"host": host},
    )
