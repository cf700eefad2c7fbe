"""The install step of a build: what the cache has is laid in, everything else is installed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import commands
from .cache.keeper import BuildCache, look_at_modules
from .cache.keys import Installer, list_install_scripts, list_members_with_scripts, make_tree_key
from .cache.store import Laid
from .cache.trees import Snapshot
from .packages import read_package
from .shop import Shop


@dataclass(frozen=True, slots=True)
class Installation:
    """What was installed, and how: ``state`` is ``hit``, ``miss`` or ``off``.

    ``base`` is its key in the cache, if there can be one; after a miss ``key`` and ``snapshot`` say what to keep of it.
    ``laid`` is what the cache gave.
    """

    cli: Path
    state: str
    base: str | None = None
    key: str | None = None
    snapshot: Snapshot | None = None
    laid: Laid | None = None


@dataclass(frozen=True, slots=True)
class Installing:
    """``execute`` runs a command in a folder, ``say`` writes to the log, ``add_cli`` installs the Mastra CLI."""

    shop: Shop
    cache: BuildCache | None
    execute: Callable[[commands.Command, Path], None]
    say: Callable[[str], None]
    add_cli: Callable[[], None]

    def run(self, *, is_locked: bool) -> Installation:
        """Make the project's dependencies be there, and a Mastra CLI among them."""
        base = self._make_key() if self.cache and is_locked else None
        laid = self._lay(base) if base and not self.shop.fresh else None
        if laid is None:
            self._install(is_locked)
        cli = self.shop.find_cli()
        if cli is None:
            self.add_cli()
            cli = self.shop.find_cli()
        assert cli is not None  # add_cli sees to it
        if laid or base is None:
            return Installation(cli, "hit" if laid else "off", base, laid=laid)
        return Installation(cli, "miss", base, base, look_at_modules(self.shop.root))

    def _make_key(self) -> str | None:
        shop = self.shop
        with_scripts = list_members_with_scripts(shop.root, shop.folder)
        if with_scripts:
            # What they do may depend on any file, and reach any.
            self.say(f"Dependencies are installed anew: {', '.join(with_scripts[:3])} has install scripts.")
            return None
        installer = Installer(shop.manager.kind.value, shop.manager.version, shop.tools.version)
        return make_tree_key(shop.root, installer, configuration=self._list_configuration())

    def _list_configuration(self) -> list[Path]:
        home = self.shop.env.get("HOME")
        return [Path(home) / name for name in (".npmrc", ".yarnrc.yml")] if home else []

    def _lay(self, key: str) -> Laid | None:
        assert self.cache is not None
        scripts = self._list_scripts()
        try:
            laid = self.cache.modules.lay(key, self.shop.root, own=bool(scripts))
        except (OSError, TimeoutError) as exc:
            # Installing it anew is always possible.
            self.say(f"The cached dependencies could not be used: {exc}")
            return None
        if laid is None:
            self.say("No earlier build has installed these dependencies, or what it installed was changed since.")
            return None
        how = "linked" if laid.linked else "copied"
        self.say(f"Took {laid.files} files of installed dependencies from the cache ({how}).")
        try:
            for command, folder in scripts:
                self.execute(command, folder)
        except BaseException:
            laid.use.close()
            raise
        return laid

    def _list_scripts(self) -> list[tuple[commands.Command, Path]]:
        """Return the project's own install scripts: they may write anywhere in the source, so they run each time."""
        shop = self.shop
        folders = dict.fromkeys((shop.root, shop.folder))
        return [
            (commands.make_run(shop.manager.kind, shop.manager.program, name), folder)
            for folder in folders
            for name in _pick_scripts(list_install_scripts(read_package(folder)))
        ]

    def _install(self, is_locked: bool) -> None:
        manager = self.shop.manager
        command = commands.make_install(
            manager.kind, manager.program, has_lockfile=is_locked, is_modern_yarn=manager.is_modern_yarn
        )
        self.execute(command, self.shop.root)


def _pick_scripts(names: tuple[str, ...]) -> list[str]:
    """Return what is to be run by name: a package manager runs what belongs before and after a script along with it."""
    along = {f"{place}{name}" for name in names for place in ("pre", "post")}
    return [name for name in names if name not in along]
