"""A short run of the drill on ingestion; the long one is a program of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_no_line_is_lost_doubled_or_left_uncounted_when_parts_are_killed() -> None:
    command = [sys.executable, "-m", "tests.faults.ingest", "--rounds", "5", "--seed", "3474"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    report = json.loads(found.stdout)
    assert found.returncode == 0, report
    assert report["produced"] == report["written"] + report["dropped"] + report["unaccepted"]
    assert report["stored"] > 0
