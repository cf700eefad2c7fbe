"""The policy as a whole, and how it is read from the settings."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mastra_admin_sdk.errors import InvalidInput, SettingError

from .cleaning import Cleaner
from .names import fold_name
from .patterns import compile_pattern
from .sampling import admits

_MOST = 100


@dataclass(frozen=True)
class TelemetryPolicy:
    """What may be stored.

    ``sample`` is the share of traces that are kept, 0 to 1; with ``keep_errors`` also those in which something failed.
    ``fields`` are folded names, or paths with dots; ``patterns`` are in the form of `compile_pattern`.
    """

    sample: float = 1.0
    keep_errors: bool = False
    fields: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()

    def admits(self, trace_id: str) -> bool:
        """Return whether a trace is kept whatever becomes of it."""
        return admits(trace_id, self.sample)

    @cached_property
    def cleaner(self) -> Cleaner:
        """What hides in a record what must not be stored."""
        return Cleaner(self.fields, self.patterns)

    def to_json(self) -> str:
        """Return it as the text that servers get."""
        told = {"sample": self.sample, "keepErrors": self.keep_errors, "fields": self.fields, "patterns": self.patterns}
        return json.dumps(told, separators=(",", ":"))


def read_policy(settings: Mapping[str, Any], names: Sequence[str] = ()) -> TelemetryPolicy:
    """Return the policy that the settings say.

    Parameters:
        settings: values by name: ``telemetry_sample``, ``telemetry_sample_errors``, ``telemetry_redact_fields``,
            ``telemetry_redact_patterns``.
        names: what the project goes by, such as its slug: entries ``<name>=…`` count for it alone.

    Raises:
        SettingError: one of them can't be used; says which and why.
    """
    return TelemetryPolicy(
        sample=_read_sample(settings["telemetry_sample"], names),
        keep_errors=bool(settings["telemetry_sample_errors"]),
        fields=_read_fields(settings["telemetry_redact_fields"], names),
        patterns=_read_patterns(settings["telemetry_redact_patterns"]),
    )


def _read_sample(lines: Iterable[str], names: Sequence[str]) -> float:
    shares = [(name, _read_share(value)) for name, value in _split(lines)]
    general = [share for name, share in shares if name is None]
    own = [share for name, share in shares if name is not None and name in names]
    return [1.0, *general, *own][-1]


def _read_share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0.0 <= share <= 1.0:
        raise SettingError(
            f"The setting telemetry_sample can't be {text!r}: it takes shares from 0 to 1.",
            hint="For example 0.25, or 0.25, weather-agent=1 for a share of its own.",
        )
    return share


def _read_fields(lines: Iterable[str], names: Sequence[str]) -> tuple[str, ...]:
    fields = list(dict.fromkeys((name, _read_field(text)) for name, text in _split(lines)))
    counts = Counter(name for name, _ in fields)
    general = counts.pop(None, 0)
    if general + max(counts.values(), default=0) > _MOST:
        raise SettingError(
            f"The setting telemetry_redact_fields holds more than {_MOST} names for one project.",
            hint="Leave out those that a shorter one covers: email covers user.email, too.",
        )
    return tuple(dict.fromkeys(field for name, field in fields if name is None or name in names))


def _read_field(text: str) -> str:
    parts = [fold_name(part) for part in text.split(".")]
    if not all(parts):
        raise SettingError(
            f"The setting telemetry_redact_fields can't hold {text!r}: that is no name of a field.",
            hint="For example email, or user.name, or weather-agent=input.",
        )
    return ".".join(parts)


def _read_patterns(lines: Sequence[str]) -> tuple[str, ...]:
    try:
        return tuple(dict.fromkeys(compile_pattern(line) for line in lines))
    except InvalidInput as exc:
        raise SettingError(f"The setting telemetry_redact_patterns: {exc.message}", hint=exc.hint) from exc


def _split(lines: Iterable[str]) -> Iterable[tuple[str | None, str]]:
    """Yield entries, also several in a line with commas between: ``value`` or ``project=value``."""
    for line in lines:
        for entry in filter(None, map(str.strip, line.split(","))):
            name, found, value = entry.rpartition("=")
            yield (name.strip() if found else None), value.strip()
