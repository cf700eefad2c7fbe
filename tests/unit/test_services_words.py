"""What people read when they ask for something that isn't there, twice, or in other words."""

from __future__ import annotations

from enum import StrEnum
from types import SimpleNamespace

import pytest

from mastra_admin_sdk.display.progress import ProgressPrinter, say_detached
from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.models import BuildStatus, Deployment, DeploymentType, Strategy, choose, states
from mastra_admin_sdk.models.states import name_kind
from mastra_admin_sdk.services.objects import LiveDeployment
from mastra_admin_sdk.services.telemetry.service import parse_moment


def test_a_date_alone_is_its_midnight_in_utc() -> None:
    assert parse_moment("2026-11-23").isoformat() == "2026-11-23T00:00:00+00:00"


def test_what_is_no_time_at_all_is_refused_in_words() -> None:
    with pytest.raises(InvalidInput, match="is no time"):
        parse_moment(5)  # type: ignore[arg-type]


def test_an_interrupted_wait_says_what_becomes_of_the_build(capsys: pytest.CaptureFixture[str]) -> None:
    say_detached(3)
    assert "Build #3" in capsys.readouterr().out


def test_progress_names_each_phase_once(capsys: pytest.CaptureFixture[str]) -> None:
    import sys

    show = ProgressPrinter(sys.stdout)
    for status, phases in (
        ("queued", {}),
        ("building", {"copy": 0.0}),
        ("building", {"copy": 0.1, "install": 0.0}),
        ("succeeded", {"copy": 0.1, "install": 9.0}),
        ("succeeded", {"copy": 0.1, "install": 9.0}),
    ):
        show(SimpleNamespace(number=1, status=status, phases=phases))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:3]] == ["copy", "install"]
    assert "after 9.1 s" in lines[3]


def test_a_choice_that_is_none_names_those_there_are() -> None:
    with pytest.raises(InvalidInput, match="production, staging, preview"):
        choose(DeploymentType, "prod")


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        pytest.param(BuildStatus, "'bogus' is no status of a build.", id="status"),
        pytest.param(DeploymentType, "'bogus' is no type of a deployment.", id="type"),
        pytest.param(Strategy, "'bogus' is no strategy.", id="strategy"),
    ],
)
def test_a_choice_goes_by_words_and_not_by_the_name_of_a_class(kind: type[StrEnum], said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        choose(kind, "bogus")
    assert caught.value.message == said


def test_every_choice_has_words() -> None:
    kinds = [kind for kind in vars(states).values() if isinstance(kind, type) and issubclass(kind, StrEnum)]
    for kind in kinds:
        assert name_kind(kind) == name_kind(kind).lower()


def test_a_deployment_says_why_it_is_what_it_is() -> None:
    record = Deployment("project", "main", "main", status_reason="Its server ended.")
    live = LiveDeployment(record, None)  # type: ignore[arg-type]
    assert live.status_reason == "Its server ended."
