"""A router in memory, for tests of what uses one."""

from __future__ import annotations

import http.client
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from mastra_admin_sdk.errors import InvalidInput, RouterError
from mastra_admin_sdk.models import Route, Tls
from mastra_admin_sdk.ports.router import MAX_TARGETS, Probe, Router, RouterEndpoint, Traffic

HOST = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*")


@dataclass
class FakeRouter(Router):
    """Keeps routes in a dictionary while it "runs"; tests set what goes wrong.

    ``writes`` names each change in order, such as ``"put a.localhost -> 127.0.0.1:4101"``; ``requests`` holds how many
    requests are under way by ``(host, port)``, ``traffic`` what was answered; ``fails_with`` is raised by every change
    while it is set.
    """

    port: int = 8080
    https_port: int = 8443
    domain: str = "localhost"
    routes: dict[str, Route] = field(default_factory=dict)
    writes: list[str] = field(default_factory=list)
    requests: Counter[tuple[str, int]] = field(default_factory=Counter)
    traffic: list[Traffic] = field(default_factory=list)
    fails_with: RouterError | None = None
    running: bool = False

    def start(self) -> RouterEndpoint:
        self._check()
        self.running = True
        return self.endpoint

    def stop(self) -> None:
        self.running = False
        self.routes.clear()

    def is_running(self) -> bool:
        return self.running

    def register(self, route: Route) -> None:
        wanted = _check_route(route)
        self.start()
        self._put(wanted)

    def unregister(self, host: str) -> None:
        self._check()
        if self.routes.pop(host.lower(), None):
            self.writes.append(f"delete {host.lower()}")

    def get_route(self, host: str) -> Route | None:
        return self.routes.get(host.lower())

    def list_routes(self) -> Sequence[Route]:
        return sorted(self.routes.values(), key=lambda route: route.host)

    def reconcile(self, routes: Iterable[Route]) -> int:
        wanted = [_check_route(route) for route in routes]
        if len({route.host for route in wanted}) < len(wanted):
            raise InvalidInput("Two routes have one host.")
        if wanted:
            self.start()
        before = len(self.writes)
        for host in set(self.routes) - {route.host for route in wanted}:
            self.unregister(host)
        for route in wanted:
            self._put(route)
        return len(self.writes) - before

    def count_requests(self, target_host: str, target_port: int) -> int:
        return self.requests[target_host, target_port] if self.running else 0

    def read_traffic(self) -> Sequence[Traffic]:
        return sorted(self.traffic, key=lambda one: (one.host, one.status)) if self.running else []

    def probe(self, host: str, path: str = "/health", *, timeout: float = 10.0) -> Probe:
        self._check()
        route = self.routes.get(host.lower())
        if route is None:
            return Probe(404, None, "no route")
        connection = http.client.HTTPConnection(route.target_host, route.target_port, timeout=timeout)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return Probe(answer.status, route.targets[0], answer.read().decode())
        except OSError as exc:
            return Probe(502, None, str(exc))
        finally:
            connection.close()

    def make_url(self, host: str, tls: Tls = Tls.OFF) -> str:
        return f"http://{host.lower()}:{self.port}" if tls is Tls.OFF else f"https://{host.lower()}:{self.https_port}"

    @property
    def endpoint(self) -> RouterEndpoint:
        return RouterEndpoint("http", "127.0.0.1", self.port, https_port=self.https_port)

    @property
    def base_domain(self) -> str:
        return self.domain

    def describe(self) -> str:
        return "a router in memory"

    def _put(self, route: Route) -> None:
        self._check()
        current = self.routes.get(route.host)
        if current and current.deployment_id == route.deployment_id:
            route = replace(route, id=current.id, created_at=current.created_at)
        if route != current:
            self.routes[route.host] = route
            self.writes.append(f"put {route.host} -> {route.target_host}:{route.target_port}")

    def _check(self) -> None:
        if self.fails_with:
            raise self.fails_with


def _check_route(route: Route) -> Route:
    host = route.host.lower()
    ports = [text.rpartition(":")[2] for text in route.targets]
    usable = len(ports) <= MAX_TARGETS and all(port.isdecimal() and 1 <= int(port) <= 65535 for port in ports)
    if not host.isascii() or not HOST.fullmatch(host) or not usable:
        raise InvalidInput(f"{route.host!r} to port {route.target_port} can't be a route.")
    return replace(route, host=host)
