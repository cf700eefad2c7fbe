"""What counts as the address of a repository, and what may not."""

from __future__ import annotations

from pathlib import Path

import pytest
from fixtures.projects import make_repository, run_git, write_project

from mastra_admin_sdk.adapters.source.git.addresses import (
    Address,
    join_submodule,
    looks_like_repository,
    make_address,
    parse_reference,
    read_address,
    redact,
)
from mastra_admin_sdk.errors import InvalidInput, NotFound

URL = "https://host.example/team/agents.git"


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        (URL, Address(URL)),
        (f"{URL}/", Address(URL)),
        (f"{URL}#feature/x", Address(URL, "feature/x")),
        (f"{URL}#v1:packages/app", Address(URL, "v1", "packages/app")),
        (f"{URL}#:packages/app/", Address(URL, None, "packages/app")),
        (f" {URL} ", Address(URL)),
        ("https://host.example:8443/a b.git", Address("https://host.example:8443/a b.git")),
        ("https://me@host.example/a.git", Address("https://me@host.example/a.git")),
        ("ssh://git@host.example:2222/a.git#main", Address("ssh://git@host.example:2222/a.git", "main")),
        ("git@host.example:team/a.git#main:app", Address("git@host.example:team/a.git", "main", "app")),
        ("work:team/a.git", Address("work:team/a.git")),
    ],
    ids=[
        "url",
        "slash",
        "ref",
        "ref-and-folder",
        "folder",
        "blanks",
        "port-and-space",
        "user",
        "ssh",
        "scp",
        "ssh-alias",
    ],
)
def test_references(reference: str, expected: Address) -> None:
    assert parse_reference(reference) == expected
    assert read_address(str(expected)) == expected


@pytest.mark.parametrize(
    "reference",
    [
        "",
        "ext::sh -c 'touch /tmp/x'",
        "fd::17",
        "--upload-pack=touch /tmp/x",
        "-oProxyCommand=x:y",
        "ftp://host.example/a.git",
        "javascript://x",
        "https://",
        "https://-oProxyCommand=x/a.git",
        "ssh://-oProxyCommand=x@host/a.git",
        "https://[::1/a.git",
        "file://elsewhere/a.git",
        "https://host.example/a\n.git",
        "https://host.example/\x1b[31m",
        "https://host.example/" + "a" * 3000,
        f"{URL}#main:../../etc",
        f"{URL}#main:a/../../etc",
        f"{URL}#main:.git/hooks",
        "https://me:s3cr3t@host.example/a.git",
        "ssh://me:s3cr3t@host.example/a.git",
        "https://ghp_s3cr3ts3cr3t@host.example/a.git",
        "https://glpat-s3cr3t@host.example/a.git",
        "https://" + "s3cr3t" * 8 + "@host.example/a.git",
    ],
    ids=[
        "empty",
        "ext",
        "fd",
        "option",
        "ssh-option",
        "ftp",
        "scheme",
        "no-host",
        "host-option",
        "user-option",
        "no-url",
        "file-on-a-host",
        "newline",
        "escape",
        "long",
        "upward",
        "upward-later",
        "git-folder",
        "password",
        "ssh-password",
        "token",
        "other-token",
        "long-token",
    ],
)
def test_what_is_refused_and_how_it_is_shown(reference: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_reference(reference)
    assert "s3cr3t" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_a_folder_stands_for_the_repository_around_it(tmp_path: Path) -> None:
    app = write_project(tmp_path / "mono #1", "packages/app")
    make_repository(tmp_path / "mono #1")
    top = str(tmp_path / "mono #1")
    assert parse_reference(str(app)) == Address(top, None, "packages/app")
    assert parse_reference(f"{top}#main:packages/app") == Address(top, "main", "packages/app")
    assert parse_reference(f"file://{top.replace(' ', '%20').replace('#', '%23')}") == Address(top)
    assert read_address(str(Address(top))) == Address(top)


def test_a_relative_folder_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_project(tmp_path, "app")
    make_repository(tmp_path / "app")
    monkeypatch.chdir(tmp_path)
    assert make_address("app").url == make_address("./app").url == str(tmp_path / "app")


def test_a_folder_that_is_missing_or_in_no_repository_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no repository"):
        parse_reference(str(tmp_path / "nowhere"))
    (tmp_path / "plain").mkdir()
    with pytest.raises(InvalidInput, match="in no git repository"):
        parse_reference(str(tmp_path / "plain"))


def test_only_what_can_be_nothing_else_is_taken_for_a_repository(tmp_path: Path) -> None:
    make_repository(write_project(tmp_path, "app"))
    run_git(tmp_path, "init", "--quiet", "--bare", "bare.git")
    for reference in (URL, f"{URL}#main:app", "git@host.example:a/b", "SSH://x/y", "file:///srv/a", "ext://x"):
        assert looks_like_repository(reference) is (reference != "ext://x")
    assert looks_like_repository(str(tmp_path / "bare.git"))
    for reference in ("weather", "./app", str(tmp_path / "app"), "team/app", "a@b", "", "a\0b", "@scope/app"):
        assert not looks_like_repository(reference)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("at https://me:pw@host/a.git now", "at https://***@host/a.git now"),
        ("https://token@host/a", "https://***@host/a"),
        ("ssh://me:p@ss@host/a", "ssh://***@host/a"),
        ("ssh://git@host/a", "ssh://git@host/a"),
        ("git@host:a", "git@host:a"),
    ],
    ids=["password", "token", "at-in-password", "ssh-user", "scp"],
)
def test_redaction(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize(
    ("parent", "url", "expected"),
    [
        (URL, "../tools.git", "https://host.example/team/tools.git"),
        (URL, "../../other/tools.git", "https://host.example/other/tools.git"),
        (URL, "../../../../../tools.git", "https://host.example/tools.git"),
        (URL, "./nested", f"{URL}/nested"),
        (URL, "https://elsewhere.example/x.git", "https://elsewhere.example/x.git"),
        ("git@host.example:team/a.git", "../b.git", "git@host.example:team/b.git"),
    ],
    ids=["sibling", "cousin", "above-the-host", "below", "elsewhere", "scp"],
)
def test_submodules(parent: str, url: str, expected: str) -> None:
    assert join_submodule(url, Address(parent)).url == expected


@pytest.mark.parametrize(
    "url",
    ["/etc", "file:///etc", "ext::sh -c x", "-oProxyCommand=x", "tools", "../../x\ny", "https://a:b@c/d"],
    ids=["folder", "file", "ext", "option", "name", "newline", "password"],
)
def test_submodules_that_a_stranger_may_not_name(url: str) -> None:
    with pytest.raises((InvalidInput, NotFound)):
        join_submodule(url, Address(URL))
