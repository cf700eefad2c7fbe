"""Manifests: what went into a build and what its server has."""

from __future__ import annotations

import json
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from fixtures.house import House

from mastra_admin_sdk.errors import StorageError
from mastra_admin_sdk.home import Home, open_home
from mastra_admin_sdk.linelog import read_lines
from mastra_admin_sdk.models import Artifact, BuildKind, Process
from mastra_admin_sdk.services.builds.inventory import describe_all, take_inventory
from mastra_admin_sdk.services.builds.manifests import (
    ManifestKeeper,
    load_manifest,
    read_resolved,
    remove_manifest,
    save_manifest,
)
from mastra_admin_sdk.services.keeping.leftovers import find_folders

AGENT = {
    "name": "Weather Agent",
    "instructions": "Answer.",
    "modelId": "local",
    "provider": "here",
    "tools": {"weatherTool": {"id": "weatherTool"}},
}


@contextmanager
def serve(answers: dict[str, tuple[int, bytes]]) -> Iterator[Process]:
    """A server with fixed answers, as a process record; what isn't listed is 404."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answers.get(self.path, (404, b"no"))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Tests stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield Process("deployment", "build", "127.0.0.1", server.server_port)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path / "home")


def test_parts_are_added_to_a_manifest_that_only_its_user_can_read(home: Home) -> None:
    path = save_manifest(home, "b", sources={"a.ts": "1"}, notes={"tools": "why"})
    save_manifest(home, "b", packages={"zod": "4.0.0"}, notes={"agents": "why"})
    assert load_manifest(home, "b") == {
        "sources": {"a.ts": "1"},
        "packages": {"zod": "4.0.0"},
        "notes": {"tools": "why", "agents": "why"},
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [item.name for item in home.manifests.iterdir()] == [path.name]


def test_a_manifest_that_is_not_there_or_broken_is_empty(home: Home) -> None:
    assert load_manifest(home, "b") == {}
    path = save_manifest(home, "b", sources={})
    for rubbish in (b"", b"no gzip", path.read_bytes()[:-9]):
        path.write_bytes(rubbish)
        assert load_manifest(home, "b") == {}
    remove_manifest(home, "b")
    remove_manifest(home, "b")
    assert not path.exists()


def test_installed_packages_are_read_from_what_npm_noted(tmp_path: Path) -> None:
    artifact = Artifact(tmp_path, "index.mjs", "node", "24", None, None)
    assert read_resolved(artifact) == {}
    (tmp_path / "node_modules").mkdir()
    lock = {"packages": {"node_modules/zod": {"version": "4.1.0"}, "node_modules/a/node_modules/b": {"version": "1.0"}}}
    (tmp_path / "node_modules" / ".package-lock.json").write_text(json.dumps(lock))
    assert read_resolved(artifact) == {"zod": "4.1.0", "a/node_modules/b": "1.0"}
    (tmp_path / "node_modules" / ".package-lock.json").write_text("[]")
    assert read_resolved(artifact) == {}


def test_a_server_is_asked_what_it_has() -> None:
    tool = {"id": "t", "description": "Tells", "inputSchema": "{}"}
    workflow = {"name": "forecast", "steps": {"one": {}, "two": {}}}
    answers = {
        "/v1/agents": (200, json.dumps({"weather-agent": AGENT}).encode()),
        "/v1/tools": (200, json.dumps({"t": tool}).encode()),
        "/v1/workflows": (200, json.dumps({"forecast": workflow}).encode()),
    }
    with serve(answers) as process:
        object.__setattr__(process, "trace_status", {"api_prefix": "/v1/"})
        taken = take_inventory(process)
    assert taken.notes == {}
    agent = taken.found["agents"]["weather-agent"]
    assert (agent["modelId"], agent["tools"]) == ("local", ["weatherTool"])
    assert "Answer." not in json.dumps(taken.found)
    assert taken.found["workflows"]["forecast"]["steps"] == ["one", "two"]
    assert taken.found["tools"]["t"]["description"] == "Tells"


def test_what_is_not_listed_has_a_reason() -> None:
    answers = {"/api/agents": (401, b"{}"), "/api/tools": (200, b"[" * 100_000), "/api/workflows": (500, b"")}
    with serve(answers) as process:
        taken = take_inventory(process)
    assert taken.found == {}
    assert taken.notes["agents"] == "the app guards its API (status 401)"
    assert "no usable answer" in taken.notes["tools"]
    assert taken.notes["workflows"] == "the API answered 500"


def test_a_server_that_is_gone_or_slow_holds_nothing_up() -> None:
    with serve({}) as process:
        late = take_inventory(process, seconds=0)
    assert set(take_inventory(process, seconds=1).notes) == set(late.notes) == {"agents", "tools", "workflows"}


def test_the_same_thing_is_described_the_same() -> None:
    other = dict(reversed(AGENT.items()))
    assert describe_all("agents", {"a": AGENT}) == describe_all("agents", {"a": other})
    changed = {**AGENT, "instructions": "Answer shortly."}
    assert describe_all("agents", {"a": AGENT}) != describe_all("agents", {"a": changed})


def test_a_deploy_keeps_what_went_in_and_a_restart_what_its_artifact_was_made_from(house: House) -> None:
    deployment = house.add_deployment(TOKEN="sesame-open")
    first = house.deploy(deployment)
    made = load_manifest(house.home, first.id)
    assert "package.json" in made["sources"]
    assert made["env"] == {"TOKEN": True}
    assert "sesame" not in json.dumps(made)
    again = house.deploy(deployment, BuildKind.RESTART, first)
    assert load_manifest(house.home, again.id)["sources"] == made["sources"]
    house.deployments.delete(house.read(deployment))
    assert not list(house.home.manifests.iterdir())


def test_manifests_that_no_build_has_are_leftovers_after_a_day(house: House) -> None:
    done = house.deploy(house.add_deployment())
    stray = save_manifest(house.home, "gone", sources={})
    unfinished = stray.with_name(f".{done.id}.json.gz.1.ab")
    unfinished.write_bytes(b"")
    fresh = save_manifest(house.home, "new", sources={})
    for path in (stray, unfinished, house.home.manifests / f"{done.id}.json.gz"):
        os.utime(path, (0, 0))
    found = {path for item in find_folders(house.parts) if item.what == "manifest" for path in item.paths}
    assert found == {stray, unfinished}
    assert fresh.exists()


def test_a_manifest_that_cannot_be_written_is_said_in_the_log_of_a_build_that_succeeds(house: House) -> None:
    house.home.manifests.write_text("in the way")
    done = house.deploy(house.add_deployment())
    assert done.status == "succeeded"
    lines = [line.text for line in read_lines(Path(done.log_path or ""))]
    assert any("could not be kept" in line for line in lines)


def test_a_database_that_fails_after_the_switch_makes_no_failure_of_a_build_that_is_live(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise StorageError("The database is away.")

    monkeypatch.setattr(ManifestKeeper, "_keep_inventory", fail)
    done = house.deploy(house.add_deployment())
    assert done.status == "succeeded"
    lines = [line.text for line in read_lines(Path(done.log_path or ""))]
    assert "What the server has could not be kept: The database is away." in lines
