"""Waiting for builds, and the errors that come back from their records."""

from __future__ import annotations

import itertools
import json

import pytest
from fixtures.house import House

from mastra_admin_sdk import errors
from mastra_admin_sdk.errors import (
    BuildCancelled,
    BuildError,
    CommandFailed,
    MastraAdminError,
    ServerUnhealthy,
)
from mastra_admin_sdk.models import Build, BuildStatus
from mastra_admin_sdk.redaction import Redactor
from mastra_admin_sdk.services.builds.failures import describe_error, explain, make_error

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, MastraAdminError)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_comes_back_from_a_record_as_its_own_class(kind: type[MastraAdminError]) -> None:
    error = kind.__new__(kind)
    MastraAdminError.__init__(error, "It failed.", hint="Do this.", evidence={"exit_code": 4, "log_tail": ["x"]})
    stored = json.loads(json.dumps(describe_error(explain(error, Redactor()))))
    build = Build("d", number=3, status=BuildStatus.FAILED, error=stored, error_message="It failed.", log_path="/l")
    back = make_error(build)
    assert type(back) is kind
    assert back.message == "Build #3 failed: It failed."
    assert (back.hint, back.code) == ("Do this.", error.code)
    assert back.evidence == {"exit_code": 4, "log_tail": ["x"], "build_log": "/l"}


@pytest.mark.parametrize("stored", [{}, {"code": "of_a_newer_version"}], ids=["empty", "unknown"])
def test_a_record_that_says_little_still_gives_an_error(stored: dict[str, object]) -> None:
    back = make_error(Build("d", number=3, status=BuildStatus.SUPERSEDED, error=stored))
    assert type(back) is BuildError
    assert back.message == "Build #3 was superseded."


def test_what_a_cancelled_build_says_is_said_once() -> None:
    stored = describe_error(BuildCancelled("Build #3 was cancelled."))
    build = Build("d", number=3, status=BuildStatus.CANCELLED, error=stored, error_message="Build #3 was cancelled.")
    assert make_error(build).message == "Build #3 was cancelled."


def test_a_full_disk_is_told_as_such() -> None:
    error = explain(OSError(28, "No space left on device", "/home/x"), Redactor())
    assert error.message == "It failed on /home/x: No space left on device."
    assert "disk space" in error.hint


def test_waiting_works_without_any_other_process_and_tells_each_change(house: House) -> None:
    build = house.queue.enqueue(house.add_deployment())
    seen: list[Build] = []
    ended = house.waiter.wait(build.id, on_progress=seen.append)
    assert ended.status is BuildStatus.SUCCEEDED
    assert seen[-1] == ended
    assert all(one != two for one, two in itertools.pairwise(seen))


def test_waiting_for_a_build_that_fails_raises_what_ended_it(house: House) -> None:
    deployment = house.add_deployment()
    house.source.write("weather", "behaviour.txt", "fails")
    with pytest.raises(CommandFailed) as caught:
        house.waiter.wait(house.queue.enqueue(deployment).id)
    assert caught.value.evidence["exit_code"] == 4
    house.source.write("weather", "behaviour.txt", "works")
    house.runner.behaviour = "crashes_on_boot"
    with pytest.raises(ServerUnhealthy):
        house.waiter.wait(house.queue.enqueue(deployment).id)


def test_waiting_has_an_end_and_the_build_goes_on(house: House) -> None:
    deployment = house.add_deployment()
    house.source.write("weather", "behaviour.txt", "hangs")
    build = house.queue.enqueue(deployment)
    with pytest.raises(TimeoutError, match="it goes on"):
        house.waiter.wait(build.id, timeout=0.3)
    assert not house.storage.builds.get(build.id).is_final
    house.waiter.close()
    assert house.storage.builds.get(build.id).status is BuildStatus.QUEUED


def test_a_cancelled_build_raises_so(house: House) -> None:
    build = house.queue.enqueue(house.add_deployment())
    house.queue.cancel(build.id)
    with pytest.raises(BuildCancelled):
        house.waiter.wait(build.id)
