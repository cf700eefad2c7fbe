"""Where a search goes, and what it says about what it passes over."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from fixtures.projects import NOBODY, without_root, write_files, write_project

from mastra_admin_sdk.adapters.source.local.names import NamePatterns
from mastra_admin_sdk.adapters.source.local.scanner import LOOP, Findings, SearchRules, search

EXCLUDE = ("node_modules", ".git", "dist", ".next", ".mastra")


def find(
    *bases: Path, include: tuple[str, ...] = ("*",), exclude: tuple[str, ...] = EXCLUDE, depth: int = 3
) -> Findings:
    rules = SearchRules(NamePatterns(include), NamePatterns(exclude), depth)
    return search([str(base) for base in bases], rules)


def names(findings: Findings) -> list[str]:
    return sorted(os.path.basename(path) for path in findings.candidates)


def reasons(findings: Findings) -> dict[str, str]:
    return {os.path.basename(entry.path): entry.reason for entry in findings.skipped.values()}


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that another user may write, which pytest's own temporary folders don't allow."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o777)
    yield path
    for folder in (path, *path.rglob("*")):
        if folder.is_dir() and not folder.is_symlink():
            folder.chmod(0o700)
    shutil.rmtree(path)


def test_the_base_itself_may_be_a_project(tmp_path: Path) -> None:
    assert names(find(write_project(tmp_path, "only"))) == ["only"]


def test_it_goes_three_folders_deep(tmp_path: Path) -> None:
    for folder in ("1", "1/2", "1/2/3", "1/2/3/4"):
        write_project(tmp_path, folder)
    assert names(find(tmp_path)) == ["1", "2", "3"]
    assert names(find(tmp_path, depth=0)) == []


def test_the_workspaces_of_a_project_are_searched_too(tmp_path: Path) -> None:
    write_project(tmp_path, "mono")
    write_project(tmp_path, "mono/packages/agent")
    assert names(find(tmp_path)) == ["agent", "mono"]


@pytest.mark.parametrize("folder", EXCLUDE)
def test_excluded_folders_are_not_entered(tmp_path: Path, folder: str) -> None:
    write_project(tmp_path, f"{folder}/hidden")
    assert names(find(tmp_path)) == []


@pytest.mark.parametrize(
    ("include", "expected"),
    [
        (("agent-*",), ["agent-a", "agent-b", "inner"]),
        (("group",), ["agent-b"]),
        (("group/agent-*",), ["agent-b"]),
        (("nothing",), []),
        ((), []),
    ],
    ids=["name", "folder-above", "path", "no-match", "none"],
)
def test_include_meets_a_name_a_folder_above_or_a_path(
    tmp_path: Path, include: tuple[str, ...], expected: list[str]
) -> None:
    for folder in ("agent-a", "agent-a/inner", "group/agent-b", "other"):
        write_project(tmp_path, folder)
    assert names(find(tmp_path, include=include)) == expected


def test_a_base_that_was_named_counts_whatever_the_patterns(tmp_path: Path) -> None:
    assert names(find(write_project(tmp_path, "dist"), include=("x",))) == ["dist"]


def test_overlapping_bases_give_each_project_once_and_to_the_full_depth(tmp_path: Path) -> None:
    write_project(tmp_path, "1/2/3/4")
    assert names(find(tmp_path, tmp_path / "1", tmp_path)) == ["4"]


def test_a_base_that_is_not_there_is_reported(tmp_path: Path) -> None:
    write_files(tmp_path, {"file": ""})
    findings = find(tmp_path / "missing", tmp_path / "file")
    assert "no such file" in reasons(findings)["missing"]
    assert "not a directory" in reasons(findings)["file"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "broken"),
        (b"", "broken"),
        (b"[]", "no JSON object"),
        (b"null", "no JSON object"),
        (b'{"name": "\xff"}', "UTF-8"),
        (b"[" * 200_000, "deep"),
        (b'{"version": ' + b"9" * 5000 + b"}", "numbers too long"),
        (b" " * (4 * 1024 * 1024 + 1), "larger"),
    ],
    ids=["open-brace", "empty", "list", "null", "latin", "deep", "huge-number", "huge"],
)
def test_a_broken_manifest_is_a_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    write_project(tmp_path, "sound")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "package.json").write_bytes(content)
    findings = find(tmp_path)
    assert names(findings) == ["sound"]
    assert reason in reasons(findings)["broken"]


def test_a_manifest_that_is_no_file_is_a_reason_and_hangs_nobody(tmp_path: Path) -> None:
    (tmp_path / "folder" / "package.json").mkdir(parents=True)
    (tmp_path / "pipe").mkdir()
    os.mkfifo(tmp_path / "pipe" / "package.json")
    (tmp_path / "dangling").mkdir()
    (tmp_path / "dangling" / "package.json").symlink_to("nowhere")
    found = reasons(find(tmp_path))
    assert "regular file" in found["pipe"]
    assert "directory" in found["folder"]
    assert "no such file" in found["dangling"]


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    manifest = write_project(tmp_path, "marked") / "package.json"
    manifest.write_bytes(b"\xef\xbb\xbf" + manifest.read_bytes())
    assert names(find(tmp_path)) == ["marked"]


def test_a_package_that_is_no_mastra_project_is_not_worth_a_word(tmp_path: Path) -> None:
    write_project(tmp_path, "library", dependencies={"zod": "4"})
    findings = find(tmp_path)
    assert (names(findings), reasons(findings)) == ([], {})


def test_symlink_loops_are_reported_and_end(tmp_path: Path) -> None:
    project = write_project(tmp_path, "group/agent")
    (project / "up").symlink_to("..")
    (project / "self").symlink_to("self")
    (project / "here").symlink_to(".")
    findings = find(tmp_path)
    assert names(findings) == ["agent"]
    assert reasons(findings) == {"up": LOOP, "self": LOOP, "here": LOOP}


def test_a_linked_project_is_found_once_where_it_lies(tmp_path: Path) -> None:
    base, elsewhere = tmp_path / "base", tmp_path / "elsewhere"
    write_project(elsewhere, "agent")
    write_project(base, "z-real")
    (base / "a-link").symlink_to(base / "z-real")
    (base / "b-link").symlink_to(elsewhere / "agent")
    (base / "dangling").symlink_to("nowhere")
    findings = find(base)
    assert list(findings.candidates) == [str(base / "z-real"), str(elsewhere / "agent")]
    assert reasons(findings) == {}


def test_a_link_to_an_excluded_folder_is_not_followed(tmp_path: Path) -> None:
    write_project(tmp_path, "node_modules")
    (tmp_path / "modules").symlink_to("node_modules")
    assert names(find(tmp_path)) == []


def test_what_cannot_be_read_is_reported(open_folder: Path) -> None:
    write_project(open_folder, "sound")
    write_project(open_folder, "locked").chmod(0)
    (write_project(open_folder, "secret") / "package.json").chmod(0)
    if os.geteuid() == 0:
        for path in (open_folder / "locked", open_folder / "secret" / "package.json"):
            os.chown(path, 0, 0)
    with without_root():
        findings = find(open_folder)
    assert names(findings) == ["sound"]
    assert "permission denied" in reasons(findings)["locked"]
    assert "permission denied" in reasons(findings)["secret"]
    assert stat.S_IMODE((open_folder / "locked").stat().st_mode) == 0
    assert os.geteuid() != NOBODY or os.getuid() == NOBODY


@pytest.mark.parametrize("folder", ["with space", "größe-日本", "a\nb", "$(touch x)", "-rf", "'\""])
def test_odd_folder_names_are_found(tmp_path: Path, folder: str) -> None:
    write_project(tmp_path, folder, name="odd")
    assert names(find(tmp_path)) == [folder]


def test_a_path_that_is_no_unicode_is_skipped_with_a_printable_reason(tmp_path: Path) -> None:
    write_project(tmp_path, os.fsdecode(b"caf\xe9"), name="cafe")
    findings = find(tmp_path)
    assert names(findings) == []
    assert "UTF-8" in reasons(findings)["caf\\xe9"]


def test_avoided_folders_are_not_entered(tmp_path: Path) -> None:
    write_project(tmp_path, "home/artifact")
    (tmp_path / "link").symlink_to("home")
    rules = SearchRules(NamePatterns(("*",)), NamePatterns(()), 3, frozenset({str(tmp_path / "home")}))
    assert search([str(tmp_path)], rules).candidates == {}
