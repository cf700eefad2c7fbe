"""Real Mastra apps, installed with npm, built with `mastra build` and run."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fixtures.servers import (
    find_free_port,
    get,
    list_left_behind,
    make_runner,
    make_spec,
    never,
    open_clean_home,
    wait_until,
)

from mastra_admin_sdk.adapters.runner.local import LocalRunner
from mastra_admin_sdk.adapters.runner.local.health import Listening, find_listening
from mastra_admin_sdk.adapters.runner.local.ports import list_listeners
from mastra_admin_sdk.home import Home
from mastra_admin_sdk.models import Artifact, ServerIdentity, ServerSpec

pytestmark = [pytest.mark.mastra, pytest.mark.slow, pytest.mark.timeout(900)]

Start = Callable[..., tuple[ServerSpec, ServerIdentity]]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with open_clean_home(tmp_path / "a home") as made:
        yield made


@pytest.fixture
def runner(home: Home) -> LocalRunner:
    return make_runner(home)


@pytest.fixture
def start(home: Home, runner: LocalRunner) -> Iterator[Start]:
    started: list[ServerIdentity] = []

    def begin(artifact: Artifact, **fields: Any) -> tuple[ServerSpec, ServerIdentity]:
        spec = make_spec(home, artifact, **fields)
        started.append(runner.start(spec))
        runner.wait_healthy(started[-1], 60, never)
        return spec, started[-1]

    yield begin
    for identity in started:
        runner.stop(identity, 0)


def post(port: int, path: str, body: Any) -> Any:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def ask_status(port: int, path: str, **headers: str) -> int:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as exc:
        exc.close()
        return exc.code


def test_the_example_is_built_with_what_tracing_needs(weather_artifact: Artifact) -> None:
    package = json.loads((weather_artifact.path / "node_modules/@mastra/core/package.json").read_text())
    assert weather_artifact.mastra_version == package["version"]
    assert weather_artifact.observability is not None
    assert (weather_artifact.path / "node_modules/@mastra/observability/package.json").is_file()
    assert not (weather_artifact.path / "node_modules/mastra").exists()


def test_the_example_answers_is_traced_and_stops(
    home: Home, runner: LocalRunner, start: Start, weather_artifact: Artifact
) -> None:
    spec, server = start(weather_artifact)
    assert "weather-agent" in json.dumps(get(spec.port, "/api/agents"))
    body = {"messages": [{"role": "user", "content": "What is the weather in Paris?"}]}
    assert post(spec.port, "/api/agents/weather-agent/generate", body)
    wait_until(lambda: runner.read_trace_status(server).get("traced"))
    assert runner.read_trace_status(server)["core_version"] == weather_artifact.mastra_version
    wait_until(lambda: list((spec.telemetry_dir / "spans").iterdir()))
    ending = runner.stop(server, 20)
    assert (ending.code, ending.signal) == (0, None)
    assert list_left_behind(home) == []


def test_the_examples_database_outlives_its_servers(
    start: Start, runner: LocalRunner, weather_artifact: Artifact
) -> None:
    for visits in (1, 2):
        spec, server = start(weather_artifact)
        assert post(spec.port, "/visits", {}) == {"visits": visits}
        runner.stop(server, 20)


def test_two_servers_of_the_example_share_its_database(start: Start, weather_artifact: Artifact) -> None:
    first, _ = start(weather_artifact)
    second, _ = start(weather_artifact)
    assert post(first.port, "/visits", {}) == {"visits": 1}
    assert get(second.port, "/visits") == {"visits": 1}


def test_an_app_with_a_port_a_host_a_prefix_and_a_login_of_its_own_is_healthy_where_we_say(
    start: Start, runner: LocalRunner, awkward_artifact: Artifact
) -> None:
    before = {listener.port for listener in list_listeners()}
    spec, server = start(awkward_artifact, port=find_free_port())
    assert find_listening(server.process_id, server.pid, spec.port) is Listening.OURS
    assert 3000 in before or 3000 not in {listener.port for listener in list_listeners()}
    assert runner.is_healthy(server)
    assert ask_status(spec.port, "/health") == 200
    assert ask_status(spec.port, "/v1/agents") in {401, 403}
    assert ask_status(spec.port, "/v1/agents", **{"authorization": "Bearer a-token", "x-pass": "1"}) == 200


def test_a_project_without_a_cli_is_built_with_the_one_of_its_core(awkward_artifact: Artifact) -> None:
    assert any("no Mastra CLI of its own: mastra 1." in note for note in awkward_artifact.notes)
