"""Version ranges, compared with npm's own reading of them."""

from __future__ import annotations

import itertools
import json
import subprocess

import pytest

from mastra_admin_sdk.adapters.runner.local.node_range import parse_version, satisfies
from mastra_admin_sdk.adapters.runner.local.toolchain import find_wheel

VERSIONS = [
    *["0.0.1", "0.1.2", "0.10.3", "0.24.6", "0.25.0", "1.0.0", "1.2.3", "1.50.0", "1.71.0", "2.0.0", "3.0.0"],
    *["18.0.0", "20.11.1", "22.13.0", "22.15.0", "22.15.1", "24.0.0", "24.19.0", "25.0.0"],
    *["1.71.0-alpha.1", "1.71.0-alpha.10", "1.71.0-beta", "2.0.0-0", "0.10.2-alpha.0"],
]
RANGES = [
    *["", "*", "x", "22", "22.x", "22.15", "22.15.x", "v22.15.0", "=22.15.0", "22.15.0"],
    *[">=22.13.0", ">= 22.13.0", ">22", ">22.15", ">=22", "<24", "<=24", "<=22.15", "<25.0.0", ">22.15.0"],
    *["^22.15.0", "^22", "~22.15.0", "~22", "~1.2.3", "^0.10.2-alpha.0", "^0.0.1", "^0.1", "^0", "^1.2.3", "~> 22.15"],
    *[">=22.13 <25", ">=18 <21 || >=22.15", "^24 || ~22.15", "18 - 22", "18.0.0 - 22.15", "1.2.3 - 2.0.0"],
    *[">=1.50.0-0 <2.0.0-0", ">=0.24.0-0 <0.25.0-0", ">=1.71.0-alpha.2", "<1.71.0", "18 || 20 || 22"],
]


def test_every_range_holds_what_npm_says_it_holds() -> None:
    wheel = find_wheel()
    assert wheel
    program = """
      const semver = require(process.argv[1]);
      const [versions, ranges] = JSON.parse(process.argv[2]);
      const answer = ranges.map(range => versions.map(version =>
        semver.satisfies(version, range, { includePrerelease: true })));
      console.log(JSON.stringify(answer));
    """
    arguments = [str(wheel / "lib/node_modules/npm/node_modules/semver"), json.dumps([VERSIONS, RANGES])]
    done = subprocess.run(
        [str(wheel / "bin/node"), "-e", program, *arguments], capture_output=True, text=True, timeout=60, check=True
    )
    expected = dict(zip(RANGES, json.loads(done.stdout), strict=True))
    wrong = [
        (version, wanted)
        for wanted, (index, version) in itertools.product(RANGES, enumerate(VERSIONS))
        if satisfies(version, wanted) is not expected[wanted][index]
    ]
    assert wrong == []


@pytest.mark.parametrize("text", ["latest", ">=abc", "22..1", "lts/*", "22 foo", "git+https://example.com/x.git"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a version range"):
        satisfies("22.15.0", text)


@pytest.mark.parametrize("text", ["", "22", "22.1", "x", "1.2.3.4", "latest"])
def test_what_is_no_version_is_refused(text: str) -> None:
    assert parse_version(text) is None
    with pytest.raises(ValueError, match="not a version"):
        satisfies(text, "*")


def test_versions_sort_as_npm_sorts_them() -> None:
    ordered = ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0", "1.0.1"]
    parsed = [parse_version(text) for text in ordered]
    assert all(parsed)
    assert sorted(parsed, key=lambda version: version) == parsed  # type: ignore[arg-type, return-value]
