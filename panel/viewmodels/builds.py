"""Builds as lists and cards show them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from mastra_admin_sdk.models import Build


@dataclass(frozen=True, slots=True)
class BuildRow:
    """One build. ``place`` is ``team/project/slug`` where a list has builds of several deployments.

    ``phase`` is the one that runs; ``expected_seconds`` is how long all of it is likely to take, where that is known.
    ``started_at`` and ``queued_at`` are ISO texts, as all times of view models.
    """

    id: str
    deployment_id: str
    number: int
    kind: str
    trigger: str
    status: str
    is_final: bool
    cancel_requested: bool
    actor: str | None
    commit: str | None
    ref: str | None
    queued_at: str | None
    started_at: str | None
    seconds: float | None
    error: str | None
    phase: str | None
    place: str | None = None
    expected_seconds: float | None = None


def describe_build(build: Build, place: str | None = None, expected: Mapping[str, float] | None = None) -> BuildRow:
    """Return a build as a row; ``expected`` are the seconds that its phases are likely to take."""
    return BuildRow(
        id=build.id,
        deployment_id=build.deployment_id,
        number=build.number,
        kind=build.kind.value,
        trigger=build.trigger.value,
        status=build.status.value,
        is_final=build.is_final,
        cancel_requested=build.cancel_requested,
        actor=build.actor,
        commit=build.commit,
        ref=build.ref,
        queued_at=iso(build.queued_at),
        started_at=iso(build.started_at),
        seconds=_count_seconds(build),
        error=build.error_message,
        phase=find_phase(build),
        place=place,
        expected_seconds=round(sum(expected.values()), 1) if expected else None,
    )


def find_phase(build: Build) -> str | None:
    """Return the phase that a build is in; ``None`` before its first and after its end."""
    # A phase reads 0 until it has ended.
    running = [name for name, seconds in build.phases.items() if not seconds]
    return running[-1] if running and not build.is_final else None


def iso(moment: datetime | None) -> str | None:
    """Return a time as templates take it."""
    return moment.isoformat(timespec="milliseconds") if moment else None


def _count_seconds(build: Build) -> float | None:
    if build.started_at and build.completed_at:
        return round((build.completed_at - build.started_at).total_seconds(), 1)
    return None
