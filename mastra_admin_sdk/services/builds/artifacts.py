"""Which builds an artifact serves: what can be gone back to, what may go, what outlives its deployment.

An artifact belongs to the build that made it, its owner, and stands on that build's record until it is removed. Other
builds of the project run it too: after a restart, a rollback, a promotion, or a deploy of what was built before. They
name the owner.

Whoever queues a build that is to run a kept artifact, and whoever removes artifacts, holds one short lock
(`hold_artifacts`): what was looked up is there until the build that names it is on record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from mastra_admin_sdk.errors import BuildError, InvalidInput, NotFound
from mastra_admin_sdk.models import Build, BuildStatus, Deployment, Process
from mastra_admin_sdk.services.leases import HeldLease
from mastra_admin_sdk.services.parts import Parts
from mastra_admin_sdk.services.references import name_deployment

_LOCK_TIMEOUT = 60.0
_MOST_NAMED = 10


def hold_artifacts(parts: Parts) -> AbstractContextManager[HeldLease]:
    """Hold the lock under which artifacts are given to further builds, and taken away."""
    return parts.leases.hold("artifacts", timeout=_LOCK_TIMEOUT, what="the kept artifacts")


def get_owner_id(build: Build) -> str:
    """Return the id of the build whose artifact a build runs."""
    return build.artifact_build_id or build.id


def is_startable(parts: Parts, build: Build) -> bool:
    """True when the artifact that a build runs is still there."""
    try:
        owner = parts.storage.builds.get(get_owner_id(build))
        if owner.artifact:
            parts.runner.load_artifact(owner.artifact)
    except (NotFound, BuildError):
        return False
    return bool(owner.artifact)


# --- going back -------------------------------------------------------------------------------------------------------


def find_rollback_target(parts: Parts, deployment: Deployment, to: Build | None) -> Build:
    """Return the build to go back to: the one named, else the one that served before the current.

    Raises:
        InvalidInput: there is none, it never served, or its artifact was removed; the hint names those that are kept.
    """
    if to is None and deployment.previous_build_id is None:
        raise _refuse_first(parts, deployment)
    target = to or parts.storage.builds.get(deployment.previous_build_id or "")
    if target.deployment_id != deployment.id:
        raise InvalidInput(f"Build #{target.number} belongs to another deployment.")
    if target.status is not BuildStatus.SUCCEEDED:
        raise InvalidInput(
            f"Build #{target.number} is {target.status}: only a build that served can be gone back to.",
            hint=_name_kept(parts, deployment),
        )
    if not is_startable(parts, target):
        raise InvalidInput(
            f"{name_deployment(parts.storage, deployment)} can't go back to build #{target.number}: "
            "its artifact was removed.",
            hint=_name_kept(parts, deployment),
        )
    return target


def list_kept(parts: Parts, deployment: Deployment) -> Sequence[Build]:
    """Return the builds of a deployment that can be gone back to, newest first."""
    served = parts.storage.builds.list(deployment.id, statuses=[BuildStatus.SUCCEEDED])
    startable = dict.fromkeys(map(get_owner_id, served), False)
    for build in served:
        if not startable[get_owner_id(build)]:
            startable[get_owner_id(build)] = is_startable(parts, build)
    return [build for build in served if startable[get_owner_id(build)]]


def _refuse_first(parts: Parts, deployment: Deployment) -> InvalidInput:
    name, kept = name_deployment(parts.storage, deployment), list_kept(parts, deployment)
    if len(kept) > 1 and len(set(map(get_owner_id, kept))) == 1:
        numbers = [f"#{build.number}" for build in reversed(kept)]
        named = " and ".join(numbers) if len(numbers) == 2 else f"{numbers[0]} to {numbers[-1]}"
        return InvalidInput(
            f"Builds {named} of {name} run the same artifact: there is nothing to go back to.",
            hint="Change the source or the variables and deploy, or start one of them again by naming it.",
        )
    return InvalidInput(f"{name} has no earlier build to go back to.", hint="Deploy first, or name a build.")


def _name_kept(parts: Parts, deployment: Deployment) -> str:
    kept = [f"#{build.number}" for build in list_kept(parts, deployment)]
    if not kept:
        return "None is kept: deploy again."
    return f"Kept: {', '.join(kept[:_MOST_NAMED])}{' and older ones' if len(kept) > _MOST_NAMED else ''}."


# --- what may go ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Doomed:
    """A build whose artifact may go, and why."""

    build: Build
    reason: str


def list_doomed(
    deployments: Iterable[Deployment],
    builds: Sequence[Build],
    alive: Iterable[Process],
    keep: Callable[[Deployment], int],
) -> list[Doomed]:
    """Return whose artifacts may go, oldest first (pure).

    Kept are those that a deployment, whichever, serves or served before; the newest ``keep(deployment)`` of those that
    served it; and what a build that hasn't ended or a server that runs uses. Those that never served all go.
    """
    known = {deployment.id: deployment for deployment in deployments}
    by_deployment: dict[str, list[Build]] = {each: [] for each in known}
    for build in sorted(builds, key=lambda item: item.number, reverse=True):
        by_deployment.setdefault(build.deployment_id, []).append(build)
    owners = {build.id: get_owner_id(build) for build in builds}
    kept = {get_owner_id(build) for build in builds if not build.is_final}
    kept |= {owners.get(process.build_id, process.build_id) for process in alive}
    for deployment in known.values():
        kept |= _list_kept_owners(deployment, by_deployment[deployment.id], owners, keep(deployment))
    # By folder too: one that was being handed over may stand on two records.
    folders = {build.artifact.get("path") for build in builds if build.id in kept}
    doomed = [
        build
        for build in builds
        if build.artifact and build.is_final and build.id not in kept and build.artifact.get("path") not in folders
    ]
    served = {get_owner_id(build) for build in builds if build.status is BuildStatus.SUCCEEDED}
    doomed.sort(key=lambda build: (build.completed_at or build.created_at, build.number))
    return [Doomed(build, _explain(build, known.get(build.deployment_id), keep, served)) for build in doomed]


def _list_kept_owners(deployment: Deployment, newest: Sequence[Build], owners: dict[str, str], keep: int) -> set[str]:
    in_use = {
        owners.get(build_id, build_id)
        for build_id in (deployment.current_build_id, deployment.previous_build_id)
        if build_id
    }
    served = [get_owner_id(build) for build in newest if build.status is BuildStatus.SUCCEEDED]
    others = [owner for owner in dict.fromkeys(served) if owner not in in_use]
    return in_use | set(others[:keep])


def _explain(build: Build, deployment: Deployment | None, keep: Callable[[Deployment], int], served: set[str]) -> str:
    if build.id not in served:
        return f"build #{build.number} is {build.status} and never served"
    if deployment is None:
        return "its deployment is gone"
    return f"{deployment.slug} keeps {keep(deployment)} besides those in use"


# --- deployments that go ----------------------------------------------------------------------------------------------


def hand_over(parts: Parts, deployment: Deployment) -> set[str]:
    """Give artifacts that other deployments run to a build of theirs; return the folders that are theirs now.

    Without that, deleting staging would take away what was promoted from it. Repeating it changes nothing.
    """
    siblings = [item for item in parts.storage.deployments.list(deployment.project_id) if item.id != deployment.id]
    others = [build for item in siblings for build in parts.storage.builds.list(item.id)]
    for owner in parts.storage.builds.list(deployment.id):
        if owner.artifact:
            _bequeath(parts, owner, others)
    # Theirs are also those that an earlier attempt handed over, which was interrupted later.
    theirs = [build.artifact for item in siblings for build in parts.storage.builds.list(item.id)]
    return {str(artifact.get("path")) for artifact in theirs if artifact}


def _may_inherit(build: Build) -> bool:
    return not build.is_final or build.status is BuildStatus.SUCCEEDED


def _bequeath(parts: Parts, owner: Build, others: Sequence[Build]) -> None:
    heirs = [build for build in others if get_owner_id(build) == owner.id and _may_inherit(build)]
    # Another one that holds the folder already: an earlier attempt was interrupted.
    holders = [build for build in others if build.artifact and build.artifact.get("path") == owner.artifact.get("path")]
    if not heirs and not holders:
        return
    # The newest that served: a build that is queued may yet be cancelled.
    newest = max(heirs, key=lambda build: (build.status is BuildStatus.SUCCEEDED, build.created_at), default=None)
    first = holders[0] if holders else newest
    assert first is not None
    for heir in {build.id: build for build in (first, *heirs)}.values():
        artifact = owner.artifact if heir.id == first.id else heir.artifact
        parts.storage.builds.update(heir.id, artifact=artifact, artifact_build_id=first.id)
    parts.storage.builds.update(owner.id, artifact={}, artifact_build_id=first.id)
