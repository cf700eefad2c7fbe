"""Builds, runs and traces small apps on real versions of Mastra and of package managers, for docs/compatibility.md.

    python -m tests.bench.compatibility [--only 0.24.9,pnpm] [--write]

Prints one JSON object. For each version of ``@mastra/core``, and for each package manager with the newest of them: the
CLI that built the app, whether `mastra build` worked, whether the server answered its health check on our port and on
loopback only, whether a workflow ran, whether its spans and console lines reached the telemetry files. ``--write`` puts
the tables into docs/compatibility.md. Exit status 0 when everything was built and ran.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mastra_admin_sdk.adapters.runner.local import LocalRunner
from mastra_admin_sdk.adapters.runner.local.health import Listening, find_listening
from mastra_admin_sdk.errors import MastraAdminError
from mastra_admin_sdk.home import Home, open_home
from mastra_admin_sdk.linelog import LineLog
from mastra_admin_sdk.models import Artifact, BuildRequest, PackageManager, ServerIdentity, ServerSpec, SourceProject
from tests.bench.compatibility_table import DOCUMENT, write_tables
from tests.fixtures.managers import lock_project
from tests.fixtures.servers import PROJECTS, find_free_port, make_runner, make_spec, never

VERSIONS = ("0.10.15", "0.20.2", "0.24.9", "1.0.4", "1.17.0", "1.45.0", "1.71.0")
"""The versions of @mastra/core that are tried: the last of a line, the first 1.x that there is, the newest."""

MANAGERS = ("pnpm", "bun")
"""The package managers that are tried with the newest version of Mastra, with a lock file."""

CLI_OF_NEWEST = "1.31.0"
_HEALTH_SECONDS = 60.0
_TELEMETRY_SECONDS = 10.0


@dataclass(frozen=True)
class Finding:
    """What was seen of one version. ``health`` is the status of ``GET /health``; no ``trouble``: all was well."""

    mastra: str
    manager: str = "npm"
    cli: str | None = None
    builds: bool = False
    runs: bool = False
    health: int | None = None
    loopback_only: bool = False
    workflow: bool = False
    traced: bool = False
    spans: int = 0
    console: int = 0
    reason: str = ""
    trouble: str = ""
    build_s: float = 0.0


def main(arguments: Sequence[str]) -> int:
    """Try what was asked for, print what was found, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.compatibility", description=__doc__)
    parser.add_argument("--only", default="", help="versions and managers, separated by commas; empty: all")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/compatibility.md")
    given = parser.parse_args(arguments)
    wanted = given.only.split(",") if given.only else [*VERSIONS, *MANAGERS]
    findings = [_try_apart(name) for name in wanted]
    versions = [asdict(finding) for name, finding in zip(wanted, findings, strict=True) if name not in MANAGERS]
    managers = [asdict(finding) for name, finding in zip(wanted, findings, strict=True) if name in MANAGERS]
    if given.write:
        write_tables(DOCUMENT, versions, managers)
    print(json.dumps({"versions": versions, "managers": managers}, indent=2))
    return 0 if all(finding.builds and finding.runs and finding.workflow for finding in findings) else 1


def _try_apart(name: str) -> Finding:
    """Try one version or manager in a home of its own."""
    with tempfile.TemporaryDirectory(prefix="mastra-admin-compatibility-") as folder:
        home = open_home(Path(folder) / "home")
        finding = try_manager(home, name) if name in MANAGERS else try_version(home, name)
    print(json.dumps(asdict(finding)), file=sys.stderr, flush=True)
    return finding


def try_version(home: Home, version: str) -> Finding:
    """Build the app on one version of Mastra without a lock file and without a CLI of its own, run it and call it."""
    folder = home.path / "project"
    _write_project(folder, version)
    return _try(home, folder, PackageManager.NPM, Finding(version))


def try_manager(home: Home, name: str) -> Finding:
    """Build the app on the newest Mastra with a package manager and a lock file of it, run it and call it."""
    folder = home.path / "project"
    kind = PackageManager(name)
    _write_project(folder, VERSIONS[-1], cli=CLI_OF_NEWEST)
    manager = lock_project(home, kind, folder, os.environ)
    return _try(home, folder, kind, Finding(VERSIONS[-1], manager.name, cli=CLI_OF_NEWEST))


# --- the app ----------------------------------------------------------------------------------------------------------


def _write_project(folder: Path, version: str, *, cli: str | None = None) -> None:
    shutil.copytree(PROJECTS / "any_mastra", folder)
    package = json.loads((folder / "package.json").read_text())
    package["dependencies"]["@mastra/core"] = version
    if cli:
        package["devDependencies"] = {"mastra": cli}
    (folder / "package.json").write_text(json.dumps(package))


# --- trying -----------------------------------------------------------------------------------------------------------


def _try(home: Home, folder: Path, kind: PackageManager, finding: Finding) -> Finding:
    runner = make_runner(home)
    started = time.monotonic()
    try:
        artifact = _build(home, runner, folder, kind)
    except MastraAdminError as exc:
        return replace(finding, trouble=_explain(exc))
    cli = finding.cli or _name_cli(artifact)
    built = replace(finding, builds=True, cli=cli, build_s=round(time.monotonic() - started, 1))
    return _run(home, runner, artifact, built)


def _build(home: Home, runner: LocalRunner, folder: Path, kind: PackageManager) -> Artifact:
    workspace = home.workspaces / "build"
    shutil.copytree(folder, workspace)
    source = SourceProject("source", "any-mastra", str(folder), package_manager=kind)
    request = BuildRequest("build", source, workspace, home.artifacts / "build")
    with LineLog(home.build_logs / "build.log") as log:
        artifact = runner.build(request, log, never, lambda _: None)
        runner.settle_build("build", workspace, succeeded=False)
    return artifact


def _name_cli(artifact: Artifact) -> str | None:
    for note in artifact.notes:
        if "CLI of its own: mastra " in note:
            return note.split("CLI of its own: mastra ")[1].split(",")[0]
    return None


def _run(home: Home, runner: LocalRunner, artifact: Artifact, finding: Finding) -> Finding:
    spec = make_spec(home, artifact, port=find_free_port())
    server = runner.start(spec)
    try:
        runner.wait_healthy(server, _HEALTH_SECONDS, never)
        listening = find_listening(server.process_id, server.pid, spec.port)
        finding = replace(finding, runs=True, health=_ask_health(spec.port), loopback_only=listening is Listening.OURS)
        finding = replace(finding, workflow=_run_workflow(spec.port))
        return _await_spans(runner, server, spec, finding)
    except (MastraAdminError, OSError) as exc:
        return replace(finding, trouble=_explain(exc))
    finally:
        runner.stop(server, 10)


def _ask_health(port: int) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as exc:
        exc.close()
        return exc.code


def _run_workflow(port: int) -> bool:
    """Run the app's workflow over the API, in the way that all versions know: a run is made first, then started."""
    body = {"inputData": {"name": "Ada"}}
    created = _post(port, "/api/workflows/greeting/create-run", {})
    answer = _post(port, f"/api/workflows/greeting/start-async?runId={created['runId']}", body)
    return "Hello, Ada" in json.dumps(answer)


def _post(port: int, path: str, body: Any) -> Any:
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def _await_spans(runner: LocalRunner, server: ServerIdentity, spec: ServerSpec, finding: Finding) -> Finding:
    """Wait for what has to be written, and count it. Without tracing, the console's line is all there will be."""
    status = runner.read_trace_status(server)
    deadline = time.monotonic() + _TELEMETRY_SECONDS
    spans = console = 0
    while time.monotonic() < deadline and not (console and (spans or not status.get("traced"))):
        time.sleep(0.1)
        spans = _count(spec.telemetry_dir / "spans", '"type":"span"')
        console = _count(spec.telemetry_dir / "logs", "greeting Ada")
    reason = str(status.get("reason") or "")
    return replace(finding, traced=bool(status.get("traced") and spans), spans=spans, console=console, reason=reason)


def _count(folder: Path, sign: str) -> int:
    texts = [path.read_text() for path in folder.glob("*.jsonl*")]
    return sum(sign in line for text in texts for line in text.splitlines())


def _explain(exc: Exception) -> str:
    tail = " | ".join(list(getattr(exc, "evidence", {}).get("log_tail", ()))[-5:])
    return f"{getattr(exc, 'message', exc)} {tail}".strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
