"""Trees of installed packages: stored, laid into builds, guarded against what builds do, trimmed."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from mastra_admin_sdk.adapters.runner.local.cache import pool as pools
from mastra_admin_sdk.adapters.runner.local.cache.keeper import BuildCache, Remains, look_at_modules
from mastra_admin_sdk.adapters.runner.local.cache.store import TreeStore
from mastra_admin_sdk.adapters.runner.local.cache.trees import Unstorable, find_modules, scan_tree


@pytest.fixture
def store(tmp_path: Path) -> TreeStore:
    return TreeStore(tmp_path / "store")


def install(root: Path, **files: str) -> Path:
    """Make what an install might: files, a program, a link to it, an empty folder."""
    modules = root / "node_modules"
    (modules / "left" / "empty").mkdir(parents=True)
    (modules / ".bin").mkdir()
    for name, text in {"index.js": "left", "again.js": "left", **files}.items():
        (modules / "left" / name).write_text(text)
    (modules / "left" / "cli.js").write_text("#!/usr/bin/env node\n")
    (modules / "left" / "cli.js").chmod(0o755)
    (modules / ".bin" / "left").symlink_to("../left/cli.js")
    return root


def keep(store: TreeStore, root: Path, key: str = "key") -> int:
    return store.keep(key, root, scan_tree(root, find_modules(root)))


def read(root: Path, name: str = "index.js") -> str:
    return (root / "node_modules" / "left" / name).read_text()


def lay(store: TreeStore, root: Path, key: str = "key", *, own: bool = False) -> bool:
    root.mkdir(exist_ok=True)
    laid = store.lay(key, root, own=own)
    if laid:
        laid.use.close()
    return laid is not None


def test_a_tree_comes_back_with_modes_links_and_empty_folders(store: TreeStore, tmp_path: Path) -> None:
    keep(store, install(tmp_path / "first"))
    assert lay(store, tmp_path / "second")
    modules = tmp_path / "second" / "node_modules"
    assert read(tmp_path / "second") == "left"
    assert os.readlink(modules / ".bin" / "left") == "../left/cli.js"
    assert os.access(modules / ".bin" / "left", os.X_OK)
    assert not stat.S_IMODE((modules / "left" / "index.js").stat().st_mode) & 0o111
    assert list((modules / "left" / "empty").iterdir()) == []


def test_a_project_without_a_stored_tree_gets_nothing(store: TreeStore, tmp_path: Path) -> None:
    assert not lay(store, tmp_path / "second", "unknown")
    assert list((tmp_path / "second").iterdir()) == []


def test_equal_files_of_different_trees_are_stored_once(store: TreeStore, tmp_path: Path) -> None:
    keep(store, install(tmp_path / "first"), "one")
    before = sum(1 for _ in store.pool.list_paths())
    keep(store, install(tmp_path / "second", **{"more.js": "more"}), "two")
    assert sum(1 for _ in store.pool.list_paths()) == before + 1


def test_a_file_that_somebody_else_shares_is_copied(store: TreeStore, tmp_path: Path) -> None:
    root = install(tmp_path / "first")
    os.link(root / "node_modules" / "left" / "index.js", tmp_path / "theirs")
    keep(store, root)
    (tmp_path / "theirs").write_text("theirs")
    assert stat.S_IMODE((tmp_path / "theirs").stat().st_mode) & 0o200
    assert lay(store, tmp_path / "second")
    assert read(tmp_path / "second") == "left"


def test_a_write_through_a_link_is_found_before_the_next_build(store: TreeStore, tmp_path: Path) -> None:
    keep(store, install(tmp_path / "first"))
    lay(store, tmp_path / "second")
    poison(tmp_path / "second")
    assert not lay(store, tmp_path / "third")
    assert list((tmp_path / "third").iterdir()) == []
    keep(store, install(tmp_path / "fourth"))
    assert lay(store, tmp_path / "fifth")
    assert read(tmp_path / "fifth") == "left"


def test_a_write_through_a_link_is_found_after_the_build(store: TreeStore, tmp_path: Path) -> None:
    keep(store, install(tmp_path / "first"))
    lay(store, tmp_path / "second")
    assert store.inspect("key") == 0
    poison(tmp_path / "second")
    assert store.inspect("key") > 0
    assert not lay(store, tmp_path / "third")


def test_other_trees_with_the_poisoned_file_are_not_handed_out_either(store: TreeStore, tmp_path: Path) -> None:
    keep(store, install(tmp_path / "first"), "one")
    keep(store, install(tmp_path / "second", **{"more.js": "more"}), "two")
    lay(store, tmp_path / "third", "one")
    poison(tmp_path / "third")
    assert not lay(store, tmp_path / "fourth", "two")


def test_a_file_that_was_replaced_poisons_nothing(store: TreeStore, tmp_path: Path) -> None:
    keep(store, install(tmp_path / "first"))
    lay(store, tmp_path / "second")
    target = tmp_path / "second" / "node_modules" / "left" / "index.js"
    target.unlink()
    target.write_text("mine")
    assert lay(store, tmp_path / "third")
    assert read(tmp_path / "third") == "left"


def test_copies_of_its_own_can_be_written(store: TreeStore, tmp_path: Path) -> None:
    keep(store, install(tmp_path / "first"))
    assert lay(store, tmp_path / "second", own=True)
    (tmp_path / "second" / "node_modules" / "left" / "index.js").write_text("mine")
    assert lay(store, tmp_path / "third")
    assert read(tmp_path / "third") == "left"


def test_a_file_with_as_many_links_as_a_file_system_allows_is_copied(
    store: TreeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(store, install(tmp_path / "first"))

    def refuse(*_: object) -> None:
        raise OSError(31, "Too many links")

    monkeypatch.setattr(pools.os, "link", refuse)
    assert lay(store, tmp_path / "second")
    assert read(tmp_path / "second") == "left"


def test_what_a_build_adds_is_not_stored_and_what_it_changes_stops_it(store: TreeStore, tmp_path: Path) -> None:
    root = install(tmp_path / "first")
    before = scan_tree(root, find_modules(root))
    (root / "node_modules" / ".cache").mkdir()
    (root / "node_modules" / ".cache" / "volatile").write_text("x")
    store.keep("key", root, before)
    assert lay(store, tmp_path / "second")
    assert not (tmp_path / "second" / "node_modules" / ".cache").exists()

    other = install(tmp_path / "third")
    before = scan_tree(other, find_modules(other))
    (other / "node_modules" / "left" / "index.js").write_text("built")
    with pytest.raises(Unstorable, match=r"left/index\.js was changed"):
        store.keep("another", other, before)
    assert not lay(store, tmp_path / "fourth", "another")


@pytest.mark.parametrize("target", ["/etc/hosts", "../../outside"], ids=["absolute", "outside"])
def test_a_link_that_leads_outside_stops_it(store: TreeStore, tmp_path: Path, target: str) -> None:
    root = install(tmp_path / "first")
    (root / "node_modules" / "out").symlink_to(target)
    with pytest.raises(Unstorable, match="leads to a place outside"):
        keep(store, root)


def test_a_pipe_among_the_packages_stops_it(tmp_path: Path) -> None:
    root = install(tmp_path / "first")
    os.mkfifo(root / "node_modules" / "pipe")
    assert look_at_modules(root) is None


def test_a_broken_list_counts_as_missing(store: TreeStore, tmp_path: Path) -> None:
    keep(store, install(tmp_path / "first"))
    (store.folder / "trees" / "key" / "tree.json").write_text('{"format": 99}')
    assert not lay(store, tmp_path / "second")


def test_nested_folders_of_packages_belong_to_the_tree(store: TreeStore, tmp_path: Path) -> None:
    root = install(tmp_path / "first")
    install(root / "packages" / "app")
    keep(store, root)
    assert lay(store, tmp_path / "second")
    assert read(tmp_path / "second" / "packages" / "app") == "left"


def poison(root: Path) -> None:
    """Write into a linked file in place, as the owner of the machine may even though it is read-only."""
    target = root / "node_modules" / "left" / "index.js"
    target.chmod(0o644)
    target.write_text("evil")


# --- two stores, and their size ---------------------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path: Path) -> BuildCache:
    return BuildCache(tmp_path / "cache")


def fill(cache: BuildCache, root: Path, key: str, text: str) -> None:
    install(root, **{"big.js": text * 50_000})
    keep(cache.modules, root, key)


def test_builds_and_artifacts_share_no_file(cache: BuildCache, tmp_path: Path) -> None:
    modules, artifact = install(tmp_path / "workspace"), install(tmp_path / "artifact")
    remains = Remains(
        artifact,
        modules_key="one",
        modules=look_at_modules(modules),
        output_key="two",
        output=look_at_modules(artifact),
    )
    cache.put_away(remains, modules)
    lay(cache.modules, tmp_path / "next", "one")
    poison(tmp_path / "next")
    assert read(artifact) == "left"
    assert lay(cache.outputs, tmp_path / "later", "two")


def test_what_was_not_used_longest_goes_first(cache: BuildCache, tmp_path: Path) -> None:
    for number, name in enumerate(("old", "middle", "new")):
        fill(cache, tmp_path / name, name, name)
        used = cache.modules.folder / "trees" / name / "tree.json"
        os.utime(used, (1_000_000 + number, 1_000_000 + number))
    lay(cache.modules, tmp_path / "again", "old")
    held = cache.measure()
    said = cache.trim(held - 1, dry_run=True)
    assert cache.measure() == held
    removed = cache.trim(held - 1)
    assert [Path(item.path).name for item in removed] == ["middle"]
    assert [item.path for item in said] == [item.path for item in removed]
    assert removed[0].bytes <= held - cache.measure()
    assert lay(cache.modules, tmp_path / "b", "old")
    assert not lay(cache.modules, tmp_path / "c", "middle")


def test_what_a_build_uses_stays(cache: BuildCache, tmp_path: Path) -> None:
    fill(cache, tmp_path / "first", "used", "x")
    (tmp_path / "second").mkdir()
    laid = cache.modules.lay("used", tmp_path / "second")
    assert laid
    assert cache.trim(0) == []
    laid.use.close()
    assert len(cache.trim(0)) == 1
    assert cache.measure() == 0


def test_files_that_no_tree_names_are_swept(cache: BuildCache, tmp_path: Path) -> None:
    fill(cache, tmp_path / "first", "key", "x")
    stray = cache.modules.folder / "files" / "ab" / "half"
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"x" * 10_000)
    assert cache.modules.sweep() >= 10_000
    assert not stray.exists()
    assert lay(cache.modules, tmp_path / "second")
