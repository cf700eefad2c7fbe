"""Servers that run without a record are found and ended; those that have one, however new, never are."""

from __future__ import annotations

from typing import Any

import pytest
from fixtures.house import House

from mastra_admin_sdk.errors import MastraAdminError, ServerError
from mastra_admin_sdk.models import Deployment
from mastra_admin_sdk.services.doctor import examine
from mastra_admin_sdk.services.shutdown import shut_down
from mastra_admin_sdk.services.supervision.strays import end_strays, find_strays


@pytest.fixture
def deployment(house: House) -> Deployment:
    """A deployment that serves."""
    made = house.add_deployment()
    house.deploy(made)
    return made


def forget(house: House, deployment: Deployment) -> str:
    """Remove all records of a deployment while its server runs, as when the database is removed."""
    process = house.serving(deployment)
    house.storage.deployments.delete(deployment.id)
    return process.id


def test_a_server_whose_record_is_lost_is_ended_by_supervision(house: House, deployment: Deployment) -> None:
    other = house.add_deployment("other")
    house.deploy(other)
    lost = forget(house, deployment)
    assert list(find_strays(house.parts)) == [lost]
    house.supervise()
    assert find_strays(house.parts) == {}
    assert lost not in house.runner.find_servers()
    assert house.serving(other).id in house.runner.find_servers()
    (event,) = [item for item in house.storage.events.list() if item.action == "stray_ended"]
    assert event.object_id == lost


def test_a_server_that_is_being_started_is_no_stray(
    house: House, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = house.runner.start
    found: list[object] = []

    def watch(spec: Any) -> Any:
        identity = start(spec)
        found.append(find_strays(house.parts))
        return identity

    monkeypatch.setattr(house.runner, "start", watch)
    house.deploy(deployment)
    assert found == [{}]


def test_records_are_read_after_the_processes_so_that_no_new_server_is_taken_for_a_stray(
    house: House, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    find, read = house.runner.find_servers, house.storage.processes.list
    monkeypatch.setattr(house.runner, "find_servers", lambda: (order.append("processes"), find())[1])
    monkeypatch.setattr(
        house.storage.processes, "list", lambda *args, **kw: (order.append("records"), read(*args, **kw))[1]
    )
    find_strays(house.parts)
    assert order == ["processes", "records"]


def test_one_that_cannot_be_ended_does_not_keep_the_others(
    house: House, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = house.add_deployment("other")
    house.deploy(other)
    stubborn, meek = forget(house, deployment), forget(house, other)
    stop = house.runner.stop

    def resist(server: Any, grace: float) -> Any:
        if server.process_id == stubborn:
            raise ServerError("It can't be ended.")
        return stop(server, grace)

    monkeypatch.setattr(house.runner, "stop", resist)
    assert end_strays(house.parts) == 1
    assert meek not in house.runner.find_servers()


def test_down_ends_servers_that_no_record_names(house: House, deployment: Deployment) -> None:
    forget(house, deployment)
    steps: list[str] = []
    shut_down(house.parts, house.path, house.queue, steps.append)
    assert house.runner.find_servers() == {}
    assert any("without a record" in step for step in steps)


def test_the_doctor_names_servers_without_a_record(house: House, deployment: Deployment) -> None:
    (check,) = [item for item in examine(house.parts) if item.name == "servers"]
    assert check.ok
    forget(house, deployment)
    (check,) = [item for item in examine(house.parts) if item.name == "servers"]
    assert not check.ok
    assert "mastra-admin down" in check.hint


def test_a_database_that_is_away_ends_nothing(
    house: House, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise MastraAdminError("The database is away.")

    with monkeypatch.context() as patch:
        patch.setattr(house.storage.processes, "list", fail)
        with pytest.raises(MastraAdminError):
            end_strays(house.parts)
    house.serving(deployment)
