"""The few files of a commit that say what projects it holds, laid out as a folder, so that folders' own readers do."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mastra_admin_sdk.adapters.source.local.copier import CopyRules, is_env_file
from mastra_admin_sdk.adapters.source.local.detector import LOCKFILES
from mastra_admin_sdk.adapters.source.local.files import MANIFEST, Unusable
from mastra_admin_sdk.adapters.source.local.git import GitState
from mastra_admin_sdk.adapters.source.local.names import choose_name, show_path, show_reference
from mastra_admin_sdk.adapters.source.local.records import make_source_project
from mastra_admin_sdk.adapters.source.local.scanner import read_folder
from mastra_admin_sdk.adapters.source.local.workspaces import PNPM_WORKSPACE
from mastra_admin_sdk.errors import SourceError
from mastra_admin_sdk.models import SourceProject

from .addresses import Address, redact
from .command import Deadline
from .mirror import Entry, Mirror

_TELLING = frozenset({MANIFEST, PNPM_WORKSPACE, *(name for names in LOCKFILES.values() for name in names)})
_REGULAR = ("100644", "100755")
_MOST_NAMED = 10


@dataclass(frozen=True, slots=True)
class Skeleton:
    """A project of a commit; ``root`` is the folder that is copied, and ``subdir`` where in that the project lies."""

    project: SourceProject
    root: str
    subdir: str


def read_skeleton(mirror: Mirror, address: Address, commit: str, rules: CopyRules, deadline: Deadline) -> Skeleton:
    """Read the project of a commit; the mirror's lock must be held.

    Raises:
        SourceError: there is none in that folder; the message names those there are.
    """
    entries = [entry for entry in mirror.list_entries(commit, deadline) if not _is_left_out(entry.path, rules)]
    telling = [entry.path for entry in entries if entry.mode in _REGULAR and os.path.basename(entry.path) in _TELLING]
    top = mirror.scratch / "skeleton"
    mirror.check_out(commit, top, mirror.scratch / "index", deadline, telling)
    folder = top / address.path if address.path else top
    real = os.path.realpath(top)
    try:
        candidate = read_folder(str(folder), real) if folder.is_dir() else None
    except Unusable as exc:
        raise _no_project(address, commit, str(exc), []) from exc
    if candidate is None:
        reason = "there is no package.json that names @mastra/core"
        raise _no_project(address, commit, reason, _list_projects(real, telling))
    project = replace(
        make_source_project(candidate, GitState()),
        name=choose_name(candidate.manifest.get("name"), address.path or address.name),
        env_files=_list_env_files(entries, address.path),
    )
    root = os.path.relpath(candidate.root, real)
    return Skeleton(project, "" if root == "." else root, candidate.subdir)


def _is_left_out(path: str, rules: CopyRules) -> bool:
    parts = path.split("/")
    return any(rules.exclude.match(part, "/".join(parts[: index + 1])) for index, part in enumerate(parts))


def _list_env_files(entries: Sequence[Entry], path: str) -> tuple[str, ...]:
    found = (entry.path for entry in entries if os.path.dirname(entry.path) == path)
    return tuple(sorted(show_path(os.path.basename(name)) for name in found if is_env_file(os.path.basename(name))))


def _list_projects(top: str, paths: Sequence[str]) -> list[str]:
    found = []
    for path in paths:
        folder = os.path.dirname(path)
        if os.path.basename(path) != MANIFEST or not folder:
            continue
        try:
            if read_folder(os.path.join(top, folder), top):
                found.append(folder)
        except Unusable:
            continue  # what is broken is no suggestion
    return sorted(found)


def _no_project(address: Address, commit: str, reason: str, others: Sequence[str]) -> SourceError:
    where = f"the folder {show_reference(address.path)} of " if address.path else ""
    named = ", ".join(show_reference(other) for other in others[:_MOST_NAMED])
    more = ", …" if len(others) > _MOST_NAMED else ""
    return SourceError(
        f"There is no Mastra project in {where}{redact(address.url)} at {commit[:12]}: {reason}.",
        hint=f"Name one of its folders: {named}{more}." if others else "Name the folder of one, such as packages/app.",
        evidence={"commit": commit},
    )
