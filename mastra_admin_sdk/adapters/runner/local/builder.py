"""Turns a source copy into an artifact: install, `mastra build`, tracing package, move."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mastra_admin_sdk.errors import BuildError
from mastra_admin_sdk.folders import remove_tree
from mastra_admin_sdk.home import Home
from mastra_admin_sdk.models import Artifact, BuildRequest
from mastra_admin_sdk.ports.checks import CancelCheck
from mastra_admin_sdk.ports.runner import LogSink, PhaseCallback

from . import commands, packages
from .artifact import name_partial, take_output
from .bundling import CORE, ENTRY, OBSERVABILITY, Bundling
from .cache.keeper import BuildCache, Remains, look_at_output
from .cache.launcher import InstallReport
from .cache.matches import MatchCache
from .companions import Companions, read_locked_version
from .execution import Limits, Meter, run_command
from .installing import Installation, Installing
from .managers import Manager, has_lockfile, open_manager
from .shop import Shop
from .toolchain import Toolchain, choose_toolchain

BUILD_FORMAT = 1
"""Rises when artifacts are made in another way, so that none of before is used for what is deployed anew."""


@dataclass(frozen=True, slots=True)
class BuildLimits:
    """How long each phase may take, in seconds, what the commands may hold of memory, in MB, and their niceness."""

    install: float
    build: float
    memory_mb: int = 0
    nice: int = 10


@dataclass(slots=True)
class Builder:
    """One build: who asks, with what, and where its words go. Made for one `run` and then thrown away.

    ``cache`` is ``None`` when nothing of other builds may be used. ``remains`` are set by `run`: what is left to be put
    away once the build is live.
    """

    home: Home
    environment: Mapping[str, str] = field(repr=False)
    node: str
    limits: BuildLimits
    log: LogSink
    cancel: CancelCheck
    cache: BuildCache | None = None
    notes: list[str] = field(default_factory=list)
    remains: Remains | None = None
    _meter: Meter = field(default_factory=Meter)

    def run(self, request: BuildRequest, on_phase: PhaseCallback) -> Artifact:
        """Build, and leave the artifact or nothing."""
        self.remains = Remains(request.artifact_dir)
        try:
            return self._run(request, on_phase)
        except BaseException as exc:
            self.remains.close()
            if isinstance(exc, OSError):
                remove_tree(request.artifact_dir)
                raise BuildError(
                    f"The build of {request.project.name} failed on {exc.filename or request.workspace}: "
                    f"{exc.strerror or exc}.",
                    hint="Look at free disk space and the permissions of the home folder.",
                ) from exc
            raise
        finally:
            remove_tree(name_partial(request.artifact_dir))

    def _run(self, request: BuildRequest, on_phase: PhaseCallback) -> Artifact:
        packages.require_package(request.workspace / request.subdir)
        on_phase("install")
        started = time.monotonic()
        shop = self._open_shop(request)
        with closing(self._open_companions(shop)) as companions:
            installation = self._install(shop, companions)
            installed = time.monotonic()
            on_phase("build")
            bundling = self._open_bundling(shop, installation, companions)
            report = bundling.build(request.env)
            observability = bundling.add_observability()
        self._note_output(shop, installation, report)
        # Before 1.0 the CLI bundles the core into the output: its version is known from the install only.
        core = packages.find_version(shop.output, CORE) or shop.find_version(CORE)
        versions = packages.list_versions(shop.folder, shop.root)
        studio = "/" if (shop.output / commands.STUDIO_FOLDER / "index.html").is_file() else None
        sizes = take_output(shop.output, request.artifact_dir)
        self._say(f"The artifact is {request.artifact_dir}.")
        return Artifact(
            path=request.artifact_dir,
            entry=ENTRY,
            node=str(shop.tools.node),
            node_version=shop.tools.version,
            mastra_version=core,
            observability=observability,
            phases={"install": installed - started, "build": time.monotonic() - installed},
            notes=tuple(self.notes),
            studio=studio,
            packages=versions,
            stats={**self._sum_up(installation, report), **sizes},
        )

    # --- steps --------------------------------------------------------------------------------------------------------

    def _open_shop(self, request: BuildRequest) -> Shop:
        project = request.project
        tools = choose_toolchain(self.home, self.environment, node=self.node, node_range=project.node_range)
        self._say(f"Node {tools.version} ({tools.origin}): {tools.node}")
        for note in tools.notes:
            self._note(note)
        base = commands.pick_base(self.environment, tools.bin)
        env = commands.make_build_environment(base, self.home.path, request.build_id)
        manager = self._open_manager(request, tools, env)
        path = f"{manager.bin}{os.pathsep}{env['PATH']}" if manager.bin else env["PATH"]
        merged = {**env, **manager.env, "PATH": path}
        return Shop(request.workspace, request.workspace / request.subdir, tools, manager, merged, request.fresh)

    def _open_manager(self, request: BuildRequest, tools: Toolchain, env: Mapping[str, str]) -> Manager:
        limits = self._limit("install")
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

    def _open_companions(self, shop: Shop) -> Companions:
        def run(command: commands.Command, cancel: CancelCheck) -> str:
            limits = self._limit("install")
            return run_command(command, cwd=shop.root, env=shop.env, log=self.log, cancel=cancel, limits=limits)

        def ask(package: str, cancel: CancelCheck) -> str:
            return run(commands.make_view(shop.tools.npm, package), cancel)

        def fetch(package: str, cancel: CancelCheck) -> None:
            run(commands.make_fetch(shop.tools.npm, package), cancel)

        companions = Companions(MatchCache(self.home.cache / "matches"), ask, self.cancel, fetch)
        if core := read_locked_version(shop.root, CORE):
            companions.ask_ahead(OBSERVABILITY, core)
        return companions

    def _install(self, shop: Shop, companions: Companions) -> Installation:
        is_locked = has_lockfile(shop.root, shop.manager.kind)
        if not is_locked:
            kind = shop.manager.kind
            self._note(f"There is no lock file of {kind}: the newest versions in package.json's ranges were taken.")

        def execute(command: commands.Command, folder: Path) -> None:
            self._execute(shop, command, "install", folder)

        installing = Installing(shop, self.cache, execute, self._say, lambda: self._add_cli(shop, companions))
        installation = installing.run(is_locked=is_locked)
        if self.remains:
            self.remains.laid = installation.laid
            self.remains.modules_key, self.remains.modules = installation.key, installation.snapshot
        return installation

    def _add_cli(self, shop: Shop, companions: Companions) -> None:
        core = shop.find_version(CORE)
        if core is None:
            raise BuildError(
                f"{CORE} isn't installed in the project, so there is nothing to build.",
                hint=f"Add {CORE} to the dependencies in package.json.",
            )
        wanted = companions.find_with_needs("mastra", core)
        if not wanted:
            raise BuildError(
                f"The project has no Mastra CLI, and none is published for {CORE} {core}.",
                hint="Add `mastra` to the devDependencies in package.json.",
            )
        version = wanted[0].removeprefix("mastra@")
        self._note(
            f"The project has no Mastra CLI of its own: mastra {version}, which belongs to {CORE} {core}, was used."
        )
        manager = shop.manager
        self._execute(shop, commands.make_add(manager.kind, manager.program, *wanted), "install", shop.folder)
        if shop.find_cli() is None:
            raise BuildError(
                f"mastra {version} was installed and brought no program.", hint="Add `mastra` to package.json."
            )

    def _open_bundling(self, shop: Shop, installation: Installation, companions: Companions) -> Bundling:
        def execute(command: commands.Command, folder: Path) -> None:
            self._execute(shop, command, "build", folder)

        return Bundling(
            shop, installation, companions, self.cache, self.home.cache / "tools", execute, self._note, self.log
        )

    def _note_output(self, shop: Shop, installation: Installation, report: InstallReport) -> None:
        """Remember the output's packages as they were installed, if later builds could use them."""
        if self.remains and self.cache and report.state == "miss" and report.key and installation.base:
            self.remains.output_key, self.remains.output = report.key, look_at_output(shop.output)

    # --- helpers ------------------------------------------------------------------------------------------------------

    def _sum_up(self, installation: Installation, report: InstallReport) -> Mapping[str, Any]:
        return {
            "peak_memory_bytes": self._meter.peak,
            "dependencies": installation.state,
            "output": report.state,
        }

    def _limit(self, phase: str) -> Limits:
        seconds = self.limits.install if phase == "install" else self.limits.build
        memory = self.limits.memory_mb * 1_000_000
        return Limits(phase, seconds, memory=memory, nice=self.limits.nice, meter=self._meter)

    def _execute(self, shop: Shop, command: commands.Command, phase: str, folder: Path | None = None) -> None:
        # What a member of a workspace needs is installed at its root; everything else happens in the project.
        place = folder or (shop.root if phase == "install" else shop.folder)
        run_command(command, cwd=place, env=shop.env, log=self.log, cancel=self.cancel, limits=self._limit(phase))

    def _note(self, text: str) -> None:
        self.notes.append(text)
        self._say(text)

    def _say(self, text: str) -> None:
        self.log.write(text, stream="info")
