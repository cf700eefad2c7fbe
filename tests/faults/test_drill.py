"""A short run of the drill that kills parts of the system during deploys; the long one is a program of its own."""

from __future__ import annotations

import pytest

from tests.faults.deploys import is_good, run_drill


@pytest.mark.slow
def test_nothing_is_lost_when_parts_are_killed_during_deploys() -> None:
    report = run_drill(rounds=4, seed=20)
    assert is_good(report), report
