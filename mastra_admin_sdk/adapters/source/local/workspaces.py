"""Finds the monorepo that a folder is a package of: npm, yarn and bun workspaces, and pnpm's."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from .files import MANIFEST, Unusable, read_manifest, read_regular

PNPM_WORKSPACE = "pnpm-workspace.yaml"

_LEVELS = 6
_YAML_BYTES = 1024 * 1024
_LONGEST_PATTERN = 500
_MOST_PATTERNS = 1000
_ITEM = re.compile(r"""\s*-\s+(?:'((?:[^']|'')*)'|"([^"]*)"|([^#]*?))\s*(?:\s#.*)?""")
_FLOW_ITEM = re.compile(r"""'((?:[^']|'')*)'|"([^"]*)"|([^,\s'"][^,]*)""")
_BRACES = re.compile(r"\{([^{}]*,[^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Workspace:
    """The root of a monorepo: its real path, its package.json (empty when there is none), the names in it."""

    path: str
    manifest: Mapping[str, Any]
    names: frozenset[str]


def find_workspace(path: str, top: str | None = None) -> Workspace | None:
    """Return the nearest folder above whose package manager counts this one among its packages.

    It is looked for a few levels up, within the same git work tree, below the user's home folder, and not in folders
    that everybody may write to: there anybody could claim to be the root of somebody else's project.

    Parameters:
        path: the real path of a project.
        top: a folder above which nothing is looked for.
    """
    if os.path.lexists(os.path.join(path, PNPM_WORKSPACE)):
        return None  # a root of its own
    for folder in _list_above(path, top):
        workspace = _read_workspace(folder, os.path.relpath(path, folder))
        if workspace:
            return workspace
    return None


def is_member(relative: str, patterns: Sequence[str]) -> bool:
    """Return whether a path below a root meets one of its patterns, and none of those that begin with ``!``."""
    kept = [pattern for pattern in patterns[:_MOST_PATTERNS] if len(pattern) <= _LONGEST_PATTERN]
    refused = any(_match(relative, pattern[1:]) for pattern in kept if pattern.startswith("!"))
    return not refused and any(_match(relative, pattern) for pattern in kept if not pattern.startswith("!"))


def list_patterns(manifest: Mapping[str, Any]) -> list[str]:
    """Return the patterns of a package.json: ``workspaces`` as a list, or as an object with ``packages``."""
    field = manifest.get("workspaces")
    if isinstance(field, Mapping):
        field = field.get("packages")
    return [item for item in field if isinstance(item, str)] if isinstance(field, list) else []


def parse_pnpm_packages(text: str) -> list[str]:
    """Return the patterns under ``packages`` of a pnpm-workspace.yaml: a list in either of YAML's two forms.

    Of YAML this reads what that list is written in; what else stands in the file is passed over.
    """
    lines = iter(text.splitlines())
    for line in lines:
        match = re.fullmatch(r"""(?:packages|'packages'|"packages")\s*:\s*(.*)""", line)
        if not match:
            continue
        rest = match.group(1).strip()
        if rest.startswith("["):
            return _parse_flow(rest, lines)
        return _parse_block(lines) if not rest or rest.startswith("#") else []
    return []


def _list_above(path: str, top: str | None) -> Iterator[str]:
    home = os.path.realpath(os.path.expanduser("~"))
    for _ in range(_LEVELS):
        if path == top or os.path.lexists(os.path.join(path, ".git")):
            return
        path = os.path.dirname(path)
        if path == "/" or home == path or home.startswith(path + "/") or _is_open_to_all(path):
            return
        yield path


def _is_open_to_all(path: str) -> bool:
    try:
        return bool(os.stat(path).st_mode & stat.S_IWOTH)
    except OSError:
        return True  # what can't be looked at is nobody's root either


def _read_workspace(folder: str, relative: str) -> Workspace | None:
    try:
        names = frozenset(os.listdir(folder))
        manifest = read_manifest(os.path.join(folder, MANIFEST)) if MANIFEST in names else {}
        patterns = _read_pnpm(folder) if PNPM_WORKSPACE in names else []
    except (OSError, Unusable):
        return None  # what can't be read can't be built with either
    found = is_member(relative, patterns) or is_member(relative, list_patterns(manifest))
    return Workspace(folder, manifest, names) if found else None


def _read_pnpm(folder: str) -> list[str]:
    return parse_pnpm_packages(
        read_regular(os.path.join(folder, PNPM_WORKSPACE), _YAML_BYTES).decode("utf-8-sig", "replace")
    )


def _parse_block(lines: Iterator[str]) -> list[str]:
    patterns = []
    for line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _ITEM.fullmatch(line)
        if not match:
            break
        patterns.append(_unquote(match))
    return patterns


def _parse_flow(rest: str, lines: Iterator[str]) -> list[str]:
    text = re.sub(r"\s#.*", "", rest)
    while "]" not in text and (line := next(lines, None)) is not None:
        text += " " + re.sub(r"(^|\s)#.*", "", line)
    return [_unquote(match) for match in _FLOW_ITEM.finditer(text[1:].partition("]")[0])]


def _unquote(match: re.Match[str]) -> str:
    single, double, plain = match.groups()
    return single.replace("''", "'") if single is not None else double if double is not None else plain.strip()


def _match(relative: str, pattern: str) -> bool:
    parts = relative.split("/")
    return any(_match_parts(parts, expanded.strip("/").split("/")) for expanded in _expand(pattern.strip()))


def _match_parts(parts: Sequence[str], patterns: Sequence[str]) -> bool:
    # Part by part, each at once: a pattern that a stranger wrote can't make this take long.
    places = {0}
    for pattern in patterns:
        if pattern == ".":
            continue
        if pattern == "**":
            places = set(range(min(places), len(parts) + 1))
        else:
            places = {at + 1 for at in places if at < len(parts) and fnmatchcase(parts[at], pattern)}
        if not places:
            return False
    return len(parts) in places


def _expand(pattern: str) -> list[str]:
    """Return what a pattern with ``{a,b}`` stands for."""
    found, done = [pattern], 0
    while done < len(found) <= _MOST_PATTERNS:
        match = _BRACES.search(found[done])
        if match is None:
            done += 1
            continue
        before, after = found[done][: match.start()], found[done][match.end() :]
        found[done : done + 1] = [before + part + after for part in match.group(1).split(",")]
    return found[:done]
