"""What becomes of an alert when something was measured."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.models import AlertEvent, AlertKind, AlertRule, AlertState, AlertStatus
from mastra_admin_sdk.services.monitoring.decisions import Reading, decide, recover
from mastra_admin_sdk.services.monitoring.options import AlertOptions, make_options, read_options, read_span

START = datetime(2026, 1, 1, tzinfo=UTC)


def play(values: list[float | None], *, seconds: float = 10, **options: Any) -> list[str]:
    """Return what is said of each value in turn, every few seconds: the status, or the event if there is one."""
    rule = AlertRule("r", AlertKind.LATENCY, 100.0, options=make_options(AlertKind.LATENCY, 100.0, {}, options))
    state, said = AlertState(rule.id, since=START), []
    for place, value in enumerate(values):
        decision = decide(rule, state, Reading(value), START + timedelta(seconds=seconds * place))
        state = replace(state, **decision.changes)
        said.append((decision.event or state.status).value)
    return said


def test_it_fires_once_and_recovers_once() -> None:
    assert play([5, 100, 250, 99.9, 5]) == ["ok", "firing", "firing", "resolved", "ok"]
    decision = decide(
        AlertRule("r", AlertKind.LATENCY, 100.0), AlertState("r", status=AlertStatus.FIRING), Reading(200.0), START
    )
    assert decision.event is None


def test_what_has_to_last_is_pending_first() -> None:
    assert play([200, 200, 200, 200], after="20s") == ["pending", "pending", "firing", "firing"]
    assert play([200, 5, 200, 200, 200], after="20s") == ["pending", "ok", "pending", "pending", "firing"]


def test_it_recovers_below_the_lower_threshold() -> None:
    assert play([200, 90, 60, 49, 90], clear=50) == ["firing", "firing", "firing", "resolved", "ok"]


def test_it_reminds_only_when_asked_to() -> None:
    assert play([200] * 4) == ["firing"] * 4
    assert play([200] * 5, remind="20s") == ["firing", "firing", "reminder", "firing", "reminder"]


def test_nothing_to_measure_never_fires() -> None:
    assert play([None, 200, None]) == ["ok", "firing", "resolved"]
    assert play([None, 200, None, 5], missing="keep") == ["ok", "firing", "firing", "resolved"]
    assert play([200, None, 200], after="20s", missing="keep") == ["pending", "pending", "firing"]
    assert play([200, None, 200], after="20s") == ["pending", "ok", "pending"]


def test_what_is_measured_is_written_once_a_minute() -> None:
    rule = AlertRule("r", AlertKind.LATENCY, 100.0)
    state = AlertState(rule.id, since=START, evaluated_at=START, value=1.0)
    assert decide(rule, state, Reading(2.0), START + timedelta(seconds=59)).changes == {}
    late = START + timedelta(seconds=60)
    assert decide(rule, state, Reading(2.0), late).changes == {"value": 2.0, "evaluated_at": late}


def test_what_fires_recovers_when_its_subject_is_gone() -> None:
    assert recover(AlertState("r", status=AlertStatus.FIRING), START).event is AlertEvent.RESOLVED
    assert recover(AlertState("r", status=AlertStatus.PENDING), START).event is None


# --- options ----------------------------------------------------------------------------------------------------------


def test_options_are_kept_where_they_differ_from_the_usual_ones() -> None:
    assert make_options(AlertKind.LATENCY, 5, {}, {"after": "1.5m", "percentile": 95}) == {"after": 90.0}
    assert make_options(AlertKind.LATENCY, 5, {"after": 90.0}, {"after": 0, "min_count": 1}) == {"min_count": 1}
    assert read_options({"after": 5.0, "from_the_future": 1}) == AlertOptions(after=5.0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"affter": 1}, "Did you mean 'after'"),
        ({"after": "soon"}, "can't be the after"),
        ({"after": -1}, "can't be the after"),
        ({"after": True}, "can't be the after"),
        ({"remind": "8d"}, "7 days"),
        ({"clear": 6}, "can't recover below 6"),
        ({"clear": 0}, "can't be a threshold"),
        ({"min_count": 0}, "min_count"),
        ({"percentile": 80}, "There are: 50, 90, 95, 99"),
        ({"missing": "maybe"}, "There are: ok, keep"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        make_options(AlertKind.LATENCY, 5, {}, options)
    assert words in f"{caught.value.message} {caught.value.hint}"


def test_only_traces_are_counted() -> None:
    with pytest.raises(InvalidInput, match="counts no traces"):
        make_options(AlertKind.CRASH, 1, {}, {"min_count": 3})


def test_lengths_of_time() -> None:
    assert [read_span(value, "window") for value in ("90s", "5m", "2h", "1d", 7, 1.5)] == [90, 300, 7200, 86400, 7, 1.5]
    assert read_span(timedelta(minutes=3), "window") == 180
    for wrong in ("5", "m", "5 weeks", 0, float("nan"), None):
        with pytest.raises(InvalidInput):
            read_span(wrong, "window")  # type: ignore[arg-type]
