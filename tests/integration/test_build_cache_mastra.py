"""The real example on the build cache: npm, `mastra build` and its own install, twice."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fixtures.mastra import EXAMPLE
from fixtures.servers import get, make_runner, make_spec, never, open_clean_home

from mastra_admin_sdk.folders import remove_tree
from mastra_admin_sdk.home import Home
from mastra_admin_sdk.linelog import LineLog
from mastra_admin_sdk.models import BuildRequest, SourceProject

pytestmark = [pytest.mark.slow, pytest.mark.mastra, pytest.mark.timeout(900)]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with open_clean_home(tmp_path / "home") as made:
        yield made


def test_a_second_build_of_the_example_installs_nothing_and_its_server_answers(home: Home) -> None:
    runner = make_runner(home)
    built = []
    for name in ("first", "second"):
        workspace = home.workspaces / name
        shutil.copytree(EXAMPLE, workspace, ignore=shutil.ignore_patterns("node_modules", ".mastra"))
        (workspace / "src" / "mastra" / "extra.ts").write_text(f"export const name = '{name}';\n")
        source = SourceProject(name, "weather-agent", str(EXAMPLE), has_lockfile=True)
        with LineLog(home.build_logs / f"{name}.log") as log:
            request = BuildRequest(name, source, workspace, home.artifacts / name)
            built.append(runner.build(request, log, never, lambda _: None))
        runner.settle_build(name, workspace, succeeded=True)
        remove_tree(workspace)
    first, second = built
    assert (first.stats["dependencies"], first.stats["output"]) == ("miss", "miss")
    assert (second.stats["dependencies"], second.stats["output"]) == ("hit", "hit")
    assert list_packages(first.path) == list_packages(second.path)
    assert second.observability == first.observability is not None
    spec = make_spec(home, second)
    server = runner.start(spec)
    try:
        runner.wait_healthy(server, 60, never)
        assert get(spec.port, "/health")["success"] is True
        assert runner.read_trace_status(server)["traced"] is True
    finally:
        runner.stop(server, 5)


def list_packages(artifact: Path) -> list[str]:
    modules = artifact / "node_modules"
    return sorted(os.path.relpath(path, modules) for path in modules.rglob("*"))
