"""Previews that expire: who is not deployed again within its time to live is removed, with all that it holds."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from mastra_admin_sdk.errors import InvalidInput, LeaseLost, MastraAdminError, NotFound
from mastra_admin_sdk.models import Deployment, DeploymentType, utc_now
from mastra_admin_sdk.ports.checks import CancelCheck
from mastra_admin_sdk.services.parts import Parts

from .lifetimes import Ttl, find_expiry, has_expired, parse_ttl
from .service import DeploymentService

logger = logging.getLogger(__name__)


class PreviewService:
    """Lets previews expire, and moves when they do."""

    def __init__(self, parts: Parts, deployments: DeploymentService) -> None:
        self._parts, self._deployments = parts, deployments

    def set_ttl(self, deployment: Deployment, ttl: Ttl | None) -> Deployment:
        """Give a preview another time to live, counted from now; ``None`` gives that of the setting.

        Raises:
            InvalidInput: it is no preview, or that is no time to live.
        """
        _check_is_preview(deployment.type)
        seconds = read_ttl(deployment.type, ttl)
        changed = self._parts.storage.deployments.update(deployment.id, ttl_seconds=seconds)
        expires_at = find_expiry(changed, utc_now(), self._parts.settings.preview_hours)
        changed = self._parts.storage.deployments.update(deployment.id, expires_at=expires_at)
        self._parts.record("set_ttl", "deployment", deployment.id, expires_at=str(expires_at or "never"))
        return changed

    def sweep_once(self, check: CancelCheck = lambda: None) -> Sequence[Deployment]:
        """Remove the previews whose time is over, and return them; one that resists doesn't keep the others."""
        known = self._parts.storage.deployments.list()
        return [item for item in known if has_expired(item, utc_now()) and self._try(item, check)]

    def _try(self, deployment: Deployment, check: CancelCheck) -> bool:
        check()
        try:
            return self._expire(deployment)
        except LeaseLost:
            raise
        except NotFound:
            logger.info("The preview %s was deleted by somebody else", deployment.slug)
        except (MastraAdminError, OSError) as exc:
            logger.warning("The preview %s has expired and could not be removed yet: %s", deployment.slug, exc)
        return False

    def _expire(self, deployment: Deployment) -> bool:
        """Remove one preview, unless somebody deploys it in this moment."""
        still = _still_expired(self._parts, deployment)
        if not still() or not self._deployments.delete(deployment, still=still):
            return False
        self._parts.record(
            "expire",
            "deployment",
            deployment.id,
            slug=deployment.slug,
            branch=deployment.branch,
            expired_at=str(deployment.expires_at),
        )
        return True


def read_ttl(type: DeploymentType, ttl: Ttl | None) -> int | None:
    """Return the seconds that a deployment of a type is to live; ``None`` where nothing was said.

    Raises:
        InvalidInput: it never expires, or that is no time to live.
    """
    if ttl is None:
        return None
    _check_is_preview(type)
    return parse_ttl(ttl)


def _check_is_preview(type: DeploymentType) -> None:
    if type is not DeploymentType.PREVIEW:
        raise InvalidInput(
            f"A {type} deployment has no time to live: only previews expire.", hint='Deploy with type="preview".'
        )


def _still_expired(parts: Parts, deployment: Deployment) -> Callable[[], bool]:
    return lambda: has_expired(parts.storage.deployments.get(deployment.id), utc_now())
