"""What can be said of an alert rule beside kind and threshold: read from what a person wrote, and from the record."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import timedelta
from typing import Any

from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.models import AlertKind

Span = str | float | timedelta
"""A length of time: seconds, a timedelta, or text such as ``"90s"``, ``"5m"``, ``"2h"``, ``"1d"``."""

PERCENTILES = (50, 90, 95, 99)
MISSING = ("ok", "keep")
HOME_KINDS = frozenset({AlertKind.LAG, AlertKind.REJECTS})
"""Kinds that concern the whole home, not one deployment."""

_TRACED = frozenset({AlertKind.ERROR_RATE, AlertKind.LATENCY})
_LENGTH = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d)")
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LONGEST = 7 * 86400
_SPANS = ("after", "remind")


@dataclass(frozen=True, slots=True)
class AlertOptions:
    """How a rule is evaluated.

    Attributes:
        after: seconds for which the threshold has to be reached before it fires; 0 fires at once.
        clear: it recovers below this; the threshold itself unless set. The gap keeps it from coming and going.
        remind: seconds after which a message is repeated while it fires; 0 never does.
        min_count: traces that the window needs at least; fewer say nothing (``error_rate`` and ``latency``).
        percentile: 50, 90, 95 or 99 (``latency``).
        missing: what it means that there is nothing to measure: ``ok``, or ``keep`` the status it has.
    """

    after: float = 0.0
    clear: float | None = None
    remind: float = 0.0
    min_count: int = 5
    percentile: int = 95
    missing: str = "ok"


def read_options(record: Mapping[str, Any]) -> AlertOptions:
    """Return the options of a stored rule; what a newer version wrote beside them is left out."""
    known = {item.name for item in fields(AlertOptions)}
    return AlertOptions(**{name: value for name, value in record.items() if name in known})


def make_options(
    kind: AlertKind, threshold: float, current: Mapping[str, Any], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the options of a rule for its record: those it has, with those that a person gives.

    Raises:
        InvalidInput: there is no such option, or it can't have that value.
    """
    known = [item.name for item in fields(AlertOptions)]
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(known)}."
            raise InvalidInput(f"An alert has no option {name!r}.", hint=hint)
    spans = {name: read_span(value, name, least=0.0) for name, value in given.items() if name in _SPANS}
    options = AlertOptions(**{**asdict(read_options(current)), **given, **spans})
    _check(kind, threshold, options)
    plain = AlertOptions()
    return {name: value for name, value in asdict(options).items() if value != getattr(plain, name)}


def read_span(value: Span, name: str, *, least: float = 1.0) -> float:
    """Return a length of time in seconds.

    Raises:
        InvalidInput: it is none, shorter than ``least``, or longer than a week.
    """
    seconds = _read_seconds(value)
    if seconds is None or not least <= seconds <= _LONGEST:
        raise InvalidInput(
            f"{value!r} can't be the {name} of an alert.",
            hint=f'Give a length of time such as "90s", "5m" or "2h", from {least:g} s to 7 days.',
        )
    return seconds


def read_threshold(kind: AlertKind, value: float) -> float:
    """Return a threshold, or raise `InvalidInput` when nothing of that kind can have it."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
        raise InvalidInput(f"{value!r} can't be a threshold.", hint="Give a number above 0.")
    if kind is AlertKind.ERROR_RATE and value > 1:
        raise InvalidInput(
            f"An error rate can't reach {value:g}.", hint="It is a share: 0.1 stands for one trace in ten."
        )
    return float(value)


def _read_seconds(value: object) -> float | None:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, str):
        found = _LENGTH.fullmatch(value.strip())
        return float(found[1]) * _UNITS[found[2]] if found else None
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    return None


def _check(kind: AlertKind, threshold: float, options: AlertOptions) -> None:
    if options.clear is not None and not 0 < read_threshold(kind, options.clear) <= threshold:
        raise InvalidInput(
            f"An alert that fires at {threshold:g} can't recover below {options.clear:g}.",
            hint="Give clear= a number up to the threshold.",
        )
    if isinstance(options.min_count, bool) or not isinstance(options.min_count, int) or options.min_count < 1:
        raise InvalidInput(f"{options.min_count!r} can't be the min_count of an alert.", hint="Give 1 or more.")
    if options.percentile not in PERCENTILES:
        raise InvalidInput(f"{options.percentile!r} is no percentile of an alert.", hint="There are: 50, 90, 95, 99.")
    if options.missing not in MISSING:
        raise InvalidInput(f"{options.missing!r} can't be what missing data means.", hint="There are: ok, keep.")
    if kind not in _TRACED and options.min_count != AlertOptions().min_count:
        raise InvalidInput(f"An alert of the kind {kind.value} counts no traces.", hint="Leave min_count= out.")
