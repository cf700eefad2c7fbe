"""Hostile names and values are refused in words, before anything is stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.errors import InvalidInput

pytestmark = pytest.mark.slow

BAD_NAMES: dict[str, Any] = {
    "control": "a\x01b",
    "nul": "a\0b",
    "terminal escape": "a\x9b31mb",
    "turned direction": "a\u202eb",
    "invisible": "\u200b\u200d",
    "line separator": "a\u2028b",
    "half a character": "a\ud800b",
    "blank": " \u3000 ",
    "too long": "x" * 10_000,
    "number": 5,
    "bytes": b"name",
}
BAD_VALUES: dict[str, Any] = {
    "nul": "a\0b",
    "half a character": "hidden-\ud800",
    "too long": "hidden-" + "y" * 200_000,
    "number": 5,
}


@pytest.mark.parametrize("name", BAD_NAMES.values(), ids=BAD_NAMES.keys())
def test_a_name_that_cant_be_seen_or_typed_is_refused(open_admin: Callable[..., MastraAdmin], name: Any) -> None:
    admin = open_admin()
    team = admin.teams.create("Search")
    project = admin.projects.create(team, source="quick-app")
    for attempt in (
        lambda: admin.teams.create(name),
        lambda: admin.projects.create(team, source="quick-app", name=name),
        lambda: admin.deploy(project, branch=name, wait=False),
    ):
        with pytest.raises(InvalidInput, match="can't be called") as caught:
            attempt()
        assert len(str(caught.value)) < 300
    assert (len(admin.teams.list()), len(admin.projects.list()), admin.builds.list()) == (1, 1, [])


@pytest.mark.parametrize(
    "name", ["Søk & Suche", "数据 团队", "👩‍💻 agents", "'; DROP TABLE teams;--", "<script>", "../../etc"]
)
def test_any_name_that_people_can_read_is_kept_as_it_is(open_admin: Callable[..., MastraAdmin], name: str) -> None:
    admin = open_admin()
    assert admin.teams.create(name).name == name
    assert admin.teams.get(name).name == name


@pytest.mark.parametrize("value", BAD_VALUES.values(), ids=BAD_VALUES.keys())
def test_a_value_that_no_process_can_have_is_refused_without_showing_it(
    open_admin: Callable[..., MastraAdmin], value: Any
) -> None:
    admin = open_admin()
    project = admin.projects.create(admin.teams.create("Search"), source="quick-app")
    with pytest.raises(InvalidInput, match="The value of KEY") as caught:
        admin.projects.set_env(project, {"KEY": value})
    assert "hidden" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert admin.projects.list_env(project) == {}


def test_long_and_strange_values_reach_the_server_as_they_are(open_admin: Callable[..., MastraAdmin]) -> None:
    admin = open_admin()
    values = {"LINES": "a\nb\r\n\tc", "LETTERS": "ünï🤖", "EMPTY": "", "LONG": "y" * 120_000, "SHELL": "$(id) `id` %s"}
    project = admin.projects.create(admin.teams.create("Search"), source="quick-app", env=values)
    seen = admin.deploy(project).request("GET", "/env").json()
    assert {name: seen[name] for name in values} == values
