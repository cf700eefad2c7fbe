"""Which Mastra package belongs to which core, on what the registry really says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mastra_admin_sdk.adapters.runner.local.cache.matches import MatchCache
from mastra_admin_sdk.adapters.runner.local.companions import Companions
from mastra_admin_sdk.adapters.runner.local.matching import choose_candidate, parse_candidates

# As published: version of the CLI, the core it was built with, the cores it admits.
CLI = [
    ("0.1.56", None, None),
    ("0.10.10", "0.10.10", "^0.10.2-alpha.0"),
    ("0.10.15", "0.11.1", ">=0.10.2-0 <0.12.0-0"),
    ("0.18.6", "0.24.6", ">=0.24.0-0 <0.25.0-0"),
    ("0.18.9", "0.24.9", ">=0.24.0-0 <0.25.0-0"),
    ("1.0.1", "1.0.4", ">=1.0.0-0 <2.0.0-0"),
    ("1.9.0", "1.33.0", ">=1.32.0-0 <2.0.0-0"),
    ("1.18.1", "1.50.0", ">=1.50.0-0 <2.0.0-0"),
    ("1.30.0", "1.67.0", ">=1.50.0-0 <2.0.0-0"),
    ("1.31.0", "1.68.0", ">=1.50.0-0 <2.0.0-0"),
]


def make_output(rows: list[tuple[str, str | None, str | None]]) -> str:
    return json.dumps(
        [
            {"version": version, "devDependencies": {"@mastra/core": built}, "peerDependencies": {"@mastra/core": peer}}
            if built
            else {"version": version}
            for version, built, peer in rows
        ]
    )


@pytest.mark.parametrize(
    ("core", "expected"),
    [
        pytest.param("1.71.0", "1.31.0", id="newer-than-all"),
        pytest.param("1.67.0", "1.30.0", id="exact"),
        pytest.param("1.66.0", "1.18.1", id="between"),
        pytest.param("1.40.0", "1.9.0", id="newest-that-admits-it"),
        pytest.param("0.24.6", "0.18.6", id="before-1.0"),
        pytest.param("0.24.7", "0.18.6", id="between-before-1.0"),
        pytest.param("0.10.5", "0.10.10", id="only-built-with-newer"),
        pytest.param("1.72.0-alpha.1", "1.31.0", id="pre-release"),
        pytest.param("2.0.0", None, id="no-match"),
        pytest.param("workspace:*", None, id="no-version"),
    ],
)
def test_a_cli_is_chosen_for_each_core(core: str, expected: str | None) -> None:
    chosen = choose_candidate(parse_candidates(make_output(CLI)), core)
    assert (chosen.text if chosen else None) == expected


def test_one_published_version_is_read_too() -> None:
    single = json.loads(make_output(CLI[-1:]))[0]
    chosen = choose_candidate(parse_candidates(json.dumps(single)), "1.70.0")
    assert chosen is not None
    assert chosen.text == "1.31.0"


@pytest.mark.parametrize("output", ["", "not json"], ids=["empty", "rubbish"])
def test_an_answer_that_is_no_json_is_refused(output: str) -> None:
    with pytest.raises(ValueError, match="Expecting value"):
        parse_candidates(output)


def test_versions_without_what_is_needed_are_left_out() -> None:
    assert parse_candidates(json.dumps(["1.0.0", {"version": "1.0.0"}, {"version": 3}])) == ()


# --- what a package needs besides -------------------------------------------------------------------------------------


def make_row(version: str, built: str, needs: dict[str, str] | None = None) -> dict[str, object]:
    peers = {"@mastra/core": ">=1.0.0-0 <2.0.0-0"}
    return {
        "version": version,
        "devDependencies": {"@mastra/core": built},
        "peerDependencies": peers,
        "dependencies": {"commander": "^1", **(needs or {})},
    }


PUBLISHED = {
    "mastra": [
        make_row("1.0.1", "1.0.4", {"@mastra/deployer": "^1.0.4", "@mastra/loggers": "^1.0.0"}),
        make_row("1.31.0", "1.68.0", {"@mastra/deployer": "^1.68.0"}),
    ],
    "@mastra/deployer": [make_row(version, version) for version in ("1.0.4", "1.17.0", "1.69.0")],
    "@mastra/loggers": [make_row("1.0.0", "1.0.4"), make_row("1.3.2", "1.68.0")],
}


def make_companions(folder: Path, asked: list[str]) -> Companions:
    def ask(package: str, cancel: Callable[[], None]) -> str:
        asked.append(package)
        return json.dumps(PUBLISHED[package])

    return Companions(MatchCache(folder), ask, lambda: None)


def test_what_a_cli_needs_is_of_its_own_day_too_and_asked_for_once(tmp_path: Path) -> None:
    asked: list[str] = []
    for _ in range(2):
        found = make_companions(tmp_path, asked).find_with_needs("mastra", "1.0.4")
        assert found == ("mastra@1.0.1", "@mastra/deployer@1.0.4", "@mastra/loggers@1.0.0")
    assert asked == ["mastra", "@mastra/deployer", "@mastra/loggers"]


def test_what_a_cli_needs_lies_in_the_range_that_it_names(tmp_path: Path) -> None:
    assert make_companions(tmp_path, []).find_with_needs("mastra", "1.68.0") == (
        "mastra@1.31.0",
        "@mastra/deployer@1.69.0",
    )


def test_a_core_without_a_cli_has_no_needs(tmp_path: Path) -> None:
    assert make_companions(tmp_path, []).find_with_needs("mastra", "2.0.0") == ()
