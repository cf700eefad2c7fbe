"""Which version of a Mastra package belongs to which version of ``@mastra/core``: pure, over registry metadata.

Every Mastra package is published with the exact core it was built and tested with (``devDependencies``) and the cores
it says it works with (``peerDependencies``). The match is the newest one that was built with this core or an older
one and admits it: `mastra` 1.31.0 for core 1.71.0, 0.18.6 for core 0.24.6.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .node_range import Version, parse_version, satisfies

_CORE = "@mastra/core"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A published version of a package: the core it was built with, the range of cores it admits, and which ranges of
    other Mastra packages it needs.
    """

    version: Version
    text: str
    built_with: Version
    admits: str
    needs: Mapping[str, str] = field(default_factory=dict)


def parse_candidates(output: str) -> tuple[Candidate, ...]:
    """Read what ``npm view <package>@>=0.0.0 version devDependencies peerDependencies dependencies --json`` printed.

    Versions that don't name their core are left out.

    Raises:
        ValueError: the text isn't JSON.
    """
    data = json.loads(output)
    rows = data if isinstance(data, list) else [data]
    found = (_parse_row(row) for row in rows if isinstance(row, Mapping))
    return tuple(candidate for candidate in found if candidate)


def choose_candidate(candidates: tuple[Candidate, ...], core: str, within: str = "*") -> Candidate | None:
    """Return the version that belongs to a core, or ``None`` when none admits it.

    ``within`` is a range that the version itself has to lie in.
    """
    wanted = parse_version(core)
    if wanted is None:
        return None
    fitting = [found for found in candidates if _admits(found, core) and _lies_in(found.text, within)]
    older = [candidate for candidate in fitting if candidate.built_with <= wanted]
    if older:
        return max(older, key=lambda candidate: (candidate.built_with, candidate.version))
    # Every version that admits this core was built with a newer one: the closest of them.
    newer = sorted(fitting, key=lambda candidate: (candidate.built_with, candidate.version))
    return newer[0] if newer else None


def _parse_row(row: Mapping[str, Any]) -> Candidate | None:
    text = str(row.get("version", ""))
    version = parse_version(text)
    built_with = parse_version(str(_field(row, "devDependencies") or ""))
    admits = _field(row, "peerDependencies")
    if version is None or built_with is None or not isinstance(admits, str):
        return None
    return Candidate(version, text, built_with, admits, _list_needs(row))


def _list_needs(row: Mapping[str, Any]) -> Mapping[str, str]:
    group = row.get("dependencies")
    named = group.items() if isinstance(group, Mapping) else ()
    return {name: str(wanted) for name, wanted in named if name.startswith("@mastra/") and name != _CORE}


def _field(row: Mapping[str, Any], name: str) -> Any:
    group = row.get(name)
    return group.get(_CORE) if isinstance(group, Mapping) else None


def _admits(candidate: Candidate, core: str) -> bool:
    return _lies_in(core, candidate.admits)


def _lies_in(version: str, wanted: str) -> bool:
    try:
        return satisfies(version, wanted)
    except ValueError:
        return False
