"""Environment variables of projects and deployments: set, imported, listed, their versions and what differs.

A project has variables; a deployment overrides them. Each change makes a new version of the list that it changed: 1,
2, 3 … What a deployment runs with goes by both, as ``3.1``: version 3 of its project's, version 1 of its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from mastra_admin_sdk.errors import InvalidInput, NotFound
from mastra_admin_sdk.models import Build, Deployment, EnvVar, Project, SourceType
from mastra_admin_sdk.services.history.frames import make_frame
from mastra_admin_sdk.services.parts import Parts, hold_env

from .files import choose_variables, read_env_file
from .secrets import SecretBox, change_env, find_reservation, merge_env
from .versions import VERSION_COLUMNS, Owner, list_own, list_versions, name_version, read_version

if TYPE_CHECKING:
    import pandas as pd

_Owner = TypeVar("_Owner", bound=Project | Deployment)

ENV_DIFF_COLUMNS: Mapping[str, str] = {"key": "object", "change": "category", "is_secret": "bool"}
"""Columns of differences: ``change`` is ``added``, ``removed`` or ``changed``. There are no values."""

_HIDDEN = "***"
_MARGIN = 128 * 1024  # for arguments and for what a server gets from us
_MOST = 2 * 1024 * 1024  # the usual limit; a server may be started by another process than the one that sets
_POINTER = 8


@dataclass(frozen=True, slots=True)
class ImportedEnv:
    """What an import set: ``path`` is the file, ``keys`` are the names. It holds no value.

    ``skipped`` has the names that weren't taken, each with the reason: MastraAdmin sets them itself.
    """

    path: str
    keys: tuple[str, ...]
    skipped: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        left = "".join(f"; {key} skipped: {reason}" for key, reason in self.skipped.items())
        return f"<Imported {len(self.keys)} variables from {self.path}: {', '.join(self.keys)}{left}>"


class Environment:
    """The variables of projects and deployments."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    # --- changing -----------------------------------------------------------------------------------------------------

    def change(self, owner: _Owner, variables: Mapping[str, str | None], *, secret: bool = True, **told: str) -> _Owner:
        """Set variables of a project or deployment, or remove those whose value is ``None``.

        ``told`` goes into the audit log, beside the names.

        Raises:
            InvalidInput: a name or value that no process could have, a name that MastraAdmin sets itself, or all of
                them together are too large.
        """
        with hold_env(self._parts, owner.id, owner.slug):
            changed = change_env(self._parts.secrets, list_own(self._read(owner)), variables, secret=secret)
            self._check_size(owner, changed)
            updated = self._write(owner, changed)
        kind = "project" if isinstance(owner, Project) else "deployment"
        self._parts.record(
            "set_env", kind, owner.id, keys=sorted(variables), version=updated.env_version, secret=secret, **told
        )
        return updated

    def import_file(
        self,
        owner: Owner,
        path: str | Path,
        *,
        secret: bool = True,
        only: Iterable[str] | None = None,
        prefix: str = "",
    ) -> ImportedEnv:
        """Set the variables of a ``.env`` file, but for those that MastraAdmin sets itself, such as ``PORT``.

        Parameters:
            owner: whose they become.
            path: the file. A name alone, such as ``.env.production``, is looked for in the project's own folder, then
                in the current one.
            secret: whether they are secret.
            only: names of those that are wanted; all unless given.
            prefix: what the names have to begin with.

        Raises:
            NotFound: there is no such file; the hint lists those that the project has.
            InvalidInput: it can't be read as a ``.env`` file, or has none of what is wanted.
        """
        project = owner if isinstance(owner, Project) else self._parts.storage.projects.get(owner.project_id)
        file = self._find_file(project, Path(os.path.expanduser(path)))
        found = choose_variables(read_env_file(file), str(file), only=only, prefix=prefix)
        skipped = {key: reason for key in sorted(found) if (reason := find_reservation(key))}
        chosen = {key: value for key, value in found.items() if key not in skipped}
        if not chosen:
            told = "; ".join(f"{key}: {reason}" for key, reason in skipped.items())
            raise InvalidInput(
                f"{file} has only what MastraAdmin sets itself ({told}).", hint="There is nothing to do."
            )
        self.change(owner, chosen, secret=secret, file=str(file))
        return ImportedEnv(str(file), tuple(sorted(chosen)), skipped)

    def freeze(self, project: Project, deployment: Deployment) -> tuple[tuple[EnvVar, ...], str]:
        """Return what a deployment is to run with now, and the version that this is, such as ``3.1``.

        Raises:
            InvalidInput: it is too large for a process to start with.
        """
        merged = merge_env(project.env_vars, deployment.env_overrides)
        check_total(self._parts.secrets, merged, deployment.slug)
        return merged, name_version(project.env_version, deployment.env_version)

    # --- looking ------------------------------------------------------------------------------------------------------

    def show(self, owner: Owner) -> dict[str, str]:
        """Return variables for people: plain values as they are, secret ones as ``***``."""
        return show_env(self._parts, list_own(owner))

    def list_files(self, project: Project) -> Sequence[str]:
        """Return the names of the ``.env*`` files in a project's folder; they are never copied, only imported."""
        folder = _find_folder(project)
        return self._parts.source_of(project).get_project(str(folder)).env_files if folder else ()

    def list_versions(self, owner: Owner) -> pd.DataFrame:
        """Return the versions, newest first: columns of `VERSION_COLUMNS`, with names but without values."""
        return make_frame(VERSION_COLUMNS, list_versions(self._parts.storage, owner))

    def read_version(self, owner: Owner, version: str | int) -> tuple[EnvVar, ...]:
        """Return the variables of one version: ``3`` of a project, ``"3.1"`` of a deployment.

        Raises:
            NotFound: there is none of that number.
        """
        return read_version(self._parts.storage, owner, str(version))

    def diff_versions(self, owner: Owner, before: str | int | Build, after: str | int | Build) -> pd.DataFrame:
        """Return what differs between two versions, or what two builds ran with: `ENV_DIFF_COLUMNS`, never a value."""
        pair = [
            item.env_snapshot if isinstance(item, Build) else self.read_version(owner, item) for item in (before, after)
        ]
        return make_frame(ENV_DIFF_COLUMNS, compare_env(self._parts.secrets, *pair))

    # --- helpers ------------------------------------------------------------------------------------------------------

    def _read(self, owner: Owner) -> Owner:
        storage = self._parts.storage
        return storage.projects.get(owner.id) if isinstance(owner, Project) else storage.deployments.get(owner.id)

    def _write(self, owner: _Owner, variables: Sequence[EnvVar]) -> _Owner:
        storage = self._parts.storage
        repository = storage.projects if isinstance(owner, Project) else storage.deployments
        return cast(_Owner, repository.set_env(owner.id, variables))

    def _check_size(self, owner: Owner, variables: Sequence[EnvVar]) -> None:
        if isinstance(owner, Deployment):
            project = self._parts.storage.projects.get(owner.project_id)
            variables = merge_env(project.env_vars, variables)
        check_total(self._parts.secrets, variables, owner.slug)

    def _find_file(self, project: Project, path: Path) -> Path:
        folder = _find_folder(project)
        is_bare = path.name == str(path)
        places = [folder / path, path] if is_bare and folder else [path]
        found = next((place for place in places if os.path.isfile(place)), None)
        if found is None:
            offered = sorted(item.name for item in folder.glob(".env*") if item.is_file()) if folder else []
            hint = f"{project.slug} has: {', '.join(offered)}." if offered else "Give the path of a .env file."
            raise NotFound(f"There is no file {path}.", hint=hint)
        return found.absolute()


def show_env(parts: Parts, env_vars: Iterable[EnvVar]) -> dict[str, str]:
    """Return variables for people: plain values as they are, secret ones as ``***``."""
    return {var.key: _HIDDEN if var.is_secret else parts.secrets.decrypt(var.encrypted_value) for var in env_vars}


def compare_env(box: SecretBox, before: Iterable[EnvVar], after: Iterable[EnvVar]) -> list[dict[str, object]]:
    """Return rows for `ENV_DIFF_COLUMNS`, by name.

    The encrypted forms of equal values differ, so values are compared in memory, and never returned.
    """
    old, new = {var.key: var for var in before}, {var.key: var for var in after}
    rows = []
    for key in sorted({*old, *new}):
        change = _name_change(box, old.get(key), new.get(key))
        if change:
            rows.append({"key": key, "change": change, "is_secret": (new.get(key) or old[key]).is_secret})
    return rows


def check_total(box: SecretBox, variables: Iterable[EnvVar], name: str) -> None:
    """Raise `InvalidInput` when no process could start with all these variables together."""
    sizes = {var.key: len(f"{var.key}={box.decrypt(var.encrypted_value)}".encode()) + 1 + _POINTER for var in variables}
    limit = min(os.sysconf("SC_ARG_MAX"), _MOST) - _MARGIN
    if sum(sizes.values()) > limit:
        largest = sorted(sizes, key=lambda key: -sizes[key])[:3]
        raise InvalidInput(
            f"The variables of {name} are too large together: {sum(sizes.values()):,} bytes, of which a process can "
            f"take {limit:,}.",
            hint=f"Put large ones into files and give the files' paths; the largest are {', '.join(largest)}.",
        )


def _name_change(box: SecretBox, old: EnvVar | None, new: EnvVar | None) -> str | None:
    if old is None or new is None:
        return "added" if old is None else "removed"
    if old == new:
        return None
    same = box.decrypt(old.encrypted_value) == box.decrypt(new.encrypted_value)
    return None if same and old.is_secret == new.is_secret else "changed"


def _find_folder(project: Project) -> Path | None:
    """Return the folder of a local project; what git has, has no ``.env`` files."""
    path = project.source_config.get("path")
    return Path(str(path)) if project.source_type is SourceType.LOCAL and path else None
