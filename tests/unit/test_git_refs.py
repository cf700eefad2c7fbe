"""Names of branches, tags and commits."""

from __future__ import annotations

import pytest

from mastra_admin_sdk.adapters.source.git.refs import (
    Advertised,
    Wanted,
    choose_ref,
    is_commit,
    is_possible,
    parse_advertised,
    suggest_refs,
)

A, B, C = "a" * 40, "b" * 40, "c" * 40


@pytest.mark.parametrize(
    "ref",
    ["main", "feature/x", "v1.0", "größe", "a-b_c", "refs/pull/1/head", "user@host", "x" * 250],
    ids=lambda t: t[:9],
)
def test_possible_names(ref: str) -> None:
    assert is_possible(ref)


@pytest.mark.parametrize(
    "ref",
    [
        *("", "-x", "--upload-pack=x", "a b", "a..b", "a~1", "a^", "a:b", "a?", "a*", "[a", "a\\b", "a@{1}", "a.lock"),
        *("/a", "a/", "a.", ".a", "a/.b", "a//b", "a\nb", "\x1b", "x" * 251),
    ],
)
def test_impossible_names(ref: str) -> None:
    assert not is_possible(ref)


def test_what_a_repository_advertises_is_read() -> None:
    output = f"ref: refs/heads/main\tHEAD\n{A}\tHEAD\n{A}\trefs/heads/main\n{B}\trefs/tags/v1\n{C}\trefs/tags/v1^{{}}\n"
    advertised = parse_advertised(f"warning: x\n{output}rubbish\n".encode())
    assert advertised.head == "main"
    assert choose_ref(None, advertised) == Wanted("HEAD", A, "main")
    assert choose_ref("main", advertised) == Wanted("refs/heads/main", A, "main")
    assert choose_ref("v1", advertised) == Wanted("refs/tags/v1", C, "v1")
    assert choose_ref("refs/tags/v1", advertised) == Wanted("refs/tags/v1", C, "refs/tags/v1")
    assert choose_ref("v2", advertised) is None


def test_a_branch_goes_before_a_tag_of_its_name() -> None:
    advertised = Advertised({"refs/heads/x": A, "refs/tags/x": B})
    assert choose_ref("x", advertised) == Wanted("refs/heads/x", A, "x")
    assert choose_ref("tags/x", advertised) == Wanted("refs/tags/x", B, "tags/x")


def test_hints() -> None:
    advertised = Advertised({"refs/heads/main": A, "refs/heads/feature/login": A, "refs/tags/v1": B})
    assert suggest_refs("mian", advertised) == "Did you mean 'main'?"
    assert suggest_refs("zzz", advertised) == "It has: main, feature/login, v1."
    assert suggest_refs("zzz", Advertised()) == "It has no branch and no tag."


def test_commits() -> None:
    assert is_commit(A)
    assert is_commit("abcdef1")
    assert not is_commit("abcdef")
    assert not is_commit("main")
