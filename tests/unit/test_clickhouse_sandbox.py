"""The kernel's wall around the engine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TRY = """
import sys
from pathlib import Path
from mastra_admin_sdk.adapters.observability.clickhouse.embedded.sandbox import confine
print(confine([Path(sys.argv[1])]))
(Path(sys.argv[1]) / "inside").write_text("x")
print((Path(sys.argv[1]) / "inside").read_text())
import colorsys
for path in sys.argv[2:]:
    try:
        print(Path(path).read_text()[:1] and "read")
    except PermissionError:
        print("refused")
"""


def test_only_own_folders_can_be_written_and_others_not_even_read(tmp_path: Path) -> None:
    own, other = tmp_path / "own folder", tmp_path / "other"
    own.mkdir()
    other.write_text("secret", encoding="utf-8")
    command = [sys.executable, "-c", TRY, str(own), str(other), "/etc/passwd", "/proc/1/environ", "/proc/self/stat"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=Path.cwd())
    lines = done.stdout.split()
    assert lines[1:2] == ["x"], done.stderr
    if lines[0] == "False":
        pytest.skip("the kernel has no Landlock")
    assert lines[2:] == ["refused", "refused", "refused", "read"]
