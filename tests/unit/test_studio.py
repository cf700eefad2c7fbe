"""The app's own Mastra Studio: built when the project builds it, served where people open it, linked where it is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fixtures.house import House

from mastra_admin_sdk.adapters.runner.local.commands import make_mastra_build, make_server_environment
from mastra_admin_sdk.adapters.runner.local.packages import wants_studio
from mastra_admin_sdk.models import Artifact, BuildKind, Deployment, ServerSpec
from mastra_admin_sdk.services.deployments.studio import find_studio_url

URL = "http://weather-main.search.localhost:8080"


@pytest.mark.parametrize(
    ("script", "wanted"),
    [
        ("mastra build --studio", True),
        ("tsc && mastra build -s", True),
        ("mastra build", False),
        ("other build --studio", False),
        (None, False),
        (7, False),
    ],
    ids=["long", "short", "without", "another program", "no script", "no text"],
)
def test_a_project_that_builds_its_studio_gets_it(tmp_path: Path, script: Any, wanted: bool) -> None:
    scripts = {} if script is None else {"build": script}
    (tmp_path / "package.json").write_text(json.dumps({"name": "x", "scripts": scripts}))
    assert wants_studio(tmp_path) is wanted


def test_mastra_is_asked_for_it_only_then() -> None:
    cli, node = Path("cli.js"), Path("/node")
    assert make_mastra_build(node, cli, {}, studio=True).text == "mastra build --studio"
    assert make_mastra_build(node, cli, {}).text == "mastra build"


def test_a_server_with_a_studio_is_told_where_it_lies_and_to_use_the_address_it_was_opened_at() -> None:
    found = make_server_environment(make_spec("/"), {}, Path("/home"), Path("/preload.mjs"))
    assert found["MASTRA_STUDIO_PATH"] == "/home/artifacts/b1/studio"
    assert found["MASTRA_AUTO_DETECT_URL"] == "true"


def test_a_project_may_say_otherwise_and_one_without_is_told_nothing() -> None:
    own = replace(make_spec("/"), env={"MASTRA_AUTO_DETECT_URL": "false"})
    assert make_server_environment(own, {}, Path("/h"), Path("/p.mjs"))["MASTRA_AUTO_DETECT_URL"] == "false"
    assert not {
        name for name in make_server_environment(make_spec(None), {}, Path("/h"), Path("/p")) if "STUDIO" in name
    }


def test_its_address_is_that_of_the_deployment(house: House) -> None:
    deployment = house.add_deployment()
    assert find_studio_url(house.parts, deployment, None) is None
    house.deploy(deployment)
    assert find_studio_url(house.parts, house.read(deployment), house.serving(deployment)) is None
    add_studio(house, deployment)
    assert find_studio_url(house.parts, house.read(deployment), house.serving(deployment)) == f"{URL}/"


def test_it_stays_known_after_a_restart_and_follows_the_servers_word(house: House) -> None:
    deployment = house.add_deployment()
    house.deploy(deployment)
    add_studio(house, deployment)
    current = house.storage.builds.get(house.read(deployment).current_build_id or "")
    house.deploy(house.read(deployment), BuildKind.RESTART, of=current)
    process = replace(house.serving(deployment), trace_status={"studio_base": "/ui"})
    assert find_studio_url(house.parts, house.read(deployment), process) == f"{URL}/ui"


def add_studio(house: House, deployment: Deployment) -> None:
    build = house.storage.builds.get(house.read(deployment).current_build_id or "")
    house.storage.builds.update(build.id, artifact={**build.artifact, "studio": "/"})


def make_spec(studio: str | None) -> ServerSpec:
    artifact = Artifact(Path("/home/artifacts/b1"), "index.mjs", "/node", "24.0.0", "1.71.0", None, studio=studio)
    places = {"data_dir": Path("/data"), "telemetry_dir": Path("/telemetry"), "log_path": Path("/log")}
    return ServerSpec("process", "project", "deployment", "build", artifact, "127.0.0.1", 4100, **places)
