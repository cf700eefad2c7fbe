"""What gives every deployment an address."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from mastra_admin_sdk.models import Route, Tls

ROUTER_HEADER = "X-Mastra-Admin-Router"
"""Set on answers that come from the router itself and taken out of all others: why no deployment answered.

``no-route`` comes with 404 (nothing is registered for the host), ``no-answer`` with 502 to 504 (the server is gone).
"""

MAX_TARGETS = 12
"""How many targets a route can have."""


@dataclass(frozen=True, slots=True)
class RouterEndpoint:
    """Where the router listens: what a request from this machine connects to, whatever its host name.

    ``ca_file`` is the root to check certificates against that come from an authority of its own; it is there once such
    a certificate is. ``https_port`` is where hosts with a certificate of their own are served.
    """

    scheme: str
    address: str
    port: int
    ca_file: str | None = None
    https_port: int | None = None

    @property
    def secured(self) -> RouterEndpoint:
        """Where hosts with a certificate of their own are served."""
        return replace(self, scheme="https", port=self.https_port or self.port)


@dataclass(frozen=True, slots=True)
class Probe:
    """What came back on a request through a route: ``target`` is ``address:port`` of the server that answered.

    ``target`` is ``None`` when the router itself did, because no server could be reached.
    """

    status: int
    target: str | None
    body: str


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests of one host that were answered with one status, and the seconds that they took together."""

    host: str
    status: int
    requests: int
    seconds: float


class Router(ABC):
    """A reverse proxy that is changed while it runs and never restarted for a route.

    Started on first use, detached; the next process adopts the one that runs.
    """

    @abstractmethod
    def start(self) -> RouterEndpoint:
        """Start it, or adopt the one that runs. Can be repeated.

        Raises:
            RouterError: it doesn't start, or its port belongs to somebody else; the message names who, if it can tell.
        """

    @abstractmethod
    def stop(self) -> None:
        """End it, whoever started it. Not running is no error."""

    @abstractmethod
    def is_running(self) -> bool:
        """True when it answers."""

    @abstractmethod
    def register(self, route: Route) -> None:
        """Add a route, or point its host to other targets in one atomic change; starts the router if need be.

        Requests are spread over ``route.targets``; one that can't be connected to is passed over for a while, and the
        request goes to another. With ``route.tls`` the host is served with a certificate, on the port for that.

        Hosts are compared without regard to case. Repeating it changes nothing.

        Raises:
            InvalidInput: the host is no host name, a target no address and port, or there are too many.
            RouterError: as in `start`; or the port for hosts with a certificate is taken, when the route needs it.
        """

    @abstractmethod
    def unregister(self, host: str) -> None:
        """Remove a route; an unknown host is no error."""

    @abstractmethod
    def get_route(self, host: str) -> Route | None:
        """Return the route that is in force for a host. ``deployment_id`` is the one it was registered with.

        Nothing is in force while the router doesn't run; asking doesn't start it.
        """

    @abstractmethod
    def list_routes(self) -> Sequence[Route]:
        """Return the routes in force, by host."""

    @abstractmethod
    def reconcile(self, routes: Iterable[Route]) -> int:
        """Make the routes in force equal to ``routes``, writing differences only; return how many were written.

        Starts the router if there are any.

        Raises:
            InvalidInput: two of them have one host, or as in `register`.
            RouterError: as in `register`; all routes that can be served are in force then.
        """

    @abstractmethod
    def count_requests(self, target_host: str, target_port: int) -> int:
        """Return how many requests are under way on a target, also one that no route names any more.

        Just after a switch a request may have read the old target and not be counted yet: wait a moment before a 0
        is trusted.
        """

    @abstractmethod
    def read_traffic(self) -> Sequence[Traffic]:
        """Return what was answered on the hosts that have routes, by host and status; nothing while it doesn't run.

        Counts only grow until they start anew, which they may do whenever a host is added or removed. Probes count too.
        """

    @abstractmethod
    def probe(self, host: str, path: str = "/health", *, timeout: float = 10.0) -> Probe:
        """Send a GET through the route of a host, as anybody's request goes, and return which target answered.

        Raises:
            RouterError: the router doesn't answer, or not in time.
        """

    @abstractmethod
    def make_url(self, host: str, tls: Tls = Tls.OFF) -> str:
        """Return the address that people open for a host, such as ``http://…localhost:8080``.

        With a ``tls`` of its own it is ``https://…``, on the port for that.
        """

    @property
    @abstractmethod
    def endpoint(self) -> RouterEndpoint:
        """Where it listens, running or not."""

    @property
    @abstractmethod
    def base_domain(self) -> str:
        """Domain under which hosts are made."""

    @abstractmethod
    def describe(self) -> str:
        """Return in a few words what this is, for reprs and ``doctor``."""
