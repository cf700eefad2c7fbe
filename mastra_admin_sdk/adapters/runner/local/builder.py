"""Turns a source copy into an artifact: install, `mastra build`, tracing package, move."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from mastra_admin_sdk.errors import BuildCancelled, BuildError
from mastra_admin_sdk.folders import remove_tree
from mastra_admin_sdk.home import Home
from mastra_admin_sdk.models import Artifact, BuildRequest
from mastra_admin_sdk.ports.checks import CancelCheck
from mastra_admin_sdk.ports.runner import LogSink, PhaseCallback

from . import commands, packages
from .artifact import name_partial, take_output
from .execution import Limits, run_command
from .managers import Manager, has_lockfile, open_manager
from .matching import choose_version, parse_candidates
from .toolchain import Toolchain, choose_toolchain

_CORE = "@mastra/core"
_OBSERVABILITY = "@mastra/observability"
_ENTRY = "index.mjs"


@dataclass(frozen=True, slots=True)
class BuildLimits:
    """How long each phase may take, in seconds."""

    install: float
    build: float


@dataclass(slots=True)
class Builder:
    """One build: who asks, with what, and where its words go. Made for one `run` and then thrown away."""

    home: Home
    environment: Mapping[str, str] = field(repr=False)
    node: str
    limits: BuildLimits
    log: LogSink
    cancel: CancelCheck
    notes: list[str] = field(default_factory=list)

    def run(self, request: BuildRequest, on_phase: PhaseCallback) -> Artifact:
        """Build, and leave the artifact or nothing."""
        try:
            return self._run(request, on_phase)
        except OSError as exc:
            remove_tree(request.artifact_dir)
            raise BuildError(
                f"The build of {request.project.name} failed on {exc.filename or request.workspace}: "
                f"{exc.strerror or exc}.",
                hint="Look at free disk space and the permissions of the home folder.",
            ) from exc
        finally:
            remove_tree(name_partial(request.artifact_dir))
            remove_tree(request.workspace)

    def _run(self, request: BuildRequest, on_phase: PhaseCallback) -> Artifact:
        packages.require_package(request.workspace)
        on_phase("install")
        started = time.monotonic()
        shop = self._open_shop(request)
        cli = self._install(shop)
        installed = time.monotonic()
        on_phase("build")
        self._build(shop, cli, request.env)
        observability = self._add_observability(shop)
        output = request.workspace / ".mastra" / "output"
        # Before 1.0 the CLI bundles the core into the output: its version is known from the install only.
        core = packages.find_version(output, _CORE) or packages.find_version(request.workspace, _CORE)
        take_output(output, request.artifact_dir)
        self._say(f"The artifact is {request.artifact_dir}.")
        return Artifact(
            path=request.artifact_dir,
            entry=_ENTRY,
            node=str(shop.tools.node),
            node_version=shop.tools.version,
            mastra_version=core,
            observability=observability,
            phases={"install": installed - started, "build": time.monotonic() - installed},
            notes=tuple(self.notes),
        )

    # --- steps --------------------------------------------------------------------------------------------------------

    def _open_shop(self, request: BuildRequest) -> _Shop:
        project = request.project
        tools = choose_toolchain(self.home, self.environment, node=self.node, node_range=project.node_range)
        self._say(f"Node {tools.version} ({tools.origin}): {tools.node}")
        for note in tools.notes:
            self._note(note)
        base = commands.pick_base(self.environment, tools.bin)
        env = commands.make_build_environment(base, self.home.path, request.build_id)
        manager = self._open_manager(request, tools, env)
        path = f"{manager.bin}{os.pathsep}{env['PATH']}" if manager.bin else env["PATH"]
        return _Shop(request.workspace, tools, manager, {**env, **manager.env, "PATH": path})

    def _open_manager(self, request: BuildRequest, tools: Toolchain, env: Mapping[str, str]) -> Manager:
        limits = Limits("install", self.limits.install)
        manager = open_manager(
            request.project.package_manager,
            request.workspace,
            tools=tools,
            home=self.home,
            environment=self.environment,
            execute=lambda command, folder: run_command(
                command, cwd=folder, env=env, log=self.log, cancel=self.cancel, limits=limits
            ),
            cancel=self.cancel,
        )
        self._say(f"Package manager: {manager.name} (from {manager.origin})")
        for note in manager.notes:
            self._note(note)
        return manager

    def _install(self, shop: _Shop) -> Path:
        manager = shop.manager
        is_locked = has_lockfile(shop.folder, manager.kind)
        if not is_locked:
            self._note(
                f"There is no lock file of {manager.kind}: the newest versions in package.json's ranges were taken."
            )
        install = commands.make_install(
            manager.kind, manager.program, has_lockfile=is_locked, is_modern_yarn=manager.is_modern_yarn
        )
        self._execute(shop, install, "install")
        return packages.find_cli(shop.folder) or self._add_cli(shop)

    def _add_cli(self, shop: _Shop) -> Path:
        core = packages.find_version(shop.folder, _CORE)
        if core is None:
            raise BuildError(
                f"{_CORE} isn't installed in the project, so there is nothing to build.",
                hint=f"Add {_CORE} to the dependencies in package.json.",
            )
        version = self._match(shop, "mastra", core)
        if version is None:
            raise BuildError(
                f"The project has no Mastra CLI, and none is published for {_CORE} {core}.",
                hint="Add `mastra` to the devDependencies in package.json.",
            )
        self._note(
            f"The project has no Mastra CLI of its own: mastra {version}, which belongs to {_CORE} {core}, was used."
        )
        self._execute(shop, commands.make_add(shop.manager.kind, shop.manager.program, f"mastra@{version}"), "install")
        cli = packages.find_cli(shop.folder)
        if cli is None:
            raise BuildError(
                f"mastra {version} was installed and brought no program.", hint="Add `mastra` to package.json."
            )
        return cli

    def _build(self, shop: _Shop, cli: Path, env: Mapping[str, str]) -> None:
        self._execute(shop, commands.make_mastra_build(shop.tools.node, cli, env), "build")
        entry = shop.output / _ENTRY
        if not entry.is_file():
            raise BuildError(
                f"`mastra build` ended well and left no .mastra/output/{_ENTRY}.",
                hint="Is there a src/mastra/index.ts that exports `mastra`?",
                evidence={"log_tail": self.log.tail(20)},
            )

    def _add_observability(self, shop: _Shop) -> str | None:
        """Give the output what the tracing module needs, and return its version; without it nothing is traced."""
        present = packages.find_version(shop.output, _OBSERVABILITY)
        core = packages.find_version(shop.output, _CORE)
        if present or core is None:
            if core is None:
                self._note(f"Not traced: {_CORE} is bundled into the built output, not a package of it.")
            return present
        try:
            version = self._match(shop, _OBSERVABILITY, core)
            if version is None:
                self._note(f"Not traced: no {_OBSERVABILITY} is published for {_CORE} {core}.")
                return None
            inside = replace(shop, folder=shop.output)
            add = commands.make_add(shop.manager.kind, shop.manager.program, f"{_OBSERVABILITY}@{version}")
            self._execute(inside, add, "build")
        except BuildCancelled:
            raise
        except BuildError as exc:
            self._note(f"Not traced: {_OBSERVABILITY} could not be added to the output ({exc.message})")
            return None
        self._note(f"{_OBSERVABILITY} {version} was added to the output, for tracing.")
        return version

    # --- helpers ------------------------------------------------------------------------------------------------------

    def _match(self, shop: _Shop, package: str, core: str) -> str | None:
        output = self._execute(shop, commands.make_view(shop.tools.npm, package), "install")
        try:
            return choose_version(parse_candidates(output), core)
        except ValueError as exc:
            raise BuildError(
                f"npm's answer on the versions of {package} can't be read: {exc}.", hint="Try again."
            ) from exc

    def _execute(self, shop: _Shop, command: commands.Command, phase: str) -> str:
        limits = Limits(phase, self.limits.install if phase == "install" else self.limits.build)
        return run_command(command, cwd=shop.folder, env=shop.env, log=self.log, cancel=self.cancel, limits=limits)

    def _note(self, text: str) -> None:
        self.notes.append(text)
        self._say(text)

    def _say(self, text: str) -> None:
        self.log.write(text, stream="info")


@dataclass(frozen=True, slots=True)
class _Shop:
    """Where a build works, and its tools."""

    folder: Path
    tools: Toolchain
    manager: Manager
    env: Mapping[str, str] = field(repr=False)

    @property
    def output(self) -> Path:
        return self.folder / ".mastra" / "output"
