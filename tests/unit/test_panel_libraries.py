"""The browser libraries: locked, brought once, complete, and missed in words."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
from fixtures.panel import BASE, TOKEN, make_fake_admin

import mastra_admin_panel
from mastra_admin_panel import create_app, vendor

FRONTEND = Path(__file__).parents[2] / "panel" / "frontend"
NPM = """
import json, pathlib, sys
assert sys.argv[1:3] == ["ci", "--ignore-scripts"], sys.argv
if pathlib.Path("package.json").read_text() == "fail":
    sys.exit("ENOTFOUND the registry")
for package, names in json.loads(pathlib.Path(FILES).read_text()).items():
    folder = pathlib.Path("node_modules", package)
    for name in [*names, "package.json", "never-kept.js"]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text('{"version": "1.2.3", "license": "MIT"}')
"""


@pytest.fixture
def assets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The builder with a folder of its own, and an npm that makes packages up."""
    here = tmp_path / "panel" / "frontend"
    here.mkdir(parents=True)
    for name in ("package.json", "package-lock.json", "assets.py"):
        (here / name).write_bytes((FRONTEND / name).read_bytes())
    spec = importlib.util.spec_from_file_location("assets_under_test", here / "assets.py")
    assert spec
    assert spec.loader
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    (tmp_path / "files.json").write_text(json.dumps({name: list(names) for name, names in made.FILES.items()}))
    (tmp_path / "npm.py").write_text(NPM.replace("FILES", repr(str(tmp_path / "files.json"))))
    monkeypatch.setattr(made, "find_npm", lambda: [sys.executable, str(tmp_path / "npm.py")])
    return made


def test_versions_are_locked_without_addresses() -> None:
    lock = json.loads((FRONTEND / "package-lock.json").read_text())
    wanted = json.loads((FRONTEND / "package.json").read_text())["dependencies"]
    for name, version in wanted.items():
        assert lock["packages"][f"node_modules/{name}"]["version"] == version
    assert all("integrity" in found for path, found in lock["packages"].items() if path)
    assert "://" not in (FRONTEND / "package-lock.json").read_text()


def test_the_libraries_are_brought_once_and_again_when_a_version_changes(assets: ModuleType) -> None:
    assert assets.build_assets() is True
    assert assets.build_assets() is False
    (assets.HERE / "package.json").write_text("{}")
    assert assets.build_assets() is True
    kept = {str(path.relative_to(assets.VENDOR)) for path in assets.VENDOR.rglob("*") if path.is_file()}
    assert {"manifest.json", "xterm/xterm.mjs", "xterm/LICENSE", "idiomorph/LICENSE"} <= kept
    assert not [name for name in kept if "never-kept" in name]
    assert sorted(path.name for path in assets.VENDOR.parent.iterdir()) == ["vendor"]


def test_a_failure_of_npm_is_told_and_leaves_what_was_there(assets: ModuleType) -> None:
    assets.build_assets()
    (assets.HERE / "package.json").write_text("fail")
    with pytest.raises(assets.AssetsFailed, match="ENOTFOUND"):
        assets.build_assets()
    assert (assets.VENDOR / "xterm" / "xterm.mjs").is_file()


def test_a_checkout_is_built() -> None:
    folder = Path(str(mastra_admin_panel.__file__)).parent / "static" / "vendor"
    built = json.loads((folder / "manifest.json").read_text())
    wanted = json.loads((FRONTEND / "package.json").read_text())["dependencies"]
    assert {name: found["version"] for name, found in built["packages"].items()} == wanted


def test_a_panel_without_them_says_how_to_bring_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vendor, "VENDOR", tmp_path / "none")
    with make_fake_admin(tmp_path / "home") as admin:
        client = create_app(admin, token=TOKEN).test_client()
        client.environ_base.update(HTTP_AUTHORIZATION=f"Bearer {TOKEN}")
        page = client.get("/", base_url=BASE)
        assert page.status_code == 503
        assert "make install" in page.text
        assert client.get("/health", base_url=BASE).status_code == 200
        assert client.get("/api/teams", base_url=BASE).status_code == 200
