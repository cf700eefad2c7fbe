"""What can be chosen for a deployment: servers, limits, addresses, variables, what is kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Self

from mastra_admin_sdk.models import (
    Strategy,
    Tls,
    choose,
)
from mastra_admin_sdk.services.deployments.lifetimes import Ttl
from mastra_admin_sdk.services.deployments.previews import PreviewService
from mastra_admin_sdk.services.deployments.scaling import UNCHANGED, Unchanged
from mastra_admin_sdk.services.environment.service import Environment, ImportedEnv
from mastra_admin_sdk.services.keeping.retention import Retention
from mastra_admin_sdk.services.triggers.watching import set_watch

if TYPE_CHECKING:
    import pandas as pd


from .base import LiveRecord
from .builds import LiveBuild


class Configurable(LiveRecord):
    """A deployment's choices; most apply to the running servers at once, the rest says from when on."""

    def set_strategy(self, strategy: Strategy | str) -> Self:
        """Choose how a new server takes over: ``swap`` (beside the old one) or ``recreate`` (after it has stopped)."""
        self._services.deployments.scaling.set_strategy(self.record, choose(Strategy, strategy))
        return self.refresh()

    def set_domains(self, domains: Iterable[str] | str, *, tls: Tls | str | None = None) -> Self:
        """Let it answer on domains of its own, beside the hosts that are made from its name.

        They lead to its servers at once, and stay through redeploys; ``[]`` removes all. Making DNS point to this
        machine is up to you.

        Parameters:
            domains: host names such as ``"agents.example.com"``, or one alone; the ones before are replaced.
            tls: where their certificates come from: ``"off"``, ``"internal"`` (an authority of our own) or ``"auto"``
                (a public one); as it was unless given, and ``"off"`` at first and after all were removed.

        Raises:
            InvalidInput: one can't be a domain.
            Conflict: another deployment has it; nothing was changed.
            RouterError: they can't be served; nothing was changed.
        """
        chosen = None if tls is None else choose(Tls, tls)
        self._services.deployments.domains.set(self.record, domains, chosen)
        return self.refresh()

    def scale(self, replicas: int) -> Self:
        """Start or stop servers until there are so many; they share the address, the artifact and the data folder.

        Only the difference is started or stopped, no request is lost, and restarts and rollbacks keep the number.

        Parameters:
            replicas: how many, from 1 to 12.

        Raises:
            InvalidInput: the number can't be, or the strategy is ``recreate``.
            ServerError, RouterError: a new server didn't come up; everything is as it was.
        """
        self._services.deployments.scaling.scale(self.record, replicas)
        return self.refresh()

    def set_limits(
        self, *, memory_mb: int | Unchanged | None = UNCHANGED, nice: int | Unchanged | None = UNCHANGED
    ) -> Self:
        """Bind each of its servers; applies from the next start of a server on, such as a `restart`.

        Parameters:
            memory_mb: MB that a server and all that it starts may hold; one that holds more is ended and started
                again. 0: no limit. ``None``: as the setting ``server_memory_mb`` says.
            nice: how much it yields the CPU to others, 0 to 19. ``None``: as the setting ``server_nice`` says.
        """
        self._services.deployments.scaling.set_limits(self.record, memory_mb=memory_mb, nice=nice)
        return self.refresh()

    def set_retention(self, keep: int | None) -> Self:
        """Choose how many artifacts are kept for going back, besides those in use; ``None``: as the setting says."""
        Retention(self._services.parts).set_keep(self.record, keep)
        return self.refresh()

    def set_ttl(self, ttl: Ttl | None) -> Self:
        """Give a preview another time to live, from now on: as ``ttl`` of `MastraAdmin.deploy`."""
        PreviewService(self._services.parts, self._services.deployments).set_ttl(self.record, ttl)
        return self.refresh()

    def set_watch(self, enabled: bool = True) -> Self:
        """Deploy it again whenever its source changes, while some process does the background work; or no longer."""
        set_watch(self._services.parts, self.refresh().record, enabled)
        return self.refresh()

    def set_env(self, variables: Mapping[str, str | None], *, secret: bool = True) -> Self:
        """Override variables of the project; they apply from the next build or restart on."""
        self._services.deployments.set_env(self.refresh().record, variables, secret=secret)
        return self.refresh()

    def list_env(self) -> Mapping[str, str]:
        """Return its overrides by name; secret values read ``***``."""
        return self._environment.show(self.record)

    def import_env(
        self, path: str | Path, *, secret: bool = True, only: Iterable[str] | None = None, prefix: str = ""
    ) -> ImportedEnv:
        """Override variables with those of a ``.env`` file; parameters as in ``admin.projects.import_env``."""
        found = self._environment.import_file(self.refresh().record, path, secret=secret, only=only, prefix=prefix)
        self.refresh()
        return found

    def env_versions(self) -> pd.DataFrame:
        """Return what it could run with since it is there, newest first.

        Returns:
            Columns of `versions.VERSION_COLUMNS`: ``version`` such as ``3.1`` (version 3 of its project's
            variables, version 1 of its overrides), ``changed_at`` (UTC), ``actor``, ``changed`` (``project`` or
            ``deployment``), and ``keys``. No values. A build says in ``record.env_version`` which it ran with.
        """
        return self._environment.list_versions(self.record)

    def diff_env(self, before: str | LiveBuild, after: str | LiveBuild) -> pd.DataFrame:
        """Return which variables two versions, or two builds, differ in.

        Parameters:
            before, after: versions such as ``"3.1"``, or builds.

        Returns:
            Columns ``key``, ``change`` (``added``, ``removed``, ``changed``) and ``is_secret``. No values.
        """
        pair = [item.record if isinstance(item, LiveBuild) else item for item in (before, after)]
        return self._environment.diff_versions(self.record, *pair)

    @property
    def _environment(self) -> Environment:
        return Environment(self._services.parts)
