"""The package itself: quick to import, complete, typed, and its public names are what it says."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import mastra_admin_sdk

ROOT = Path(__file__).parents[2]
HEAVY = ("pandas", "numpy", "sqlalchemy", "clickhouse_driver", "chdb", "cryptography", "flask", "ipywidgets", "rich")


def test_importing_loads_nothing_heavy_and_is_quick() -> None:
    code = (
        "import sys, time; start = time.perf_counter(); import mastra_admin_sdk; "
        "print(time.perf_counter() - start); print([name for name in sys.argv[1:] if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, *HEAVY], capture_output=True, text=True, check=True, timeout=60)
    seconds, loaded = done.stdout.splitlines()
    assert loaded == "[]"
    assert float(seconds) < 0.3


def test_every_public_name_can_be_had_and_none_is_forgotten() -> None:
    for name in mastra_admin_sdk.__all__:
        assert getattr(mastra_admin_sdk, name) is not None, name
    assert set(mastra_admin_sdk._HOMES) | {"__version__"} == set(mastra_admin_sdk.__all__)


def test_every_package_folder_is_in_the_wheel() -> None:
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    found = {
        ".".join(init.parent.relative_to(ROOT).parts)
        for folder in ("mastra_admin_sdk", "panel")
        for init in (ROOT / folder).rglob("__init__.py")
    }
    named = {name.replace("panel", "mastra_admin_panel", 1) if name.startswith("panel") else name for name in found}
    assert named | {"mastra_admin_sdk.examples"} == listed


def test_versions_are_locked_without_download_addresses() -> None:
    lock = (ROOT / ".ci" / "requirements.txt").read_text()
    assert "--hash=sha256:" in lock
    assert "://" not in lock


def test_the_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == mastra_admin_sdk.__version__
    assert f"[{project['version']}]" in (ROOT / "CHANGELOG.md").read_text()
