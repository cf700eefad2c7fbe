"""Versions of variables: each change of a list makes one, and what a deployment runs with goes by two lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mastra_admin_sdk.errors import InvalidInput, NotFound
from mastra_admin_sdk.models import Deployment, EnvVar, Event, Project
from mastra_admin_sdk.ports.storage import AdminStorage
from mastra_admin_sdk.services.references import name_deployment

from .secrets import merge_env

Owner = Project | Deployment

VERSION_COLUMNS: Mapping[str, str] = {
    "version": "object",
    "changed_at": "datetime64[ns, UTC]",
    "actor": "object",
    "changed": "category",
    "keys": "object",
}
"""Columns of lists of versions: ``changed`` says whose variables were changed, ``keys`` is a tuple of names."""


@dataclass(frozen=True, slots=True)
class EnvVersion:
    """One list of variables, as it was from ``changed_at`` on."""

    number: int
    variables: tuple[EnvVar, ...]
    changed_at: datetime | None
    actor: str | None


def list_versions(storage: AdminStorage, owner: Owner) -> list[dict[str, Any]]:
    """Return rows for `VERSION_COLUMNS`, newest first: of a project its lists, of a deployment what it could run with.

    Those of a deployment begin with what there was when it was created.
    """
    if isinstance(owner, Project):
        return [_describe(str(item.number), item, "project", item.variables) for item in _read_all(storage, owner)]
    return _merge_versions(storage, owner)


def read_version(storage: AdminStorage, owner: Owner, version: str) -> tuple[EnvVar, ...]:
    """Return the variables of one version: ``3`` of a project, ``3.1`` of a deployment; `NotFound` without one."""
    if isinstance(owner, Project):
        return _pick(storage, owner, version)
    first, dot, second = version.partition(".")
    if not dot:
        raise InvalidInput(
            f"{version!r} is no version of what {_name(storage, owner)} runs with.",
            hint="They have two numbers, such as 3.1: see env_versions().",
        )
    project = storage.projects.get(owner.project_id)
    return merge_env(_pick(storage, project, first), _pick(storage, owner, second))


def name_version(project_version: int, deployment_version: int) -> str:
    """Return the version of what a deployment runs with, such as ``3.1``."""
    return f"{project_version}.{deployment_version}"


def list_own(owner: Owner) -> tuple[EnvVar, ...]:
    """Return the variables of a project, or the overrides of a deployment."""
    return owner.env_vars if isinstance(owner, Project) else owner.env_overrides


def _merge_versions(storage: AdminStorage, deployment: Deployment) -> list[dict[str, Any]]:
    theirs = _read_all(storage, storage.projects.get(deployment.project_id))
    overrides = _read_all(storage, deployment)
    start, own = deployment.created_at, overrides[-1]
    project = next((item for item in theirs if item.changed_at is None or item.changed_at <= start), theirs[-1])
    changes = [("project", item) for item in theirs if item.number > project.number]
    changes += [("deployment", item) for item in overrides if item.number > own.number]
    rows = [_describe_pair("deployment", own, project, own)]
    for whose, item in sorted(changes, key=lambda change: change[1].changed_at or start):
        project, own = (item, own) if whose == "project" else (project, item)
        rows.append(_describe_pair(whose, item, project, own))
    return rows[::-1]


def _describe_pair(whose: str, changed: EnvVersion, project: EnvVersion, own: EnvVersion) -> dict[str, Any]:
    merged = merge_env(project.variables, own.variables)
    return _describe(name_version(project.number, own.number), changed, whose, merged)


def _describe(version: str, item: EnvVersion, whose: str, variables: Iterable[EnvVar]) -> dict[str, Any]:
    keys = tuple(var.key for var in variables)
    return {"version": version, "changed_at": item.changed_at, "actor": item.actor, "changed": whose, "keys": keys}


def _read_all(storage: AdminStorage, owner: Owner) -> list[EnvVersion]:
    """All versions of one list, newest first."""
    repository = storage.projects if isinstance(owner, Project) else storage.deployments
    owner = repository.get(owner.id)
    told = _read_events(storage, owner)
    known = [(owner.env_version, list_own(owner)), *repository.list_env_versions(owner.id)]
    return [EnvVersion(number, variables, *told.get(number, (None, None))) for number, variables in known]


def _read_events(storage: AdminStorage, owner: Owner) -> dict[int, tuple[datetime | None, str | None]]:
    """When each version came to be and who made it, from the audit log."""
    created = next(iter(storage.events.list(object_id=owner.id, action="create", limit=1)), None)
    told: dict[int, tuple[datetime | None, str | None]] = {0: (owner.created_at, created.actor if created else None)}
    for event in storage.events.list(object_id=owner.id, action="set_env", limit=None):
        if _names_version(event):
            told[int(event.details["version"])] = (event.time, event.actor)
    return told


def _names_version(event: Event) -> bool:
    return str(event.details.get("version", "")).isdigit()


def _pick(storage: AdminStorage, owner: Owner, number: str) -> tuple[EnvVar, ...]:
    found = next((item for item in _read_all(storage, owner) if str(item.number) == number), None)
    if found is None:
        raise NotFound(
            f"{_name(storage, owner)} has no version {number} of its variables.",
            hint=f"It has 0 to {owner.env_version}: see env_versions().",
        )
    return found.variables


def _name(storage: AdminStorage, owner: Owner) -> str:
    if isinstance(owner, Deployment):
        return name_deployment(storage, owner)
    return f"{storage.teams.get(owner.team_id).slug}/{owner.slug}"
