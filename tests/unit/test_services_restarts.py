"""How often servers ended, how long the next start waits, and when it is hopeless."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fixtures.house import House

from mastra_admin_sdk.models import Process
from mastra_admin_sdk.services.supervision import restarts as module
from mastra_admin_sdk.services.supervision.restarts import Restarts


def make_ends(*restarts: int, replica: int = 0) -> list[Process]:
    """Return servers that ended, newest first, each with how often it had been started again."""
    return [
        replace(Process("deployment", "build", "127.0.0.1", 1), restarts=count, replica=replica) for count in restarts
    ]


@pytest.mark.parametrize(
    ("ends", "expected"),
    [((), 0), ((0,), 1), ((1, 0), 2), ((0, 0, 1), 4), ((0, 0, 0), 3), ((7,), 8)],
    ids=["none", "first", "second", "two that never came up", "three that never came up", "after a long time"],
)
def test_starts_are_counted_also_those_that_never_served(house: House, ends: tuple[int, ...], expected: int) -> None:
    assert Restarts(house.parts).count([*make_ends(*ends), *make_ends(9, replica=1)], 0) == expected


def test_pauses_double_up_to_a_minute(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr(module, "read_clock", lambda: clock[0])
    restarts = Restarts(house.parts)
    pauses = []
    for ends in (1, 2, 3, 4, 5, 6, 7):
        restarts.begin("d", 0, ends)
        restarts.succeed("d", 0)
        pauses.append(next(step for step in range(100) if restarts_is_due(restarts, clock, step)))
    assert pauses == [2, 4, 8, 16, 32, 60, 60]
    assert restarts.is_due("d", 1)


def restarts_is_due(restarts: Restarts, clock: list[float], step: int) -> bool:
    clock[0] += step
    due = restarts.is_due("d", 0)
    clock[0] -= step
    return due


def test_starts_that_fail_without_an_end_wait_ever_longer_too(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr(module, "read_clock", lambda: clock[0])
    restarts = Restarts(house.parts)
    for _ in range(5):
        restarts.begin("d", 0, 0)
    clock[0] += 15
    assert not restarts.is_due("d", 0)
    clock[0] += 1
    assert restarts.is_due("d", 0)


def test_what_is_forgotten_may_start_at_once(house: House) -> None:
    restarts = Restarts(house.parts)
    for deployment in ("kept", "cleared", "gone"):
        restarts.begin(deployment, 0, 3)
    restarts.clear("cleared")
    restarts.forget(["kept", "cleared"])
    assert [restarts.is_due(each, 0) for each in ("kept", "cleared", "gone")] == [False, True, True]


def test_it_is_hopeless_when_all_replicas_ended_too_often(house: House) -> None:
    restarts = Restarts(house.parts)
    too_often = make_ends(*[0] * (module.MAX_RESTARTS + 1))
    assert restarts.is_hopeless(too_often, [0])
    assert not restarts.is_hopeless(too_often[1:], [0])
    assert not restarts.is_hopeless(too_often, [0, 1])
