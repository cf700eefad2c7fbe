"""Servers as a DataFrame: fixed columns, also when there is none; what runs, what it holds, and how others ended."""

from __future__ import annotations

import pytest
from fixtures.house import House

from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.services.supervision.processes import PROCESS_COLUMNS, ProcessCollection


def test_a_row_a_server_with_its_figures_and_how_it_ended(house: House) -> None:
    deployment = house.deployments.find_or_create(house.add_project(), replicas=2)
    house.deploy(deployment)
    processes = ProcessCollection(house.parts, house.resolver)
    first, second = house.deployments.list_serving(deployment.id)
    house.supervisor.checkups.check(first)
    house.crash(second, code=9)
    house.supervise()
    frame = processes.frame(deployment)
    assert list(frame.columns) == list(PROCESS_COLUMNS)
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == dict(PROCESS_COLUMNS)
    rows = frame.set_index("process_id")
    assert len(rows) == 3
    row = rows.loc[first.id]
    assert (row["team"], row["project"], row["deployment"], row["build"]) == ("search", "weather", "main", 1)
    assert (row["status"], row["healthy"], row["memory_bytes"], row["open_files"]) == ("running", True, 1_000_000, 5)
    assert row["measured_at"].tzinfo is not None
    ended = rows.loc[second.id]
    assert (ended["status"], ended["exit_code"], ended["replica"]) == ("exited", 9, 1)
    assert "exit code 9" in ended["exit_reason"]
    assert sorted(rows[rows["status"] == "running"]["restarts"]) == [0, 1]
    assert {item.id for item in processes.list()} == set(rows[rows["status"] == "running"].index)
    assert [item.id for item in processes.list(deployment, statuses=["exited"])] == [second.id]


def test_columns_and_dtypes_are_fixed_without_any_server(house: House) -> None:
    frame = ProcessCollection(house.parts, house.resolver).frame()
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == dict(PROCESS_COLUMNS)


def test_a_status_that_is_none_is_refused(house: House) -> None:
    with pytest.raises(InvalidInput, match="asleep"):
        ProcessCollection(house.parts, house.resolver).list(statuses=["asleep"])
