"""Two builds, compared: what is known, what isn't, and never a value of a variable."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from fixtures.cli import CommandLine
from fixtures.house import House

from mastra_admin_sdk.display.text import measure
from mastra_admin_sdk.errors import NotFound
from mastra_admin_sdk.models import Build, BuildKind
from mastra_admin_sdk.services.builds.diffs import (
    FILE_COLUMNS,
    PACKAGE_COLUMNS,
    THING_COLUMNS,
    BuildDiff,
    compare_builds,
)
from mastra_admin_sdk.services.builds.manifests import remove_manifest, save_manifest

SECRET = "sesame-open"

BEFORE: dict[str, Any] = {
    "sources": {"src/a.ts": "1", "src/b.ts": "1", "src/gone.ts": "1"},
    "packages": {"zod": "4.1.0", "@mastra/core": "1.71.0"},
    "resolved": {"zod": "4.1.0", "hono": "4.0.0"},
    "inventory": {
        "agents": {"weather": {"modelId": "small", "instructions_sha256": "1", "tools": ["one", "two"]}},
        "tools": {"one": {"description": "One"}, "two": {"description": "Two"}},
        "workflows": {"forecast": {"steps": ["a"]}},
    },
}
AFTER: dict[str, Any] = {
    "sources": {"src/a.ts": "1", "src/b.ts": "2", "src/new.ts": "1"},
    "packages": {"zod": "4.2.0", "@mastra/core": "1.71.0"},
    "resolved": {"zod": "4.2.0", "hono": "4.0.1", "ms": "2.0.0"},
    "inventory": {
        "agents": {"weather": {"modelId": "large", "instructions_sha256": "2", "tools": ["one", "three"]}},
        "tools": {"one": {"description": "The one"}, "three": {}},
        "workflows": {"forecast": {"steps": ["a"]}},
    },
}


@pytest.fixture
def pair(house: House) -> tuple[Build, Build]:
    """Two builds of one deployment with manifests of the test's own."""
    deployment = house.add_deployment(TOKEN=SECRET, STAYS="1")
    first = house.deploy(deployment)
    house.deployments.set_env(deployment, {"TOKEN": f"{SECRET}-2", "STAYS": "1", "MODE": "x"})
    second = house.deploy(house.read(deployment))
    save_manifest(house.home, first.id, **BEFORE)
    save_manifest(house.home, second.id, **AFTER)
    return first, second


def compare(house: House, pair: tuple[Build, Build]) -> BuildDiff:
    return compare_builds(house.parts, *pair)


def test_all_that_differs_is_listed(house: House, pair: tuple[Build, Build]) -> None:
    diff = compare(house, pair)
    assert diff.files.to_dict("records") == [
        {"path": "src/b.ts", "change": "changed"},
        {"path": "src/gone.ts", "change": "removed"},
        {"path": "src/new.ts", "change": "added"},
    ]
    assert diff.packages.drop(columns="is_direct").to_dict("records") == [
        {"name": "zod", "change": "changed", "before": "4.1.0", "after": "4.2.0"},
        {"name": "hono", "change": "changed", "before": "4.0.0", "after": "4.0.1"},
        {"name": "ms", "change": "added", "before": None, "after": "2.0.0"},
    ]
    assert list(diff.packages.is_direct) == [True, False, False]
    assert dict(zip(diff.env.key, diff.env.change, strict=True)) == {"MODE": "added", "TOKEN": "changed"}
    assert dict(zip(diff.tools.id, diff.tools.change, strict=True)) == {
        "one": "changed",
        "three": "added",
        "two": "removed",
    }
    assert diff.workflows.empty
    assert diff.missing == {}


def test_what_changed_in_an_agent_is_told_with_long_texts_by_name_only(house: House, pair: tuple[Build, Build]) -> None:
    row = compare(house, pair).agents.iloc[0]
    assert row.fields == ("instructions", "modelId", "tools")
    assert row.details == "instructions, modelId small → large, tools +three -two"


def test_a_diff_reads_well_at_80_columns_and_shows_no_value(house: House, pair: tuple[Build, Build]) -> None:
    diff = compare(house, pair)
    assert repr(diff).splitlines()[0] == "search/weather/main#1 → search/weather/main#2"
    assert "env        1 added, 1 changed: MODE, TOKEN" in repr(diff)
    assert "workflows  the same" in repr(diff)
    assert "~ zod   4.1.0 → 4.2.0" in diff.text()
    assert all(measure(line) <= 80 for line in diff.text().splitlines())
    html = diff._repr_html_()
    assert "src/new.ts" in html
    for shown in (repr(diff), diff.text(), html, json.dumps(diff.to_dict()), diff.env.to_csv()):
        assert "sesame" not in shown


def test_markup_in_names_is_shown_as_text(house: House, pair: tuple[Build, Build]) -> None:
    save_manifest(house.home, pair[1].id, sources={"<script>x</script>": "1"})
    assert "<script>" not in compare(house, pair)._repr_html_()


def test_a_long_list_is_cut_and_says_so(house: House, pair: tuple[Build, Build]) -> None:
    save_manifest(house.home, pair[1].id, sources={f"src/{number}.ts": "1" for number in range(50)})
    assert "… and 33 more" in compare(house, pair).text()
    assert len(compare(house, pair).files) == 53


def test_what_is_not_known_of_a_build_is_said_and_the_rest_compared(house: House, pair: tuple[Build, Build]) -> None:
    remove_manifest(house.home, pair[0].id)
    diff = compare(house, pair)
    assert set(diff.missing) == {"files", "packages", "agents", "tools", "workflows"}
    assert diff.missing["files"].startswith("search/weather/main#1: ")
    assert list(diff.env.key) == ["MODE", "TOKEN"]
    assert "files      not known: " in repr(diff)
    for frame, columns in ((diff.files, FILE_COLUMNS), (diff.packages, PACKAGE_COLUMNS), (diff.agents, THING_COLUMNS)):
        assert frame.empty
        assert {str(name): str(kind) for name, kind in frame.dtypes.items()} == dict(columns)


def test_a_guarded_api_is_the_reason_that_is_given(house: House, pair: tuple[Build, Build]) -> None:
    save_manifest(house.home, pair[1].id, inventory={}, notes={"agents": "the app guards its API (status 401)"})
    assert compare(house, pair).missing["agents"] == "search/weather/main#2: the app guards its API (status 401)"


def test_a_restart_is_compared_by_the_artifact_that_it_runs(house: House, pair: tuple[Build, Build]) -> None:
    again = house.deploy(house.read(house.storage.deployments.get(pair[0].deployment_id)), BuildKind.RESTART, pair[0])
    assert compare(house, (pair[0], again)).files.empty
    assert "files" not in compare(house, (pair[0], again)).missing


def test_a_build_that_has_not_begun_has_no_variables_to_compare(house: House, pair: tuple[Build, Build]) -> None:
    waiting = house.storage.builds.create(Build(pair[0].deployment_id))
    assert "hasn't run" in compare(house, (pair[0], waiting)).missing["env"]


def test_variables_under_a_lost_key_are_not_compared(house: House, pair: tuple[Build, Build]) -> None:
    broken = [replace(var, encrypted_value="rubbish") for var in pair[0].env_snapshot]
    other = house.storage.builds.update(pair[0].id, env_snapshot=broken)
    assert "can't be decrypted" in compare(house, (other, pair[1])).missing["env"]


def test_builds_are_named_as_everywhere(command_line: CommandLine) -> None:
    command_line.deploy()
    command_line.deploy()
    with command_line.make_admin() as admin:
        first = admin.builds.get("weather-agent#1")
        diff = admin.diff(first, "weather-agent#2")
        assert repr(diff).startswith("default/weather-agent/main#1 → default/weather-agent/main#2")
        with pytest.raises(NotFound):
            admin.diff("weather-agent#1", "weather-agent#9")
