"""Names of branches, tags and commits, and what a repository says it has (pure)."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_BAD = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|^[-/]|[/.]$|\.lock(?:/|$)|(?:^|/)\.")
_COMMIT = re.compile(r"[0-9a-f]{7,64}", re.IGNORECASE)
_LONGEST = 250
_MOST_NAMED = 10


@dataclass(frozen=True, slots=True)
class Advertised:
    """What a repository has: full names of refs with their objects, and the branch that HEAD is."""

    refs: Mapping[str, str] = field(default_factory=dict)
    head: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a ref means: its full name (``None`` for a commit by its id), its commit if known, a short name."""

    name: str | None
    commit: str | None
    label: str | None


def is_possible(ref: str) -> bool:
    """Return whether a branch, tag or commit can be called so: git's rules, and no option of a command."""
    return isinstance(ref, str) and 0 < len(ref) <= _LONGEST and ref.isprintable() and not _BAD.search(ref)


def is_commit(ref: str) -> bool:
    """Return whether a ref may be the id of a commit, whole or the first seven digits and more."""
    return _COMMIT.fullmatch(ref) is not None


def is_whole_commit(ref: str) -> bool:
    """Return whether a ref is the whole id of a commit."""
    return is_commit(ref) and len(ref) in (40, 64)


def list_names(ref: str | None) -> list[str]:
    """Return the full names that a ref may stand for, the first one that exists counts: branches before tags."""
    if ref is None or ref == "HEAD":
        return ["HEAD"]
    if ref.startswith("refs/"):
        return [ref]
    return [f"refs/heads/{ref}", f"refs/tags/{ref}", f"refs/{ref}"]


def parse_advertised(output: bytes) -> Advertised:
    """Return what ``git ls-remote --symref`` printed."""
    refs: dict[str, str] = {}
    head = None
    for line in output.decode("utf-8", "surrogateescape").splitlines():
        value, _, name = line.partition("\t")
        if value.startswith("ref: ") and name == "HEAD":
            head = value.removeprefix("ref: ").removeprefix("refs/heads/")
        elif re.fullmatch(r"[0-9a-f]{40,64}", value) and name:
            refs[name] = value
    return Advertised(refs, head)


def choose_ref(ref: str | None, advertised: Advertised) -> Wanted | None:
    """Return what a ref means in a repository; ``None`` when it has no such name."""
    for name in list_names(ref):
        if name in advertised.refs:
            # An annotated tag has an object of its own; behind ^{} stands what it is about.
            commit = advertised.refs.get(f"{name}^{{}}", advertised.refs[name])
            return Wanted(name, commit, advertised.head if name == "HEAD" else ref)
    return None


def suggest_refs(ref: str, advertised: Advertised) -> str:
    """Return a hint for a ref that isn't there: near ones, else which there are."""
    names = list_short_names(advertised)
    near = difflib.get_close_matches(ref[:_LONGEST], names, n=3, cutoff=0.5)
    if near:
        return f"Did you mean {' or '.join(repr(name) for name in near)}?"
    if not names:
        return "It has no branch and no tag."
    return f"It has: {', '.join(names[:_MOST_NAMED])}{', …' if len(names) > _MOST_NAMED else ''}."


def list_short_names(advertised: Advertised) -> Sequence[str]:
    """Return the names of branches, then of tags, as people write them."""
    return [
        name.removeprefix(prefix)
        for prefix in ("refs/heads/", "refs/tags/")
        for name in advertised.refs
        if name.startswith(prefix) and not name.endswith("^{}") and name.isprintable()
    ]
