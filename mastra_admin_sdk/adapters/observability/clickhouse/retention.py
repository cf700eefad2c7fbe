"""How long each signal is kept."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from mastra_admin_sdk.errors import InvalidInput

MAX_DAYS = 10_000
"""ClickHouse reckons the end of a row's life in 32 bits, up to the year 2106; beyond it rows would vanish at once."""


class Signal(StrEnum):
    """What has a time to live of its own."""

    SPANS = "spans"
    LOGS = "logs"
    METRICS = "metrics"
    SCORES = "scores"
    FEEDBACK = "feedback"
    REJECTS = "rejects"


@dataclass(frozen=True, slots=True)
class Retention:
    """Days that telemetry is kept; 0 keeps it for ever.

    Parameters:
        days: for every signal that isn't named.
        by_signal: days of single signals, such as ``{"logs": 14}``.

    Raises:
        InvalidInput: there is no such signal, or no such number of days.
    """

    days: int = 90
    by_signal: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_days("Telemetry", self.days)
        for name, days in self.by_signal.items():
            _check_signal(name)
            _check_days(name.capitalize(), days)

    def find(self, signal: Signal) -> int:
        """Return the days of a signal."""
        return self.by_signal.get(signal, self.days)

    def to_json(self) -> str:
        """Return the days of every signal as JSON: the same text for the same retention."""
        return json.dumps({signal.value: self.find(signal) for signal in Signal})


def _check_signal(name: str) -> None:
    if name not in set(Signal):
        near = difflib.get_close_matches(name, list(Signal), n=1)
        raise InvalidInput(
            f"There is no signal {name!r} that could have a time to live of its own.",
            hint=f"Did you mean {near[0]!r}?" if near else f"Signals: {', '.join(Signal)}.",
        )


def _check_days(what: str, days: int) -> None:
    if isinstance(days, bool) or not isinstance(days, int) or not 0 <= days <= MAX_DAYS:
        raise InvalidInput(
            f"{what} can't be kept for {days!r} days.", hint=f"Up to {MAX_DAYS} whole days; 0 keeps for ever."
        )
