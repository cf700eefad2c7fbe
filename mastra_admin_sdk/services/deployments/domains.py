"""Hosts that people bring along: domains of a deployment beside the hosts that are made from its name."""

from __future__ import annotations

import ipaddress
import logging
import re
from collections.abc import Iterable, Sequence

from mastra_admin_sdk.errors import Conflict, InvalidInput, MastraAdminError
from mastra_admin_sdk.models import Deployment, Tls
from mastra_admin_sdk.services.parts import Parts

from .addresses import MAX_LABEL
from .switchboard import Switchboard

logger = logging.getLogger(__name__)

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_LONGEST = 253
_ONLY_HERE = ("localhost", "local", "internal", "invalid", "test", "example")


class Domains:
    """Gives deployments domains, each to one only, and takes them away."""

    def __init__(self, parts: Parts, routes: Switchboard) -> None:
        self._parts, self._routes = parts, routes

    def set(self, deployment: Deployment, domains: Iterable[str] | str, tls: Tls | None = None) -> Deployment:
        """Give a deployment these domains and no others; they lead to its servers at once, if it has any.

        Parameters:
            deployment: whose they are to be.
            domains: host names, in any case; a text is one of them.
            tls: where their certificates come from; ``None`` leaves it as it is, and ``off`` when there are no domains.

        Raises:
            InvalidInput: one can't be a domain.
            Conflict: one belongs to another deployment; nothing was changed.
            RouterError: they can't be served; nothing was changed.
        """
        named = (domains,) if isinstance(domains, str) else domains
        wanted = tuple(dict.fromkeys(check_domain(item, self._parts.router.base_domain) for item in named))
        with self._routes.hold():
            before = self._parts.storage.deployments.get(deployment.id)
            chosen = tls or (before.tls if wanted else Tls.OFF)
            check_certificates(wanted, chosen)
            self._check_free(before, wanted)
            changed = self._parts.storage.deployments.update(deployment.id, domains=wanted, tls=chosen)
            try:
                self._routes.refit(changed)
            except BaseException:
                self._put_back(before)
                raise
        self._parts.record("set_domains", "deployment", deployment.id, domains=list(wanted), tls=chosen.value)
        return changed

    def _check_free(self, deployment: Deployment, domains: Sequence[str]) -> None:
        for other in self._parts.storage.deployments.list():
            taken = sorted(set(domains) & set(other.domains)) if other.id != deployment.id else []
            if taken:
                self._refuse(taken[0], other.id)
        # A route of a deployment that has given the domain up, or never had it on record, is in the way too.
        for route in self._parts.storage.routes.list():
            if route.host in domains and route.deployment_id != deployment.id:
                self._refuse(route.host, route.deployment_id)

    def _refuse(self, domain: str, deployment_id: str) -> None:
        owner = self._parts.storage.deployments.get(deployment_id)
        project = self._parts.storage.projects.get(owner.project_id)
        raise Conflict(
            f"{domain} belongs to {project.slug}/{owner.slug} already. Nothing was changed.",
            hint="Remove it there first: `mastra-admin domains remove`, or .set_domains([]).",
        )

    def _put_back(self, before: Deployment) -> None:
        restored = self._parts.storage.deployments.update(before.id, domains=before.domains, tls=before.tls)
        try:
            self._routes.refit(restored)
        except MastraAdminError:
            # The first error is on its way to the caller; the supervisor's next pass mends the routes.
            logger.exception("The routes of deployment %s could not be put back", before.id)


def check_domain(domain: str, base_domain: str) -> str:
    """Return a domain in lower case without a final dot.

    Raises:
        InvalidInput: it is no host name of two labels or more, or one of those that are made from names.
    """
    lowered = domain.strip().lower().removesuffix(".") if isinstance(domain, str) else ""
    labels = lowered.split(".")
    usable = all(len(label) <= MAX_LABEL and _LABEL.fullmatch(label) for label in labels)
    if len(lowered) > _LONGEST or len(labels) < 2 or not usable or _is_address(lowered):
        raise InvalidInput(
            f"{repr(domain)[:300]} can't be a domain of a deployment.",
            hint="Write a host name such as agents.example.com: without https://, port, path or wildcard; "
            "other alphabets in their xn-- form.",
        )
    if lowered.endswith(f".{base_domain}") and lowered.removesuffix(base_domain).count(".") > 1:
        raise InvalidInput(
            f"{lowered} is one of the hosts that are made from the names of teams and projects.",
            hint=f"Choose a domain outside {base_domain}, or one label right before it.",
        )
    return lowered


def check_certificates(domains: Sequence[str], tls: Tls) -> None:
    """Raise `InvalidInput` for a domain that no public authority gives a certificate for, when one is asked for."""
    for domain in domains:
        if tls is Tls.AUTO and domain.rpartition(".")[2] in _ONLY_HERE:
            raise InvalidInput(
                f"No public authority gives a certificate for {domain}.",
                hint='Use tls="internal": certificates of an authority of your own.',
            )


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
