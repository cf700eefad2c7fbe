"""Which server each host leads to: the recorded routes and the router, changed together.

The records say what should be; the router is made to agree with them. Whoever changes both holds one short lock, so
that nobody makes the router agree with records that were read before a switch.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from mastra_admin_sdk.errors import RouterError
from mastra_admin_sdk.models import Deployment, DeploymentType, Process, Project, Route, Tls
from mastra_admin_sdk.services.parts import Parts

from .addresses import make_hosts

logger = logging.getLogger(__name__)

_LOCK = "routes"
_LOCK_TIMEOUT = 60.0


class Switchboard:
    """Leads hosts to servers, takes them away, and keeps the router in step."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def list_hosts(self, project: Project, deployment: Deployment) -> list[str]:
        """Return the hosts that a deployment answers on, its main one first, its own domains last."""
        return [host for host, _ in self.list_addresses(project, deployment)]

    def list_addresses(self, project: Project, deployment: Deployment) -> list[tuple[str, Tls]]:
        """Return what `list_hosts` does, each with where its certificate comes from.

        Hosts that are made from names have what the whole router has: ``off`` here means no certificate of their own.
        """
        team = self._parts.storage.teams.get(project.team_id)
        made = make_hosts(
            team.slug,
            project.slug,
            deployment.slug,
            base_domain=self._parts.router.base_domain,
            is_default_production=deployment.type is DeploymentType.PRODUCTION
            and deployment.branch == project.default_branch,
        )
        return [*((host, Tls.OFF) for host in made), *((domain, deployment.tls) for domain in deployment.domains)]

    def lead_to(self, project: Project, deployment: Deployment, processes: Sequence[Process]) -> list[str]:
        """Lead all hosts of a deployment to its servers, drop hosts it no longer has, and return them.

        Its domains are those on record at this moment: they may have changed since ``deployment`` was read. One that
        can't be served (its port is taken, say) doesn't keep the deployment from its other hosts.

        Parameters:
            project: the deployment's project.
            deployment: whose hosts they are.
            processes: the servers that requests are spread over, the main one first; at least one.
        """
        targets = [f"{item.host}:{item.port}" for item in processes]
        with self.hold():
            deployment = self._parts.storage.deployments.get(deployment.id)
            return self._lead(project, deployment, (processes[0].host, processes[0].port), tuple(targets[1:]))

    def leads_to(self, project: Project, deployment: Deployment, processes: Sequence[Process]) -> bool:
        """True when the hosts of a deployment, all of them and no others, lead to those servers on record."""
        targets = frozenset(f"{item.host}:{item.port}" for item in processes)
        wanted = {(host, tls, targets) for host, tls in self.list_addresses(project, deployment)}
        routes = self._parts.storage.routes.list(deployment.id)
        return wanted == {(route.host, route.tls, frozenset(route.targets)) for route in routes}

    def refit(self, deployment: Deployment) -> None:
        """Give a deployment whose hosts have changed its routes again, to the servers that they lead to.

        Without routes it has no server, and gets none. The caller holds the lock, see `hold`.

        Raises:
            RouterError: one of its hosts can't be served.
        """
        routes = self._parts.storage.routes.list(deployment.id)
        project = self._parts.storage.projects.get(deployment.project_id)
        main = self.list_hosts(project, deployment)[0]
        known = next((route for route in routes if route.host == main), None)
        if known:
            self._lead(
                project, deployment, (known.target_host, known.target_port), known.more_targets, are_all_required=True
            )

    def close(self, deployment_id: str) -> None:
        """Take a deployment's routes out of the router and the records."""
        if not self._parts.storage.routes.list(deployment_id):
            return
        with self.hold():
            for route in self._parts.storage.routes.list(deployment_id):
                self._remove(route)

    def sync(self) -> int:
        """Make the router agree with the recorded routes; return how many differences were mended."""
        if self._agrees():
            return 0
        with self.hold():
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

    def _lead(
        self,
        project: Project,
        deployment: Deployment,
        main: tuple[str, int],
        more: tuple[str, ...],
        *,
        are_all_required: bool = False,
    ) -> list[str]:
        addresses = self.list_addresses(project, deployment)
        # Records first: when the router fails in the middle, the next `sync` knows what it should be.
        routes = [Route(host, *main, deployment.id, more, tls) for host, tls in addresses]
        recorded = [self._parts.storage.routes.put(route) for route in routes]
        self._parts.router.start()
        for route in recorded:
            self._register(route, is_required=are_all_required or route.host not in deployment.domains)
        for route in self._parts.storage.routes.list(deployment.id):
            if route.host not in {host for host, _ in addresses}:
                self._remove(route)
        return [host for host, _ in addresses]

    def _register(self, route: Route, *, is_required: bool) -> None:
        try:
            self._parts.router.register(route)
        except RouterError as exc:
            if is_required:
                raise
            logger.warning("The domain %s can't be served: %s", route.host, exc)

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
    def hold(self) -> Iterator[None]:
        """Hold the lock under which routes are changed."""
        with self._parts.leases.hold(_LOCK, timeout=_LOCK_TIMEOUT, what="the routes"):
            yield


def _facts_of(route: Route) -> tuple[str, tuple[str, ...], str, Tls]:
    return route.host, route.targets, route.deployment_id, route.tls


def _join(targets: Iterable[str]) -> str:
    return ", ".join(sorted(targets)) or "nothing"
