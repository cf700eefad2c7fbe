"""Which package manager in which version a project wants: pure, over its package.json and the head of its lock file.

A version that isn't named is one of a table, not the newest: the same project is installed by the same program
tomorrow, and what a build was made with is known before it starts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from mastra_admin_sdk.models import PackageManager

from .node_range import parse_version

LOCK_FILES: Mapping[PackageManager, tuple[str, ...]] = {
    PackageManager.NPM: ("package-lock.json", "npm-shrinkwrap.json"),
    PackageManager.PNPM: ("pnpm-lock.yaml",),
    PackageManager.YARN: ("yarn.lock",),
    PackageManager.BUN: ("bun.lock", "bun.lockb"),
}
"""The lock files of each package manager, in the order in which they are looked for."""

_DECLARED = re.compile(r"\s*(npm|pnpm|yarn|bun)@([0-9][0-9A-Za-z.-]*)(?:\+[0-9A-Za-z.-]+)?\s*")
_PNPM_FORMAT = re.compile(r"^lockfileVersion: *['\"]?(\d+)(?:\.(\d+))?", re.M)
_BERRY_FORMAT = re.compile(r"^__metadata:\s*\n\s+version: *['\"]?(\d+)", re.M)
_PLAIN_CHECKSUM = re.compile(r"^  checksum: [0-9a-f]+$", re.M)
_RELEASE = re.compile(r"""^yarnPath: *["']?([^"'\s#]+)["']?\s*(?:#.*)?$""", re.M)
_RELEASE_VERSION = re.compile(r"(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)\.[cm]?js$")

_NEWEST_PNPM = "10.34.9"
_PNPM_BY_FORMAT: Mapping[int, str] = {5: "7.33.7", 6: "8.15.9", 9: _NEWEST_PNPM}
_AFTER_PNPM_10 = "12.21.0"
_CLASSIC_YARN = "1.22.22"
_YARN_4 = "4.18.1"
_YARN_4_WITH_PLAIN_CHECKSUMS = "4.0.2"
_YARN_BY_FORMAT: Mapping[int, str] = {6: "3.8.7", 8: "4.12.0"}
_BUN = "1.4.5"


@dataclass(frozen=True, slots=True)
class WantedManager:
    """A package manager in a version. ``source`` says in words where the version comes from.

    ``version`` is empty for npm when none is named: then the
    one that belongs to Node is right.
    """

    kind: PackageManager
    version: str
    source: str

    @property
    def major(self) -> int | None:
        """The first number of the version."""
        parsed = parse_version(self.version)
        return parsed.major if parsed else None

    @property
    def is_modern_yarn(self) -> bool:
        """True for yarn 2 and later."""
        return self.kind is PackageManager.YARN and self.major != 1


def choose_manager(
    kind: PackageManager, declared: object, lock_name: str | None, lock_head: str, *, is_berry: bool = False
) -> WantedManager:
    """Return the version of a package manager to use: the one that package.json names, else one for the lock file.

    Parameters:
        declared: ``packageManager`` of package.json; one that isn't ``<kind>@<version>`` doesn't count.
        lock_name, lock_head: the lock file and the beginning of its text; ``None`` without one.
        is_berry: there is a .yarnrc.yml, which only yarn 2 and later read.
    """
    named = parse_declared(declared)
    if named and named[0] is kind:
        return WantedManager(kind, named[1], "packageManager in package.json")
    source = lock_name or "no lock file"
    return WantedManager(kind, _choose_version(kind, lock_name, lock_head, is_berry), source)


def parse_declared(declared: object) -> tuple[PackageManager, str] | None:
    """Return what a ``packageManager`` field names, without a hash behind it; ``None`` for a range or an address."""
    match = _DECLARED.fullmatch(declared) if isinstance(declared, str) else None
    if not match or parse_version(match[2]) is None:
        return None
    return PackageManager(match[1]), match[2]


def find_release(settings: str) -> str | None:
    """Return ``yarnPath`` of a .yarnrc.yml: the yarn that a project brings along."""
    match = _RELEASE.search(settings)
    return match[1] if match else None


def read_release_version(path: str) -> str | None:
    """Return the version that the name of a release tells: ``.yarn/releases/yarn-4.5.0.cjs``."""
    match = _RELEASE_VERSION.search(path)
    return match[1] if match else None


def _choose_version(kind: PackageManager, lock_name: str | None, head: str, is_berry: bool) -> str:
    match kind:
        case PackageManager.PNPM:
            return _choose_pnpm(head) if lock_name else _NEWEST_PNPM
        case PackageManager.YARN:
            return _choose_yarn(head, is_berry=is_berry, has_lock=lock_name is not None)
        case PackageManager.BUN:
            return _BUN
        case _:
            return ""


def _choose_pnpm(head: str) -> str:
    match = _PNPM_FORMAT.search(head)
    if not match:
        return _NEWEST_PNPM
    major = int(match[1])
    oldest = min(_PNPM_BY_FORMAT)
    return _PNPM_BY_FORMAT.get(max(major, oldest), _AFTER_PNPM_10)


def _choose_yarn(head: str, *, is_berry: bool, has_lock: bool) -> str:
    """A lock file that a newer yarn would rewrite counts as one that doesn't agree: each format gets its own yarn."""
    match = _BERRY_FORMAT.search(head)
    if match:
        wanted = int(match[1])
        if wanted in (7, 8) and _PLAIN_CHECKSUM.search(head):
            return _YARN_4_WITH_PLAIN_CHECKSUMS
        return next((version for last, version in _YARN_BY_FORMAT.items() if wanted <= last), _YARN_4)
    return _YARN_4 if is_berry and not has_lock else _CLASSIC_YARN
