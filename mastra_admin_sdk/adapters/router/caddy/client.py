"""The admin API of a Caddy process, over its Unix socket."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import struct
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mastra_admin_sdk.errors import RouterError

from .config import IDENTITY_ID, read_identity
from .options import IDENTITY_HOST, RouterOptions, format_target

_TIMEOUT = 15.0
_RETRIES = 5
_SHOWN_BODY = 2000


class AdminClient:
    """Sends one request a connection; holds nothing open, so it may be used from any thread or process.

    Parameters:
        path: the Unix socket.
        timeout: seconds that an answer may take.
    """

    def __init__(self, path: Path, timeout: float = _TIMEOUT) -> None:
        self._path, self._timeout = path, timeout

    def is_listening(self) -> bool:
        """True when somebody listens on the socket, answering or not."""
        return self.find_pid() is not None

    def find_pid(self) -> int | None:
        """Return the pid behind the socket; 0 where the system doesn't tell; ``None`` when nobody listens."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                probe.settimeout(self._timeout)
                probe.connect(str(self._path))
                return _read_peer(probe)
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        except OSError as exc:
            raise self._fail("ask who listens on its socket", exc) from exc

    def get_identity(self) -> dict[str, Any] | None:
        """Return nonce, bind, port and tls of the router that runs; ``None`` when it doesn't run."""
        if not self.is_listening():
            return None
        return read_identity(self.call("GET", f"/id/{IDENTITY_ID}"))

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request and return the parsed answer, ``None`` when it is empty.

        Raises:
            RouterError: it can't be reached, doesn't answer in time, or refuses.
        """
        try:
            status, text = self._send(method, path, None if body is None else json.dumps(body))
        except (OSError, http.client.HTTPException) as exc:
            raise self._fail(f"{method} {path}", exc) from exc
        if status >= 400:
            raise RouterError(
                f"Caddy refused {method} {path} with {status}.",
                hint="Nothing was changed. Look at logs/caddy.log in the home.",
                evidence={"answer": text.strip()[:500]},
            )
        return json.loads(text) if text.strip() else None

    def read_metrics(self) -> str:
        """Return what Caddy counts, in Prometheus's text format.

        Raises:
            RouterError: it can't be reached, or doesn't answer in time.
        """
        try:
            status, text = self._send("GET", "/metrics", None)
        except (OSError, http.client.HTTPException) as exc:
            raise self._fail("GET /metrics", exc) from exc
        return text if status == 200 else ""

    def _send(self, method: str, path: str, payload: str | None) -> tuple[int, str]:
        # While another process changes the configuration, Caddy ends connections that it has not read yet. All calls
        # of ours but POST may be repeated.
        for _ in range(0 if method == "POST" else _RETRIES):
            try:
                return self._send_once(method, path, payload)
            except ConnectionResetError:
                time.sleep(0.01)
        return self._send_once(method, path, payload)

    def _send_once(self, method: str, path: str, payload: str | None) -> tuple[int, str]:
        connection = _UnixConnection(str(self._path), self._timeout)
        try:
            connection.request(method, path, payload, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode("utf-8", errors="replace")
        finally:
            connection.close()

    def _fail(self, what: str, exc: Exception) -> RouterError:
        return RouterError(
            f"Caddy's admin API at {self._path} did not answer ({what}): {exc or type(exc).__name__}.",
            hint="Stop the router and start it again; see logs/caddy.log in the home.",
        )


def read_nonce(options: RouterOptions, timeout: float = 5.0, *, secure: bool = False) -> str:
    """Return the nonce of whoever answers on the router's port; empty when the answer is no router's of ours.

    With ``secure`` it is the port for hosts with a certificate that is asked.

    Raises:
        OSError: nobody answers, or not in time.
    """
    port = options.secure_port if secure else options.port
    encrypted = secure or options.scheme == "https"
    connection = http.client.HTTPConnection(IDENTITY_HOST, timeout=timeout)
    connection.sock = connect(options, port, IDENTITY_HOST if encrypted else "", timeout)
    try:
        connection.request("GET", "/", headers={"Host": IDENTITY_HOST})
        found = json.loads(connection.getresponse().read(4096))
        return str(found["nonce"])
    except http.client.HTTPException as exc:
        raise ConnectionError(f"no usable answer from {format_target(options.bind, port)}") from exc
    except (ValueError, LookupError, TypeError):
        return ""
    finally:
        connection.close()


def send_probe(
    options: RouterOptions, host: str, path: str, headers: Mapping[str, str], *, secure: bool, timeout: float
) -> tuple[http.client.HTTPResponse, str]:
    """Send a GET for a host and return the answer and how its body begins.

    Raises:
        OSError, http.client.HTTPException: nobody answers usably, or not in time.
    """
    port = options.secure_port if secure else options.port
    encrypted = secure or options.scheme == "https"
    connection = http.client.HTTPConnection(host, timeout=timeout)
    connection.sock = connect(options, port, host if encrypted else "", timeout)
    try:
        connection.request("GET", path, headers={"Host": host, **headers})
        answer = connection.getresponse()
        return answer, answer.read(_SHOWN_BODY).decode("utf-8", errors="replace")
    finally:
        connection.close()


def connect(options: RouterOptions, port: int, tls_host: str = "", timeout: float = 5.0) -> socket.socket:
    """Return a connection to one of the router's ports, encrypted for a host if one is named.

    Raises:
        OSError: nobody answers, not in time, or there is no certificate for the host.
    """
    raw = socket.create_connection((options.local_address, port), timeout)
    if not tls_host:
        return raw
    # The certificate is not what proves the identity here, the nonce is: only the admin socket tells it.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        return context.wrap_socket(raw, server_hostname=tls_host)
    except BaseException:
        raw.close()
        raise


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _read_peer(connection: socket.socket) -> int:
    if not hasattr(socket, "SO_PEERCRED"):
        return 0
    size = struct.calcsize("3i")
    pid, _, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return int(pid)
