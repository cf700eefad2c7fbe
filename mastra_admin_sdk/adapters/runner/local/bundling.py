"""The build step of a build: `mastra build`, whose own install uses the cache, and what tracing needs in its output."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mastra_admin_sdk.errors import BuildCancelled, BuildError, CommandFailed
from mastra_admin_sdk.folders import remove_tree
from mastra_admin_sdk.ports.runner import LogSink

from . import commands, packages
from .cache.keeper import BuildCache
from .cache.launcher import PLAN_VARIABLE, InstallPlan, InstallReport, dump_plan, read_report, write_launchers
from .cache.trees import find_modules
from .companions import Companions
from .installing import Installation
from .shop import Shop
from .siblings import list_unbuilt

CORE = "@mastra/core"
OBSERVABILITY = "@mastra/observability"
ENTRY = "index.mjs"


@dataclass(frozen=True, slots=True)
class Bundling:
    """``tools`` is where launchers are kept; ``execute`` runs a command in a folder, ``note`` tells people."""

    shop: Shop
    installation: Installation
    companions: Companions
    cache: BuildCache | None
    tools: Path
    execute: Callable[[commands.Command, Path], None]
    note: Callable[[str], None]
    log: LogSink

    def build(self, env: Mapping[str, str]) -> InstallReport:
        """Run `mastra build` with the project's variables, and return how its own install went."""
        shop = self.shop
        self._build_siblings()
        studio = packages.wants_studio(shop.folder)
        command = commands.make_mastra_build(shop.tools.node, self.installation.cli, env, studio=studio)
        path = f"{self._write_launchers()}{os.pathsep}{shop.env['PATH']}"
        extra = {PLAN_VARIABLE: dump_plan(self._make_plan()), "PATH": path}
        self._run(replace(command, env={**command.env, **extra}))
        entry = shop.output / ENTRY
        if not entry.is_file():
            raise BuildError(
                f"`mastra build` ended well and left no .mastra/output/{ENTRY}.",
                hint="Is there a src/mastra/index.ts that exports `mastra`?",
                evidence={"log_tail": self.log.tail(20)},
            )
        return read_report(shop.output)

    def add_observability(self) -> str | None:
        """Give the output what the tracing module needs, and return its version; without it nothing is traced."""
        shop = self.shop
        present = packages.find_version(shop.output, OBSERVABILITY)
        core = packages.find_version(shop.output, CORE)
        if present or core is None:
            if core is None:
                self.note(f"Not traced: {CORE} is bundled into the built output, not a package of it.")
            elif OBSERVABILITY not in (packages.read_package(shop.output).get("dependencies") or {}):
                self.note(f"{OBSERVABILITY} {present} was added to the output, for tracing.")
            return present
        try:
            version = self.companions.find(OBSERVABILITY, core)
            if version is None:
                self.note(f"Not traced: no {OBSERVABILITY} is published for {CORE} {core}.")
                return None
            package = f"{OBSERVABILITY}@{version}"
            # From 1.0 on Mastra makes the output a workspace of its own for pnpm.
            is_alone = not (shop.output / "pnpm-workspace.yaml").exists()
            add = commands.make_add(shop.manager.kind, shop.manager.program, package, is_alone=is_alone)
            self.execute(add, shop.output)
        except BuildCancelled:
            raise
        except BuildError as exc:
            self.note(f"Not traced: {OBSERVABILITY} could not be added to the output ({exc.message})")
            return None
        self.note(f"{OBSERVABILITY} {version} was added to the output, for tracing.")
        return version

    # --- helpers ------------------------------------------------------------------------------------------------------

    def _build_siblings(self) -> None:
        manager = self.shop.manager
        for sibling in list_unbuilt(self.shop.folder, self.shop.root):
            text = f"{sibling.name}, which the project uses, has no {sibling.missing}: it is built first."
            self.log.write(text, stream="info")
            self.execute(commands.make_run(manager.kind, manager.program, "build"), sibling.folder)

    def _run(self, command: commands.Command) -> None:
        try:
            self.execute(command, self.shop.folder)
        except CommandFailed as exc:
            if not self._was_refused(exc):
                raise
            self.note("The build writes into its packages, which were shared with others: it runs again on copies.")
            remove_tree(self.shop.folder / ".mastra")
            self._lay_copies()
            self.execute(command, self.shop.folder)

    def _was_refused(self, error: CommandFailed) -> bool:
        """True when a command failed because files that came from the cache are read-only."""
        laid = self.installation.laid
        lines = [str(line) for line in error.evidence["log_tail"]]
        return bool(laid and laid.linked) and any("EACCES" in line and "node_modules" in line for line in lines)

    def _lay_copies(self) -> None:
        root = self.shop.root
        for top in find_modules(root):
            remove_tree(root / top)
        key = self.installation.base
        laid = self.cache.modules.lay(key, root, own=True) if self.cache and key else None
        if laid is None:
            raise BuildError("What the cache had of the dependencies is gone meanwhile.", hint="Deploy again.")
        laid.use.close()  # what was lent first is held on to until the build has ended

    def _make_plan(self) -> InstallPlan:
        shop, version = self.shop, self._find_observability()
        return InstallPlan(
            program=shop.launched,
            store=str(self.cache.outputs.folder) if self.cache else "",
            base=self.installation.base if self.cache else None,
            added=f"{OBSERVABILITY}@{version}" if version else "",
            folds=shop.is_npm,
            fresh=shop.fresh,
        )

    def _find_observability(self) -> str | None:
        core = self.shop.find_version(CORE)
        try:
            return self.companions.find(OBSERVABILITY, core) if core else None
        except BuildCancelled:
            raise
        except BuildError:
            # It is asked for once more when it is known to be needed, and told then.
            return None

    def _write_launchers(self) -> Path:
        folder = self.tools / f"build-{self.shop.fingerprint}" / "bin"
        launcher = commands.make_python_command("cache.launcher")
        write_launchers(folder, self.shop.manager.kind.value, self.shop.launched, launcher)
        return folder
