"""What differs between two builds: source files, packages, variables, and what their servers have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mastra_admin_sdk.display.diffs import (
    DiffRow,
    DiffSection,
    render_diff_html,
    render_diff_summary,
    render_diff_text,
)
from mastra_admin_sdk.errors import SecretError
from mastra_admin_sdk.home import Home
from mastra_admin_sdk.models import Build
from mastra_admin_sdk.services.environment.service import ENV_DIFF_COLUMNS, compare_env
from mastra_admin_sdk.services.history.frames import make_frame
from mastra_admin_sdk.services.labels import Labels
from mastra_admin_sdk.services.parts import Parts

from .inventory import KINDS
from .manifests import load_manifest

if TYPE_CHECKING:
    import pandas as pd

FILE_COLUMNS: Mapping[str, str] = {"path": "object", "change": "category"}
"""Columns of files that differ; ``change`` is ``added``, ``removed`` or ``changed``."""

PACKAGE_COLUMNS: Mapping[str, str] = {
    "name": "object",
    "change": "category",
    "before": "object",
    "after": "object",
    "is_direct": "bool",
}
"""Columns of packages that differ; ``before`` and ``after`` are versions, ``is_direct`` those that package.json names.
Others are those beside the built server, by their path in node_modules."""

THING_COLUMNS: Mapping[str, str] = {"id": "object", "change": "category", "fields": "object", "details": "object"}
"""Columns of agents, tools and workflows that differ: ``fields`` is a tuple of what changed, ``details`` says how."""

_CHECKSUM = "_sha256"


@dataclass(frozen=True, slots=True)
class DiffSide:
    """One of the two builds, with what is known of it."""

    name: str
    build: Build
    manifest: Mapping[str, Any]

    def describe(self) -> dict[str, Any]:
        """Return which build it is, as JSON."""
        build = self.build
        return {
            "build": self.name,
            "id": build.id,
            "commit": build.commit,
            "env_version": build.env_version,
            "node": build.artifact.get("node_version"),
        }


class BuildDiff:
    """What differs between two builds: shown in a notebook and a terminal, and as DataFrames.

    What isn't known of a build is said in ``missing``; the DataFrame of it is empty then.
    """

    def __init__(self, before: DiffSide, after: DiffSide, rows: Mapping[str, list[dict[str, Any]] | str]) -> None:
        self._before, self._after, self._rows = before, after, rows

    @property
    def files(self) -> pd.DataFrame:
        """Source files that differ: columns of `FILE_COLUMNS`."""
        return make_frame(FILE_COLUMNS, self._list("files"))

    @property
    def packages(self) -> pd.DataFrame:
        """Installed packages that differ: columns of `PACKAGE_COLUMNS`, those that package.json names first."""
        return make_frame(PACKAGE_COLUMNS, self._list("packages"))

    @property
    def env(self) -> pd.DataFrame:
        """Variables that differ: ``key``, ``change``, ``is_secret``; never a value."""
        return make_frame(ENV_DIFF_COLUMNS, self._list("env"))

    @property
    def agents(self) -> pd.DataFrame:
        """Agents that differ: columns of `THING_COLUMNS`."""
        return make_frame(THING_COLUMNS, self._list("agents"))

    @property
    def tools(self) -> pd.DataFrame:
        """Tools that differ: columns of `THING_COLUMNS`."""
        return make_frame(THING_COLUMNS, self._list("tools"))

    @property
    def workflows(self) -> pd.DataFrame:
        """Workflows that differ: columns of `THING_COLUMNS`."""
        return make_frame(THING_COLUMNS, self._list("workflows"))

    @property
    def missing(self) -> Mapping[str, str]:
        """What can't be compared, and why."""
        return {name: found for name, found in self._rows.items() if isinstance(found, str)}

    def summary(self, width: int = 80) -> str:
        """Return a line for each kind of thing: how many differ, and which."""
        return render_diff_summary(self._title, self._list_sections(), width=width)

    def text(self, width: int = 80, most: int = 20) -> str:
        """Return the summary and, below it, each thing that differs, ``most`` of a kind."""
        return render_diff_text(self._title, self._list_sections(), width=width, most=most)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        return {
            "before": self._before.describe(),
            "after": self._after.describe(),
            **{name: self._list(name) for name in self._rows},
            "missing": dict(self.missing),
        }

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return render_diff_html(self._title, self._list_sections())

    @property
    def _title(self) -> str:
        return f"{self._before.name} → {self._after.name}"

    def _list(self, name: str) -> list[dict[str, Any]]:
        found = self._rows[name]
        return found if not isinstance(found, str) else []

    def _list_sections(self) -> list[DiffSection]:
        return [
            DiffSection(name, [_show(row) for row in self._list(name)], self.missing.get(name, ""))
            for name in self._rows
        ]


def compare_builds(parts: Parts, before: Build, after: Build) -> BuildDiff:
    """Return what differs between two builds, of whichever deployments."""
    labels = Labels(parts.storage)
    first, second = (
        DiffSide(labels.describe("build", build.id) or build.id, build, _load(parts.home, build))
        for build in (before, after)
    )
    rows: dict[str, list[dict[str, Any]] | str] = {
        "files": _compare_files(first, second),
        "packages": _compare_packages(first, second),
        "env": _compare_variables(parts, first, second),
        **{kind: _compare_things(kind, first, second) for kind in KINDS},
    }
    return BuildDiff(first, second, rows)


def _load(home: Home, build: Build) -> dict[str, Any]:
    """A build's manifest; what its artifact was made from may stand in that of the build that made it."""
    made = load_manifest(home, build.artifact_build_id) if build.artifact_build_id else {}
    inputs: dict[str, Any] = {name: made[name] for name in ("sources", "packages", "resolved") if name in made}
    return {**inputs, **load_manifest(home, build.id)}


def _compare_files(before: DiffSide, after: DiffSide) -> list[dict[str, Any]] | str:
    lacking = _explain_lack(before, after, "sources", "what it was built from isn't kept")
    if lacking:
        return lacking
    changes = _compare(before.manifest["sources"], after.manifest["sources"])
    return [{"path": path, "change": change} for path, change in changes]


def _compare_packages(before: DiffSide, after: DiffSide) -> list[dict[str, Any]] | str:
    lacking = _explain_lack(before, after, "packages", "its packages aren't kept")
    if lacking:
        return lacking
    direct = {*before.manifest["packages"], *after.manifest["packages"]}
    old, new = ({**side.manifest.get("resolved", {}), **side.manifest["packages"]} for side in (before, after))
    rows = [
        {
            "name": name,
            "change": change,
            "before": old.get(name),
            "after": new.get(name),
            "is_direct": name in direct,
        }
        for name, change in _compare(old, new)
    ]
    return sorted(rows, key=lambda row: (not row["is_direct"], row["name"]))


def _compare_variables(parts: Parts, before: DiffSide, after: DiffSide) -> list[dict[str, Any]] | str:
    for side in (before, after):
        if side.build.env_version is None:
            return f"{side.name} hasn't run with any"
    try:
        return compare_env(parts.secrets, before.build.env_snapshot, after.build.env_snapshot)
    except SecretError as exc:
        return exc.message


def _compare_things(kind: str, before: DiffSide, after: DiffSide) -> list[dict[str, Any]] | str:
    for side in (before, after):
        if kind not in side.manifest.get("inventory", {}):
            reason = side.manifest.get("notes", {}).get(kind, "its server wasn't asked, or never answered")
            return f"{side.name}: {reason}"
    old, new = before.manifest["inventory"][kind], after.manifest["inventory"][kind]
    return [_describe_thing(key, change, old.get(key, {}), new.get(key, {})) for key, change in _compare(old, new)]


def _describe_thing(key: str, change: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    changed = [name for name, _ in _compare(old, new)] if change == "changed" else []
    return {
        "id": key,
        "change": change,
        "fields": tuple(name.removesuffix(_CHECKSUM) for name in changed),
        "details": ", ".join(_describe_field(name, old.get(name), new.get(name)) for name in changed),
    }


def _describe_field(name: str, old: Any, new: Any) -> str:
    if name.endswith(_CHECKSUM):
        return name.removesuffix(_CHECKSUM)
    if isinstance(old, list) or isinstance(new, list):
        former, latter = set(old or ()), set(new or ())
        moved = [f"+{item}" for item in sorted(latter - former)] + [f"-{item}" for item in sorted(former - latter)]
        return f"{name} {' '.join(moved)}"
    return f"{name} {old or '—'} → {new or '—'}" if name != "description" else name


def _compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for key in sorted({*old, *new}):
        if key not in old:
            yield key, "added"
        elif key not in new:
            yield key, "removed"
        elif old[key] != new[key]:
            yield key, "changed"


def _explain_lack(before: DiffSide, after: DiffSide, part: str, words: str) -> str:
    lacking = [side.name for side in (before, after) if part not in side.manifest]
    return f"{' and '.join(lacking)}: {words}" if lacking else ""


def _show(row: Mapping[str, Any]) -> DiffRow:
    name = str(row.get("path") or row.get("name") or row.get("key") or row.get("id"))
    if "before" in row:
        return DiffRow(name, row["change"], " → ".join(str(row[side]) for side in ("before", "after") if row[side]))
    if "is_secret" in row:
        return DiffRow(name, row["change"], "secret" if row["is_secret"] else "plain")
    return DiffRow(name, row["change"], row.get("details", ""))
