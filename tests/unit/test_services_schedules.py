"""Schedules: fired once each, made up for once, passed over with a reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from fixtures.house import House

from mastra_admin_sdk.errors import InvalidInput, NotFound
from mastra_admin_sdk.models import Build, BuildStatus, BuildTrigger, Deployment, DesiredState, Schedule
from mastra_admin_sdk.services.triggers import schedules as module
from mastra_admin_sdk.services.triggers.schedules import SCHEDULE_COLUMNS, Scheduler, ScheduleService


@dataclass
class Clock:
    """Time as a test says."""

    now: datetime = field(default_factory=lambda: datetime(2026, 3, 27, 12, 0, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.now

    def wind(self, **duration: float) -> None:
        self.now += timedelta(**duration)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module, "utc_now", made)
    return made


@pytest.fixture
def service(house: House, clock: Clock) -> ScheduleService:
    return ScheduleService(house.parts, house.resolver)


@pytest.fixture
def scheduler(house: House, clock: Clock) -> Scheduler:
    return Scheduler(house.parts, house.deployments, clock=clock)


@pytest.fixture
def tick(house: House, scheduler: Scheduler) -> Callable[[], None]:
    """One pass, as the holder of the role."""

    def run() -> None:
        role = house.take("scheduler")
        scheduler.run_once(role)
        house.parts.leases.release(role)

    return run


def list_builds(house: House, deployment: Deployment) -> list[Build]:
    return list(house.storage.builds.list(deployment.id))


def read(house: House, schedule: Schedule) -> Schedule:
    return house.storage.schedules.get(schedule.id)


def test_a_schedule_fires_when_its_time_comes_and_knows_the_next_one(
    house: House, service: ScheduleService, clock: Clock, tick: Callable[[], None]
) -> None:
    deployment = house.add_deployment()
    schedule = service.create(deployment, cron="0 3 * * *", timezone="Europe/Berlin")
    assert schedule.next_at == datetime(2026, 3, 28, 2, 0, tzinfo=UTC)
    clock.now = datetime(2026, 3, 28, 1, 59, 59, tzinfo=UTC)
    tick()
    assert list_builds(house, deployment) == []
    clock.wind(seconds=1)
    tick()
    tick()
    (build,) = list_builds(house, deployment)
    assert (build.trigger, build.status) == (BuildTrigger.SCHEDULE, BuildStatus.QUEUED)
    fired = read(house, schedule)
    assert (fired.last_fired_at, fired.last_build_id, fired.last_error) == (clock.now, build.id, None)
    assert fired.next_at == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)  # summer time


def test_slots_that_were_missed_are_made_up_for_once(
    house: House, service: ScheduleService, clock: Clock, tick: Callable[[], None]
) -> None:
    deployment = house.add_deployment()
    schedule = service.create(deployment, cron="*/10 * * * *")
    clock.wind(hours=5, minutes=5)
    tick()
    tick()
    assert len(list_builds(house, deployment)) == 1
    assert read(house, schedule).next_at == datetime(2026, 3, 27, 17, 10, tzinfo=UTC)


def test_a_slot_that_was_missed_long_ago_is_skipped_with_a_record(
    house: House, service: ScheduleService, clock: Clock, tick: Callable[[], None]
) -> None:
    deployment = house.add_deployment()
    schedule = service.create(deployment, cron="0 3 * * *")
    clock.now = datetime(2026, 3, 28, 4, 1, tzinfo=UTC)
    tick()
    assert list_builds(house, deployment) == []
    skipped = read(house, schedule)
    assert "it was due at 2026-03-28 03:00 UTC" in str(skipped.last_error)
    assert skipped.last_fired_at is None
    assert skipped.next_at == datetime(2026, 3, 29, 3, 0, tzinfo=UTC)
    assert house.storage.events.list(object_type="schedule", object_id=schedule.id)[0].action == "skip"
    clock.now = datetime(2026, 3, 29, 3, 59, tzinfo=UTC)
    tick()
    assert len(list_builds(house, deployment)) == 1
    assert read(house, schedule).last_error is None


def test_a_stopped_deployment_is_passed_over_and_stays_stopped(
    house: House, service: ScheduleService, clock: Clock, tick: Callable[[], None]
) -> None:
    deployment = house.add_deployment()
    house.deploy(deployment)
    schedule = service.create(deployment, cron="0 3 * * *")
    house.deployments.stop(deployment)
    clock.now = datetime(2026, 3, 28, 3, 0, tzinfo=UTC)
    tick()
    assert len(list_builds(house, deployment)) == 1
    assert read(house, schedule).last_error == "Skipped: search/weather/main is stopped."
    assert house.read(deployment).desired_state is DesiredState.STOPPED


def test_a_scheduler_killed_between_queuing_and_saying_so_queues_once(
    house: House, service: ScheduleService, clock: Clock, tick: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = house.add_deployment()
    schedule = service.create(deployment, cron="0 3 * * *")
    clock.now = datetime(2026, 3, 28, 3, 0, tzinfo=UTC)

    class Killed(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(house.storage.schedules, "fire", die)
        with pytest.raises(Killed):
            tick()
    for lease in house.storage.leases.list():
        house.storage.leases.release(lease)
    clock.wind(seconds=30)
    tick()
    (build,) = list_builds(house, deployment)
    assert read(house, schedule).last_build_id == build.id


def test_of_two_that_believe_to_be_the_scheduler_one_fires(
    house: House, service: ScheduleService, clock: Clock, scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = house.add_deployment()
    schedule = service.create(deployment, cron="0 3 * * *")
    clock.now = datetime(2026, 3, 28, 3, 0, tzinfo=UTC)
    role = house.take("scheduler")
    stale = read(house, schedule)
    scheduler.run_once(role)
    monkeypatch.setattr(house.storage.schedules, "list", lambda: [stale])
    scheduler.run_once(role)
    assert len(list_builds(house, deployment)) == 1
    house.parts.leases.release(role)


def test_a_schedule_that_is_switched_off_does_not_fire_and_misses_nothing(
    house: House, service: ScheduleService, clock: Clock, tick: Callable[[], None]
) -> None:
    deployment = house.add_deployment()
    schedule = service.create(deployment, cron="0 3 * * *")
    assert service.disable(schedule).next_at is None
    clock.now = datetime(2026, 3, 28, 3, 0, tzinfo=UTC)
    tick()
    assert list_builds(house, deployment) == []
    clock.wind(minutes=1)
    assert service.enable(schedule).next_at == datetime(2026, 3, 29, 3, 0, tzinfo=UTC)
    tick()
    assert list_builds(house, deployment) == []


def test_a_schedule_goes_with_its_deployment(house: House, service: ScheduleService, tick: Callable[[], None]) -> None:
    deployment = house.add_deployment()
    service.create(deployment, cron="0 3 * * *")
    house.deployments.delete(deployment)
    assert list(service.list()) == []
    tick()


def test_a_schedule_that_can_never_fire_again_is_switched_off_with_the_reason(
    house: House, service: ScheduleService, clock: Clock, tick: Callable[[], None]
) -> None:
    schedule = service.create(house.add_deployment(), cron="0 3 * * *")
    house.storage.schedules.update(schedule.id, timezone="Gone/Zone")
    clock.wind(days=2)
    tick()
    found = read(house, schedule)
    assert not found.enabled
    assert "Gone/Zone" in str(found.last_error)


@pytest.mark.parametrize(
    ("fields", "name"), [({"cron": "x"}, "cron"), ({"cron": "0 3 * * *", "timezone": "X"}, "timezone")], ids=str
)
def test_a_wrong_schedule_is_refused_by_the_name_of_the_field(
    house: House, service: ScheduleService, fields: dict[str, str], name: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        service.create(house.add_deployment(), **fields)
    assert caught.value.evidence["field"] == name
    assert list(service.list()) == []


def test_a_schedule_goes_by_the_beginning_of_its_id(house: House, service: ScheduleService) -> None:
    schedule = service.create(house.add_deployment(), cron="0 3 * * *")
    assert service.get(schedule.id[:8]) == schedule
    with pytest.raises(NotFound):
        service.get(schedule.id[:4])
    service.delete(schedule.id[:8])
    with pytest.raises(NotFound):
        service.get(schedule)


def test_schedules_are_a_frame_with_fixed_columns_also_when_there_is_none(
    house: House, service: ScheduleService, clock: Clock, tick: Callable[[], None]
) -> None:
    empty = service.frame()
    deployment = house.add_deployment()
    service.create(deployment, cron="0 3 * * *", timezone="Europe/Berlin")
    clock.now = datetime(2026, 3, 28, 2, 0, tzinfo=UTC)
    tick()
    frame = service.frame(deployment)
    assert list(frame.columns) == list(empty.columns) == list(SCHEDULE_COLUMNS)
    assert frame.dtypes.astype(str).to_dict() == empty.dtypes.astype(str).to_dict()
    row = frame.iloc[0]
    assert (row["deployment"], row["last_status"]) == ("search/weather/main", "queued")
    assert bool(row["enabled"])
