"""The product as people install it: a wheel in a clean environment, run from outside the checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from fixtures.homes import look_from_outside
from fixtures.quick import find_free_port, find_port_range

pytestmark = [pytest.mark.slow, pytest.mark.mastra, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]


def run(*command: str | Path, cwd: Path, timeout: float = 600, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    # Built from a copy of what git knows: a build writes into its source folder, which other tests read.
    files = run("git", "ls-files", "-z", cwd=ROOT).stdout.split("\0")
    for name in filter(None, files):
        target = folder / "source" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_file():
            target.write_bytes((ROOT / name).read_bytes())
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, folder / "source", cwd=folder)
    (found,) = folder.glob("*.whl")
    return found


def test_the_wheel_holds_everything_that_runs_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    # What brings the browser libraries is for building only; the libraries themselves are inside.
    only_built_with = ":!panel/frontend"
    tracked = run("git", "ls-files", "mastra_admin_sdk", "panel", only_built_with, cwd=ROOT).stdout.split()
    expected = {
        name.replace("panel/", "mastra_admin_panel/", 1) if name.startswith("panel/") else name for name in tracked
    }
    assert expected <= names, expected - names
    assert "mastra_admin_sdk/examples/weather-agent/package-lock.json" in names
    assert not [name for name in names if name.startswith("tests/") or "node_modules" in name or "/frontend/" in name]


def test_the_wheel_brings_the_browser_libraries_with_their_licences(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    vendor = [name.partition("static/vendor/")[2] for name in names if "static/vendor/" in name]
    assert {"manifest.json", "xterm/xterm.mjs", "xterm/xterm.css", "swagger-ui-dist/swagger-ui-bundle.js"} <= {*vendor}
    folders = {name.partition("/")[0] for name in vendor if "/" in name}
    assert all(f"{folder}/LICENSE" in vendor for folder in folders)


def test_the_demo_runs_from_the_wheel_in_a_clean_environment(wheel: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    python, lock = tmp_path / "venv" / "bin" / "python", ROOT / ".ci" / "requirements.txt"
    run(python, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", lock, cwd=tmp_path)
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", wheel, cwd=tmp_path)
    home = tmp_path / "home"
    done = run(
        tmp_path / "venv" / "bin" / "mastra-admin",
        "--home",
        home,
        "demo",
        "--json",
        cwd=tmp_path,
        MASTRA_ADMIN_ROUTER_PORT=str(find_free_port()),
        MASTRA_ADMIN_SERVER_PORTS=find_port_range(),
    )
    result = json.loads(done.stdout)
    assert result["ok"] is True
    assert result["left_behind"] == {"processes": 0, "ports": 0, "routes": 0}
    assert look_from_outside(home)["processes"] == []
