"""Each package manager for real: brought from the registry, a lock file made with it and followed, a server that runs.

The Mastra CLI is a stand-in and all packages lie in the project, so only the managers themselves are downloaded. Lock
files are made here: what a registry's address is, is nothing to keep.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fixtures.managers import YARN_4, lock_project
from fixtures.servers import PROJECTS, get, make_spec, never, open_clean_home

from mastra_admin_sdk.adapters.runner.local import LocalRunner
from mastra_admin_sdk.errors import CommandFailed
from mastra_admin_sdk.home import Home
from mastra_admin_sdk.linelog import LineLog, read_lines
from mastra_admin_sdk.models import Artifact, BuildRequest, PackageManager, SourceProject, new_id

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

NPM, PNPM, YARN, BUN = PackageManager.NPM, PackageManager.PNPM, PackageManager.YARN, PackageManager.BUN

# PATH without package managers: what is tested is how they are brought.
ENVIRONMENT = {**os.environ, "PATH": "/usr/bin:/bin"}


@dataclass(frozen=True)
class Case:
    """A manager, what package.json says about it, and what is expected of it."""

    kind: PackageManager
    name: str
    frozen: str
    declared: str | None = None
    files: tuple[tuple[str, str], ...] = ()


CASES = [
    pytest.param(Case(NPM, "npm@", "npm ci --include=dev"), id="npm"),
    pytest.param(Case(NPM, "npm@9.9.4", "npm ci --include=dev", "npm@9.9.4"), id="npm-of-another-major"),
    pytest.param(Case(PNPM, "pnpm@10.34.9", "pnpm install --frozen-lockfile"), id="pnpm"),
    pytest.param(
        Case(
            PNPM, "pnpm@9.15.9", "pnpm install --frozen-lockfile", "pnpm@9.15.9+sha512.68046141893c66fad01c079231128e9a"
        ),
        id="pnpm-9-with-a-hash",
    ),
    pytest.param(Case(PNPM, "pnpm@8.15.9", "pnpm install --frozen-lockfile", "pnpm@8.15.9"), id="pnpm-8"),
    pytest.param(Case(YARN, "yarn@1.22.22", "yarn install --frozen-lockfile"), id="yarn-classic"),
    pytest.param(
        Case(YARN, "yarn@4.18.1", "yarn install --immutable", files=((".yarnrc.yml", YARN_4),)), id="yarn-berry"
    ),
    pytest.param(Case(YARN, "yarn@3.8.7", "yarn install --immutable", "yarn@3.8.7"), id="yarn-3"),
    pytest.param(Case(BUN, "bun@1.4.5", "bun install --frozen-lockfile"), id="bun"),
]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with open_clean_home(tmp_path / "a home") as made:
        yield made


@pytest.fixture
def runner(home: Home) -> LocalRunner:
    return LocalRunner(home, environment=ENVIRONMENT)


def change(folder: Path, **fields: Any) -> None:
    path = folder / "package.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def write_project(folder: Path, case: Case) -> Path:
    shutil.copytree(PROJECTS / "tiny_build", folder)
    if case.declared:
        change(folder, packageManager=case.declared)
    for name, text in case.files:
        (folder / name).write_text(text)
    return folder


def make_request(home: Home, kind: PackageManager, folder: Path, subdir: str = "") -> BuildRequest:
    build_id = new_id()
    shutil.copytree(folder, home.workspaces / build_id)
    source = SourceProject("source", "tiny", str(folder), package_manager=kind, workspace_root=str(folder))
    return BuildRequest(build_id, source, home.workspaces / build_id, home.artifacts / build_id, subdir=subdir)


def build(home: Home, runner: LocalRunner, request: BuildRequest) -> tuple[Artifact, list[str]]:
    with LineLog(home.build_logs / f"{request.build_id}.log") as log:
        artifact = runner.build(request, log, never, lambda _: None)
        runner.settle_build(request.build_id, request.workspace, succeeded=False)
    return artifact, [line.text for line in read_lines(log.path)]


def check_server(home: Home, runner: LocalRunner, artifact: Artifact) -> None:
    spec = make_spec(home, artifact)
    server = runner.start(spec)
    try:
        runner.wait_healthy(server, 60, never)
        assert get(spec.port, "/health") == {"success": True}
    finally:
        runner.stop(server, 10)


@pytest.mark.parametrize("case", CASES)
def test_a_locked_project_is_installed_built_and_run(
    home: Home, runner: LocalRunner, tmp_path: Path, case: Case
) -> None:
    folder = write_project(tmp_path / "project", case)
    manager = lock_project(home, case.kind, folder, ENVIRONMENT)
    assert manager.name.startswith(case.name)
    request = make_request(home, case.kind, folder)
    assert runner.read_fingerprint(request.project).endswith(f"/{manager.name}")
    artifact, told = build(home, runner, request)
    assert any(text.startswith(f"Package manager: {manager.name}") for text in told)
    assert f"$ {case.frozen}" in told
    assert not any("no lock file" in note for note in artifact.notes)
    check_server(home, runner, artifact)


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.id in {"npm", "pnpm", "yarn-classic", "yarn-berry", "bun"}]
)
def test_a_lock_file_that_does_not_agree_is_named_with_what_to_do(
    home: Home, runner: LocalRunner, tmp_path: Path, case: Case
) -> None:
    folder = write_project(tmp_path / "project", case)
    lock_project(home, case.kind, folder, ENVIRONMENT)
    extra = folder / "packages" / "extra"
    extra.mkdir()
    (extra / "package.json").write_text('{"name": "extra", "version": "1.0.0"}')
    manifest = json.loads((folder / "package.json").read_text())
    change(folder, dependencies={**manifest["dependencies"], "extra": "file:./packages/extra"})
    with pytest.raises(CommandFailed) as caught:
        build(home, runner, make_request(home, case.kind, folder))
    assert caught.value.evidence["command"] == case.frozen
    assert f"run `{case.kind} install` in the project" in caught.value.hint


@pytest.mark.parametrize(
    ("made_by", "name"),
    [
        pytest.param("pnpm@7.33.0", "pnpm@7.33.7", id="pnpm-7"),
        pytest.param("pnpm@9.0.0", "pnpm@10.34.9", id="pnpm-9"),
        pytest.param("pnpm@12.21.0", "pnpm@10.34.9", id="pnpm-12"),
        pytest.param("yarn@3.2.4", "yarn@3.8.7", id="yarn-3"),
        pytest.param("yarn@4.0.1", "yarn@4.0.2", id="yarn-4.0"),
        pytest.param("yarn@4.5.0", "yarn@4.12.0", id="yarn-4"),
        pytest.param("bun@1.2.23", "bun@1.4.5", id="bun-1.2"),
    ],
)
def test_a_lock_file_of_another_version_is_followed(
    home: Home, runner: LocalRunner, tmp_path: Path, made_by: str, name: str
) -> None:
    kind = PackageManager(made_by.partition("@")[0])
    folder = write_project(tmp_path / "project", Case(kind, name, "", declared=made_by))
    assert lock_project(home, kind, folder, ENVIRONMENT).name == made_by
    change(folder, packageManager="")
    _, told = build(home, runner, make_request(home, kind, folder))
    assert f"Package manager: {name} (from registry)" in told


@pytest.mark.parametrize("case", [case for case in CASES if case.id in {"pnpm", "yarn-berry", "bun"}])
def test_a_project_without_a_lock_file_is_built_and_told_so(
    home: Home, runner: LocalRunner, tmp_path: Path, case: Case
) -> None:
    folder = write_project(tmp_path / "project", case)
    artifact, _ = build(home, runner, make_request(home, case.kind, folder))
    assert any(f"There is no lock file of {case.kind}" in note for note in artifact.notes)
    check_server(home, runner, artifact)


# --- workspaces -------------------------------------------------------------------------------------------------------

# Built by a program of its own, which leaves out what a copy leaves out: its output.
SHARED = {
    "name": "@acme/shared",
    "version": "1.0.0",
    "type": "module",
    "main": "./dist/index.js",
    "scripts": {"build": "node build.mjs"},
}
BUILD_SHARED = """
import fs from 'node:fs';
fs.mkdirSync('dist', { recursive: true });
fs.writeFileSync('dist/index.js', 'export const greeting = "hello from shared";');
"""
# Fails like a bundler where the sibling isn't built.
NEEDS_SHARED = "\nimport { greeting } from '@acme/shared';\nconsole.log(greeting);\n"

WORKSPACES = [
    pytest.param(Case(NPM, "npm@", "npm ci --include=dev"), id="npm"),
    pytest.param(Case(PNPM, "pnpm@10.34.9", "pnpm install --frozen-lockfile"), id="pnpm"),
    pytest.param(Case(YARN, "yarn@1.22.22", "yarn install --frozen-lockfile"), id="yarn-classic"),
    pytest.param(
        Case(YARN, "yarn@4.18.1", "yarn install --immutable", files=((".yarnrc.yml", YARN_4),)), id="yarn-berry"
    ),
    pytest.param(Case(BUN, "bun@1.4.5", "bun install --frozen-lockfile"), id="bun"),
]


def write_workspace(root: Path, case: Case) -> None:
    """Write a monorepo: the project in apps/agent, a package that it uses, and stand-ins of Mastra as members."""
    shutil.copytree(PROJECTS / "tiny_build" / "packages", root / "packages")
    project = root / "apps" / "agent"
    project.mkdir(parents=True)
    shutil.copy(PROJECTS / "tiny_build" / "server.mjs", project)
    cli = root / "packages" / "mastra" / "cli.mjs"
    head, _, rest = cli.read_text().partition("\n")
    cli.write_text(f"{head}{NEEDS_SHARED}{rest}")
    version = "*" if case.kind is NPM or case.name == "yarn@1.22.22" else "workspace:*"
    (project / "package.json").write_text(
        json.dumps(
            {
                "name": "agent",
                "version": "1.0.0",
                "type": "module",
                "dependencies": {"@mastra/core": version, "@acme/shared": version},
                "devDependencies": {"mastra": version},
            }
        )
    )
    shared = root / "packages" / "shared"
    shared.mkdir()
    (shared / "package.json").write_text(json.dumps(SHARED))
    (shared / "build.mjs").write_text(BUILD_SHARED)
    change(root / "packages" / "mastra", dependencies={"@acme/shared": version})
    change(root / "packages" / "core", version="1.71.0")
    members = ["apps/*", "packages/*"]
    (root / "package.json").write_text(json.dumps({"name": "acme", "private": True, "workspaces": members}))
    if case.kind is PNPM:
        (root / "pnpm-workspace.yaml").write_text("packages:\n  - 'apps/*'\n  - 'packages/*'\n")
    for name, text in case.files:
        (root / name).write_text(text)


@pytest.mark.parametrize("case", WORKSPACES)
def test_a_project_of_a_workspace_is_built_with_the_siblings_that_it_uses(
    home: Home, runner: LocalRunner, tmp_path: Path, case: Case
) -> None:
    root = tmp_path / "monorepo"
    root.mkdir()
    write_workspace(root, case)
    lock_project(home, case.kind, root, ENVIRONMENT)
    artifact, told = build(home, runner, make_request(home, case.kind, root, "apps/agent"))
    assert f"$ {case.frozen}" in told
    assert "@acme/shared, which the project uses, has no dist/index.js: it is built first." in told
    assert told.index(f"$ {case.kind} run build") < told.index("$ mastra build")
    assert "hello from shared" in told
    assert artifact.mastra_version == "1.71.0"
    check_server(home, runner, artifact)
