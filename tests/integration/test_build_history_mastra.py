"""Inventories and comparisons of real Mastra apps: what their own servers list."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fixtures.house import House
from fixtures.servers import make_runner, make_spec, never, open_clean_home

from mastra_admin_sdk.adapters.runner.local import LocalRunner
from mastra_admin_sdk.models import Artifact, Build, Process, ServerIdentity
from mastra_admin_sdk.services.builds.diffs import compare_builds
from mastra_admin_sdk.services.builds.inventory import Inventory, take_inventory
from mastra_admin_sdk.services.builds.manifests import read_resolved, save_manifest

pytestmark = [pytest.mark.mastra, pytest.mark.slow, pytest.mark.timeout(900)]

Look = Callable[[Artifact], Inventory]


@pytest.fixture
def look(tmp_path: Path) -> Iterator[Look]:
    """Start a server of an artifact, ask it what it has, and stop it."""
    with open_clean_home(tmp_path / "a home") as home:
        runner: LocalRunner = make_runner(home)

        def ask(artifact: Artifact) -> Inventory:
            spec = make_spec(home, artifact)
            server: ServerIdentity = runner.start(spec)
            try:
                runner.wait_healthy(server, 60, never)
                status = runner.read_trace_status(server)
                return take_inventory(Process("d", "b", spec.host, spec.port, trace_status=status))
            finally:
                runner.stop(server, 20)

        yield ask


def test_two_builds_of_the_example_differ_in_what_was_changed(
    house: House, look: Look, weather_artifact: Artifact, changed_weather_artifact: Artifact
) -> None:
    deployment = house.add_deployment()
    builds = [keep(house, deployment.id, item, look(item)) for item in (weather_artifact, changed_weather_artifact)]
    diff = compare_builds(house.parts, *builds)
    assert diff.missing == {"files": diff.missing["files"], "env": diff.missing["env"]}
    agent = diff.agents.iloc[0]
    assert (agent.id, agent.change, agent.fields) == ("weather-agent", "changed", ("instructions", "tools"))
    assert "tools +clockTool" in agent.details
    assert diff.tools[["id", "change", "details"]].to_dict("records") == [
        {"id": "clockTool", "change": "added", "details": ""},
        {"id": "weatherTool", "change": "changed", "details": "description"},
    ]
    assert diff.workflows.empty
    assert diff.packages.empty


def test_a_build_knows_the_versions_of_what_it_names_and_of_what_lies_beside_its_server(
    weather_artifact: Artifact,
) -> None:
    assert weather_artifact.packages["@mastra/core"] == weather_artifact.mastra_version
    assert {"mastra", "zod"} <= weather_artifact.packages.keys()
    resolved = read_resolved(weather_artifact)
    assert resolved["@mastra/core"] == weather_artifact.mastra_version
    assert len(resolved) > 50


def test_an_app_that_guards_its_api_is_told_apart_from_one_that_has_nothing(
    look: Look, awkward_artifact: Artifact
) -> None:
    taken = look(awkward_artifact)
    assert taken.found == {}
    assert set(taken.notes) == {"agents", "tools", "workflows"}
    assert "guards its API" in taken.notes["agents"]


def keep(house: House, deployment_id: str, artifact: Artifact, inventory: Inventory) -> Build:
    build = house.storage.builds.create(Build(deployment_id))
    inside: dict[str, Any] = {"packages": dict(artifact.packages), "resolved": read_resolved(artifact)}
    save_manifest(house.home, build.id, inventory=inventory.found, notes=inventory.notes, **inside)
    return build
