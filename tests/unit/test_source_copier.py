"""What a copy takes along, what it leaves out and why, and its hash."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest
from fixtures.projects import write_files

from mastra_admin_sdk.adapters.source.local import copier
from mastra_admin_sdk.adapters.source.local.copier import CopyFailed, CopyResult, CopyRules, copy_tree
from mastra_admin_sdk.adapters.source.local.names import NamePatterns


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    write_files(folder, {"package.json": "{}", "src/index.ts": "export {}"})
    return folder


def copy(root: Path, name: str = "copy", exclude: tuple[str, ...] = ("node_modules",)) -> CopyResult:
    return copy_tree(str(root), str(root.parent / name), CopyRules(NamePatterns(exclude)))


def reasons(result: CopyResult) -> dict[str, str]:
    return {entry.path: entry.reason for entry in result.skipped}


def test_modes_are_kept_without_set_user_id(root: Path) -> None:
    for name, mode in (("run.sh", 0o755), ("read-only", 0o444), ("private", 0o600), ("suid", 0o4755)):
        write_files(root, {name: name})
        (root / name).chmod(mode)
    copy(root)
    modes = {path.name: path.stat().st_mode & 0o7777 for path in (root.parent / "copy").iterdir() if path.is_file()}
    modes.pop("package.json")
    assert modes == {"run.sh": 0o755, "read-only": 0o444, "private": 0o600, "suid": 0o755}


def test_the_copy_is_private_and_empty_or_read_only_folders_are_made(root: Path) -> None:
    (root / "empty").mkdir()
    write_files(root / "closed", {"inside": ""})
    (root / "closed").chmod(0o555)
    copy(root)
    target = root.parent / "copy"
    assert target.stat().st_mode & 0o777 == 0o700
    assert (target / "empty").is_dir()
    assert (target / "closed").stat().st_mode & 0o777 == 0o755
    assert (target / "closed" / "inside").exists()


def test_links_inside_are_kept_relative(root: Path) -> None:
    (root / "relative").symlink_to("src/index.ts")
    (root / "absolute").symlink_to(root / "src")
    (root / "src" / "around").symlink_to(f"../../{root.name}/package.json")
    (root / "src" / "up").symlink_to("..")
    (root / "later").symlink_to("made-by-the-build.js")
    assert copy(root).skipped == ()
    target = root.parent / "copy"
    links = {str(path.relative_to(target)): os.readlink(path) for path in target.rglob("*") if path.is_symlink()}
    assert links == {
        "relative": "src/index.ts",
        "absolute": "src",
        "src/around": "../package.json",
        "src/up": "..",
        "later": "made-by-the-build.js",
    }


def test_links_that_lead_out_are_left_out_with_a_reason(root: Path) -> None:
    write_files(root.parent / "outside", {"secret": "s3cr3t"})
    write_files(root.parent / "project-two", {"secret": "s3cr3t"})
    (root / "file").symlink_to("../outside/secret")
    (root / "folder").symlink_to(root.parent / "outside")
    (root / "parent").symlink_to("..")
    (root / "neighbour").symlink_to("../project-two/secret")
    (root / "chain").symlink_to("src/hop")
    (root / "src" / "hop").symlink_to("/etc/passwd")
    (root / "dangling").symlink_to("/nowhere/at/all")
    result = copy(root)
    outside = ("chain", "dangling", "file", "folder", "neighbour", "parent", "src/hop")
    assert reasons(result) == dict.fromkeys(outside, "a symbolic link that leads outside of the project")
    assert result.files == 2
    assert not any(path.is_symlink() for path in (root.parent / "copy").rglob("*"))


def test_links_to_themselves_and_to_what_is_left_out_are_left_out(root: Path) -> None:
    write_files(root, {".env": "KEY=1", "node_modules/x/cli.js": ""})
    (root / "self").symlink_to("self")
    (root / "tool").symlink_to("node_modules/x/cli.js")
    (root / "settings").symlink_to(".env")
    found = reasons(copy(root))
    assert found["self"] == "a symbolic link that leads back to itself"
    assert found["tool"] == found["settings"] == "a symbolic link to what a copy leaves out"


def test_special_files_are_left_out_and_hang_nobody(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(root / "pipe")
    monkeypatch.chdir(root)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("sock")
    assert reasons(copy(root)) == {"pipe": "a named pipe", "sock": "a socket"}


def test_env_files_are_reported_at_any_depth(root: Path) -> None:
    write_files(root, {".env": "", "src/.env.local": "", ".envrc": "", ".env.d/x": "", "environment": ""})
    result = copy(root)
    assert sorted(reasons(result)) == [".env", ".env.d", ".envrc", "src/.env.local"]
    assert (root.parent / "copy" / "environment").exists()


def test_odd_names_are_copied_byte_for_byte(root: Path) -> None:
    names = [b"with space", "größe".encode(), b"new\nline", b"caf\xe9", b"-rf", b"x" * 255]
    for name in names:
        (root / os.fsdecode(name)).write_text("x")
    (root / os.fsdecode(b"caf\xe9-link")).symlink_to(os.fsdecode(b"caf\xe9"))
    os.mkfifo(root / os.fsdecode(b"pipe\xe9"))
    result = copy(root)
    assert set(names) <= set(os.listdir(os.fsencode(root.parent / "copy")))
    assert list(reasons(result)) == ["pipe\\xe9"]


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "package.json").write_text("{ }"),
        lambda root: (root / "package.json").chmod(0o755),
        lambda root: (root / "package.json").rename(root / "other.json"),
        lambda root: (root / "src" / "index.ts").rename(root / "index.ts"),
        lambda root: (root / "empty").mkdir(),
        lambda root: (root / "link").symlink_to("src"),
    ],
    ids=["content", "mode", "name", "folder", "new-folder", "new-link"],
)
def test_each_change_changes_the_hash(root: Path, change) -> None:  # type: ignore[no-untyped-def]
    first = copy(root).hash
    change(root)
    assert copy(root, "second").hash != first


def test_neither_place_nor_time_nor_order_is_in_the_hash(root: Path, tmp_path: Path) -> None:
    other = tmp_path / "moved" / "project"
    write_files(other, {"src/index.ts": "export {}", "package.json": "{}"})
    os.utime(other / "package.json", (1, 1))
    assert copy(root).hash == copy(other).hash


def test_a_name_cannot_pass_for_a_content(tmp_path: Path) -> None:
    write_files(tmp_path / "a", {"ab": "c"})
    write_files(tmp_path / "b", {"a": "bc"})
    assert copy(tmp_path / "a", "1").hash != copy(tmp_path / "b", "2").hash


def test_large_files_are_copied_in_pieces(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copier, "_PIECE", 1000)
    (root / "large").write_bytes(bytes(range(256)) * 40)
    copy(root)
    assert (root.parent / "copy" / "large").read_bytes() == bytes(range(256)) * 40


@pytest.mark.parametrize("existed", [True, False], ids=["empty-target", "no-target"])
def test_nothing_stays_behind_when_it_fails(root: Path, monkeypatch: pytest.MonkeyPatch, existed: bool) -> None:
    def fill_the_disk(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    target = root.parent / "copy"
    if existed:
        target.mkdir(0o750)
    monkeypatch.setattr(copier.os, "write", fill_the_disk)
    with pytest.raises(CopyFailed, match="no space left") as caught:
        copy(root)
    monkeypatch.undo()
    assert caught.value.path in ("package.json", "src/index.ts")
    assert caught.value.errno == errno.ENOSPC
    assert target.exists() is existed
    assert not existed or (list(target.iterdir()) == [] and target.stat().st_mode & 0o777 == 0o750)


def test_a_tree_too_deep_to_be_removed_again_is_refused(root: Path) -> None:
    write_files(root.joinpath(*["d"] * 200), {"f": "x"})
    assert copy(root).files == 3
    (root.joinpath(*["d"] * 200) / "d").mkdir()
    with pytest.raises(CopyFailed, match="200 deep"):
        copy(root, "second")
    assert not (root.parent / "second").exists()


@pytest.mark.slow
def test_a_hundred_thousand_files_take_seconds(root: Path) -> None:
    for folder in range(400):
        (root / str(folder)).mkdir()
        for name in range(250):
            (root / str(folder) / str(name)).write_bytes(b"export const x = 1\n" * 10)
    assert copy(root).files == 100_002
