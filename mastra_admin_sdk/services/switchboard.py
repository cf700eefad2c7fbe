"""Which server each host leads to: the recorded routes and the router, changed together.

The records say what should be; the router is made to agree with them. Whoever changes both holds one short lock, so
that nobody makes the router agree with records that were read before a switch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from mastra_admin_sdk.errors import RouterError
from mastra_admin_sdk.models import Deployment, DeploymentType, Process, Project, Route

from .addresses import make_hosts
from .parts import Parts

_LOCK = "routes"
_LOCK_TIMEOUT = 60.0


class Switchboard:
    """Leads hosts to servers, takes them away, and keeps the router in step."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def list_hosts(self, project: Project, deployment: Deployment) -> list[str]:
        """Return the hosts that a deployment answers on, its main one first."""
        team = self._parts.storage.teams.get(project.team_id)
        return make_hosts(
            team.slug,
            project.slug,
            deployment.slug,
            base_domain=self._parts.router.base_domain,
            is_default_production=deployment.type is DeploymentType.PRODUCTION
            and deployment.branch == project.default_branch,
        )

    def lead_to(self, project: Project, deployment: Deployment, processes: Sequence[Process]) -> list[str]:
        """Lead all hosts of a deployment to its servers, drop hosts it no longer has, and return them.

        Parameters:
            project: the deployment's project.
            deployment: whose hosts they are.
            processes: the servers that requests are spread over, the main one first; at least one.
        """
        main, *more = processes
        hosts = self.list_hosts(project, deployment)
        targets = tuple(f"{item.host}:{item.port}" for item in more)
        with self._changing():
            # Records first: when the router fails in the middle, the next `sync` knows what it should be.
            routes = [Route(host, main.host, main.port, deployment.id, targets) for host in hosts]
            recorded = [self._parts.storage.routes.put(route) for route in routes]
            self._parts.router.start()
            for route in recorded:
                self._parts.router.register(route)
            for route in self._parts.storage.routes.list(deployment.id):
                if route.host not in hosts:
                    self._remove(route)
        return hosts

    def leads_to(self, project: Project, deployment: Deployment, processes: Sequence[Process]) -> bool:
        """True when the hosts of a deployment, all of them and no others, lead to those servers on record."""
        targets = frozenset(f"{item.host}:{item.port}" for item in processes)
        wanted = {(host, targets) for host in self.list_hosts(project, deployment)}
        routes = self._parts.storage.routes.list(deployment.id)
        return wanted == {(route.host, frozenset(route.targets)) for route in routes}

    def close(self, deployment_id: str) -> None:
        """Take a deployment's routes out of the router and the records."""
        if not self._parts.storage.routes.list(deployment_id):
            return
        with self._changing():
            for route in self._parts.storage.routes.list(deployment_id):
                self._remove(route)

    def sync(self) -> int:
        """Make the router agree with the recorded routes; return how many differences were mended."""
        if self._agrees():
            return 0
        with self._changing():
            routes = self._parts.storage.routes.list()
            if routes:
                self._parts.router.start()
            return self._parts.router.reconcile(routes)

    def check_answer(self, host: str, processes: Sequence[Process], build_id: str) -> None:
        """See that a host leads to servers of a build and to no others, and that one of them answers there.

        A request is sent through the route, and the router tells which server answered it. Whose server listens on
        that port was seen when it started.

        Raises:
            RouterError: it leads elsewhere, another one answers, nobody does, or only with a server's error.
        """
        wanted = {f"{item.host}:{item.port}" for item in processes if item.build_id == build_id}
        found = self._parts.router.get_route(host)
        if found is None or set(found.targets) != wanted:
            raise RouterError(
                f"The route of {host} leads to {_join(found.targets if found else ())}, not to {_join(wanted)}.",
                hint="Look at logs/caddy.log in the home, then deploy again.",
            )
        answer = self._parts.router.probe(host)
        if answer.target not in wanted:
            raise RouterError(
                f"{host} was answered by {answer.target or 'the router itself'} right after the switch to "
                f"{_join(wanted)}, with status {answer.status}.",
                hint="Look at the server's log, then deploy again.",
                evidence={"status": answer.status, "body": answer.body},
            )
        # 401, 403 or 404 are answers of the app too: it may guard or move its health check.
        if answer.status >= 500:
            raise RouterError(
                f"{host} answered {answer.status} right after the switch to {_join(wanted)}.",
                hint="Look at the server's log, then deploy again.",
                evidence={"status": answer.status, "body": answer.body},
            )

    def _agrees(self) -> bool:
        wanted = {_facts_of(route) for route in self._parts.storage.routes.list()}
        if not self._parts.router.is_running():
            return not wanted
        try:
            return {_facts_of(route) for route in self._parts.router.list_routes()} == wanted
        except RouterError:  # it hangs: starting it mends that
            return False

    def _remove(self, route: Route) -> None:
        if self._parts.router.is_running():
            self._parts.router.unregister(route.host)
        self._parts.storage.routes.delete(route.host)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with self._parts.leases.hold(_LOCK, timeout=_LOCK_TIMEOUT, what="the routes"):
            yield


def _facts_of(route: Route) -> tuple[str, tuple[str, ...], str]:
    return route.host, route.targets, route.deployment_id


def _join(targets: Iterable[str]) -> str:
    return ", ".join(sorted(targets)) or "nothing"
