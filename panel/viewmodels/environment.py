"""Variables as the editor shows them: names and kinds; the value of a secret is never there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mastra_admin_sdk.models import EnvVar


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable. ``value`` is ``None`` for a secret; ``origin`` is whose it is: ``project`` or ``deployment``.

    ``overrides`` is set when a deployment has it in place of its project's.
    """

    key: str
    value: str | None
    is_secret: bool
    origin: str = "project"
    overrides: bool = False


def list_variables(own: Iterable[EnvVar], shown: Mapping[str, str], origin: str = "project") -> tuple[Variable, ...]:
    """Return variables by name.

    Parameters:
        own: the records.
        shown: values by name as the SDK shows them; of those that are secret, nothing is taken.
        origin: whose they are.
    """
    return tuple(
        Variable(item.key, None if item.is_secret else shown.get(item.key, ""), item.is_secret, origin)
        for item in sorted(own, key=lambda item: item.key)
    )


def merge_variables(project: Iterable[Variable], deployment: Iterable[Variable]) -> tuple[Variable, ...]:
    """Return what a deployment runs with from its next start on: its own in place of the project's, by name."""
    below = {item.key: item for item in project}
    above = {
        item.key: Variable(item.key, item.value, item.is_secret, "deployment", item.key in below) for item in deployment
    }
    return tuple(value for _, value in sorted({**below, **above}.items()))
