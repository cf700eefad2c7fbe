"""Webhooks: a push to a repository deploys what a project has on that branch."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import NAMESPACE_OID, uuid5

from mastra_admin_sdk.errors import Conflict, NotFound
from mastra_admin_sdk.models import Build, BuildTrigger, Deployment, DesiredState, Project
from mastra_admin_sdk.services.actors import Origin, acting
from mastra_admin_sdk.services.deployments.service import DeploymentService
from mastra_admin_sdk.services.parts import Parts
from mastra_admin_sdk.services.references import ProjectRef, Resolver

from .deliveries import Push, is_genuine, read_id, read_push

_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook of a project: the path at the panel, and the secret, which is told this once."""

    project_id: str
    path: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a delivery: builds that were queued, deployments passed over and why, and a sentence on it.

    ``repeated`` is set when all of the builds had been queued by the same delivery before.
    """

    builds: tuple[Build, ...]
    skipped: Mapping[str, str]
    message: str
    repeated: bool = False


class WebhookService:
    """Webhooks, as ``admin.webhooks``."""

    def __init__(self, parts: Parts, resolver: Resolver, deployments: DeploymentService) -> None:
        self._parts, self._resolver, self._deployments = parts, resolver, deployments

    def create(self, project: ProjectRef) -> Webhook:
        """Let pushes deploy a project, and return the path and the secret that its repository's webhook needs.

        The secret is stored encrypted and never shown again; `rotate` makes another.

        Raises:
            Conflict: the project has a webhook.
        """
        found = self._resolver.project(project)
        if found.webhook_secret:
            raise Conflict(
                f"The project {self._name(found)} has a webhook already.",
                hint=f'Make another secret for it with admin.webhooks.rotate("{self._name(found)}").',
            )
        return self._set_secret(found, "create_webhook")

    def rotate(self, project: ProjectRef) -> Webhook:
        """Replace the secret of a project's webhook; the former one is refused from now on.

        Raises:
            NotFound: the project has no webhook.
        """
        return self._set_secret(self._find(project), "rotate_webhook")

    def remove(self, project: ProjectRef) -> None:
        """Refuse webhooks of a project from now on.

        Raises:
            NotFound: the project has no webhook.
        """
        found = self._find(project)
        self._parts.storage.projects.update(found.id, webhook_secret=None)
        self._parts.record("remove_webhook", "project", found.id, slug=found.slug)

    def authenticate(self, project_id: str, headers: Mapping[str, str], body: bytes) -> Project | None:
        """Return the project that a delivery is for, if it proves to know the secret; else ``None``.

        An unknown project, one without a webhook and a wrong secret can't be told apart from outside.

        Parameters:
            project_id: the last part of the path.
            headers: of the request.
            body: of the request, as it was sent.
        """
        try:
            project = self._parts.storage.projects.get(project_id)
        except NotFound:
            return None
        if not project.webhook_secret:
            return None
        secret = self._parts.secrets.decrypt(project.webhook_secret)
        return project if is_genuine(secret, _lower(headers), body) else None

    def receive(self, project: Project, headers: Mapping[str, str], body: bytes) -> Receipt:
        """Deploy what a project has on the branch or tag that was pushed; nothing is created for others.

        A delivery that comes again queues nothing again.

        Parameters:
            project: what `authenticate` returned.
            headers, body: of the request.

        Raises:
            InvalidInput: the delivery can't be read.
        """
        low = _lower(headers)
        push = read_push(low, body)
        if push is None:
            return Receipt((), {}, "This event is no push: nothing to do.")
        if push.deleted:
            return Receipt((), {}, f"{push.branch} was deleted: nothing to do.")
        deployments = [item for item in self._parts.storage.deployments.list(project.id) if item.branch == push.branch]
        if not deployments:
            return Receipt((), {}, f"No deployment of {project.slug} is on {push.branch}.")
        with acting(actor=push.sender, origin=Origin.WEBHOOK):
            return self._deploy_all(project, deployments, push, read_id(low))

    def _deploy_all(self, project: Project, deployments: list[Deployment], push: Push, delivery: str | None) -> Receipt:
        running = [item for item in deployments if item.desired_state is DesiredState.RUNNING]
        skipped = {item.slug: "It is stopped." for item in deployments if item not in running}
        queued = [self._deploy(item, delivery) for item in running]
        repeated = bool(queued) and not any(is_new for _, is_new in queued)
        details = {"branch": push.branch, "commit": push.commit, "delivery": delivery, "builds": len(queued)}
        if not repeated:
            self._parts.record("push", "project", project.id, **details)
        message = f"{push.branch} was pushed: {len(queued)} of {len(deployments)} deployments are queued."
        if repeated:
            message = "This delivery came before; its builds are queued already."
        return Receipt(tuple(build for build, _ in queued), skipped, message, repeated)

    def _deploy(self, deployment: Deployment, delivery: str | None) -> tuple[Build, bool]:
        """Queue a build, and say whether it is new: its id is made from the delivery's, and ids are unique."""
        build_id = str(uuid5(NAMESPACE_OID, f"{deployment.id}/{delivery}")) if delivery else None
        try:
            build = self._deployments.deploy(deployment, trigger=BuildTrigger.WEBHOOK, revive=False, build_id=build_id)
        except Conflict:
            if build_id is None:
                raise
            return self._parts.storage.builds.get(build_id), False
        return build, True

    def _find(self, project: ProjectRef) -> Project:
        found = self._resolver.project(project)
        if not found.webhook_secret:
            raise NotFound(
                f"The project {self._name(found)} has no webhook.",
                hint=f'Make one: admin.webhooks.create("{self._name(found)}").',
            )
        return found

    def _name(self, project: Project) -> str:
        return f"{self._parts.storage.teams.get(project.team_id).slug}/{project.slug}"

    def _set_secret(self, project: Project, action: str) -> Webhook:
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        self._parts.storage.projects.update(project.id, webhook_secret=self._parts.secrets.encrypt(secret))
        self._parts.record(action, "project", project.id, slug=project.slug)
        return Webhook(project.id, f"/hooks/{project.id}", secret)


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
