"""Which Mastra package belongs to which core, on what the registry really says."""

from __future__ import annotations

import json

import pytest

from mastra_admin_sdk.adapters.runner.local.matching import choose_version, parse_candidates

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
    assert choose_version(parse_candidates(make_output(CLI)), core) == expected


def test_one_published_version_is_read_too() -> None:
    single = json.loads(make_output(CLI[-1:]))[0]
    assert choose_version(parse_candidates(json.dumps(single)), "1.70.0") == "1.31.0"


@pytest.mark.parametrize("output", ["", "not json"], ids=["empty", "rubbish"])
def test_an_answer_that_is_no_json_is_refused(output: str) -> None:
    with pytest.raises(ValueError, match="Expecting value"):
        parse_candidates(output)


def test_versions_without_what_is_needed_are_left_out() -> None:
    assert parse_candidates(json.dumps(["1.0.0", {"version": "1.0.0"}, {"version": 3}])) == ()
