"""How many servers a deployment has, how they take over, and what binds each of them."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from mastra_admin_sdk.errors import InvalidInput, MastraAdminError
from mastra_admin_sdk.linelog import LineLog
from mastra_admin_sdk.models import Deployment, DesiredState, Process, Strategy
from mastra_admin_sdk.ports.checks import CancelCheck
from mastra_admin_sdk.ports.router import MAX_TARGETS
from mastra_admin_sdk.redaction import Redactor
from mastra_admin_sdk.services.environment.secrets import open_env
from mastra_admin_sdk.services.parts import Parts

from .live import PathToLive, lock_name

_LOCK_TIMEOUT = 60.0
_LEAST_MEMORY_MB = 64
_MOST_MEMORY_MB = 2**40  # more than any machine has
_MOST_NICE = 19


class Unchanged(Enum):
    """Stands for "as it is", where ``None`` means something."""

    UNCHANGED = "unchanged"


UNCHANGED = Unchanged.UNCHANGED


class Scaling:
    """Changes the servers of deployments without a build."""

    def __init__(self, parts: Parts, path: PathToLive) -> None:
        self._parts, self._path = parts, path

    def scale(self, deployment: Deployment, replicas: int) -> Deployment:
        """Start or stop servers until there are so many; only the difference is touched.

        A deployment that doesn't run keeps the number for its next start.

        Raises:
            InvalidInput: the number can't be, or the strategy is ``recreate``.
            ServerError, RouterError: a new server didn't come up; the number is what it was.
        """
        settings = self._parts.settings
        # Whoever has the lock may be waiting for a server's health, and then for the requests of the one before.
        timeout = _LOCK_TIMEOUT + float(settings.health_timeout) + float(settings.drain_timeout)
        with self._parts.leases.hold(lock_name(deployment.id), timeout=timeout, what=deployment.slug) as lock:
            former = self._parts.storage.deployments.get(deployment.id)
            check_servers(former.strategy, replicas)
            changed = self._parts.storage.deployments.update(deployment.id, replicas=replicas)
            try:
                self._adjust(changed, lock.check)
            except MastraAdminError:
                self._parts.storage.deployments.update(deployment.id, replicas=former.replicas)
                raise
        self._parts.record("scale", "deployment", deployment.id, replicas=replicas, before=former.replicas)
        return self._parts.storage.deployments.get(deployment.id)

    def set_strategy(self, deployment: Deployment, strategy: Strategy) -> Deployment:
        """Choose how a new server takes over, from the next deploy on."""
        check_servers(strategy, self._parts.storage.deployments.get(deployment.id).replicas)
        changed = self._parts.storage.deployments.update(deployment.id, strategy=strategy)
        self._parts.record("set_strategy", "deployment", deployment.id, strategy=strategy.value)
        return changed

    def set_limits(
        self,
        deployment: Deployment,
        *,
        memory_mb: int | Unchanged | None = UNCHANGED,
        nice: int | Unchanged | None = UNCHANGED,
    ) -> Deployment:
        """Bind each server of a deployment, from its next start on; ``None`` leaves it to the settings.

        Raises:
            InvalidInput: a number can't be.
        """
        changes: dict[str, int | None] = {}
        if not isinstance(memory_mb, Unchanged):
            changes["memory_mb"] = _check_memory(memory_mb)
        if not isinstance(nice, Unchanged):
            changes["nice"] = _check_nice(nice)
        changed = self._parts.storage.deployments.update(deployment.id, **changes)
        self._parts.record("set_limits", "deployment", deployment.id, **changes)
        return changed

    def _adjust(self, deployment: Deployment, check: CancelCheck) -> None:
        serving = self._list_serving(deployment)
        keep = [item for item in serving if item.replica < deployment.replicas]
        if (
            deployment.desired_state is not DesiredState.RUNNING
            or not keep
            or len(keep) == deployment.replicas == len(serving)
        ):
            return
        build = self._parts.storage.builds.get(deployment.current_build_id or "")
        path = Path(build.log_path or self._parts.home.build_logs / f"{build.id}.log")
        with LineLog(path, Redactor(open_env(self._parts.secrets, build.env_snapshot)[2])) as log:
            log.write(f"Changing from {len(serving)} servers to {deployment.replicas}", stream="info")
            self._path.revive(deployment, log, check, lambda _: None, keep=keep)

    def _list_serving(self, deployment: Deployment) -> list[Process]:
        """The servers of the current build, the newest of each replica."""
        newest: dict[int, Process] = {}
        for item in self._path.servers.list_running(deployment.id):
            if item.build_id == deployment.current_build_id:
                newest.setdefault(item.replica, item)
        return list(newest.values())


def check_servers(strategy: Strategy, replicas: int) -> None:
    """Raise `InvalidInput` unless so many servers can take over in this way."""
    if isinstance(replicas, bool) or not isinstance(replicas, int) or not 1 <= replicas <= MAX_TARGETS:
        raise InvalidInput(
            f"A deployment can't have {replicas!r} servers: from 1 to {MAX_TARGETS} can share an address.",
            hint="Stop a deployment that is to have none.",
        )
    if strategy is Strategy.RECREATE and replicas > 1:
        raise InvalidInput(
            f"A deployment with the strategy recreate can't have {replicas} servers: its app can't run twice on its "
            "files.",
            hint="Keep one server, or choose the strategy swap if the app can share its files.",
        )


def _check_memory(memory_mb: int | None) -> int | None:
    is_unlimited = memory_mb is None or _is_whole(memory_mb, 0, 0)
    if not is_unlimited and not _is_whole(memory_mb, _LEAST_MEMORY_MB, _MOST_MEMORY_MB):
        raise InvalidInput(
            f"A server can't be held to {memory_mb!r} MB: Node alone takes about {_LEAST_MEMORY_MB}.",
            hint="Give more, 0 for no limit, or None for the setting server_memory_mb.",
        )
    return memory_mb


def _check_nice(nice: int | None) -> int | None:
    if nice is not None and not _is_whole(nice, 0, _MOST_NICE):
        raise InvalidInput(
            f"A server can't have the niceness {nice!r}.", hint=f"Choose 0 (none) to {_MOST_NICE} (most)."
        )
    return nice


def _is_whole(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
