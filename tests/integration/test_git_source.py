"""GitProjectSource against real repositories."""

from __future__ import annotations

import itertools
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fixtures.projects import commit_all, make_repository, run_git, write_files, write_project
from fixtures.quick import wait_until
from fixtures.repositories import Remote, make_remote, publish, serve, serve_smart

from mastra_admin_sdk.adapters.source.git import GitProjectSource
from mastra_admin_sdk.adapters.source.local import LocalProjectSource
from mastra_admin_sdk.errors import BuildCancelled, InvalidInput, SourceError
from mastra_admin_sdk.home import open_home
from mastra_admin_sdk.models import PackageManager
from mastra_admin_sdk.ports.source import SourceCopy


@pytest.fixture
def source(tmp_path: Path) -> GitProjectSource:
    return GitProjectSource(open_home(tmp_path / "home"), environment={"PATH": os.environ["PATH"]})


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return make_remote(tmp_path, {"src/index.ts": "one"})


class Fetching:
    """Fetches one repository again and again, each time into a new folder."""

    def __init__(self, source: GitProjectSource, folder: Path, url: object, **config: Any) -> None:
        self.source, self.folder = source, folder
        self.config: Mapping[str, Any] = {"url": str(url), "path": "", **config}
        self.count = 0

    def __call__(self, ref: str | None = None, cancel: Any = lambda: None) -> SourceCopy:
        self.count += 1
        return self.source.fetch(self.config, ref, self.folder / f"copy-{self.count}", cancel)


@pytest.fixture
def fetch(source: GitProjectSource, remote: Remote, tmp_path: Path) -> Fetching:
    return Fetching(source, tmp_path, remote.bare)


def read(copy: SourceCopy, name: str = "src/index.ts") -> str:
    return (copy.path / name).read_text()


# --- what is fetched --------------------------------------------------------------------------------------------------


def test_branches_tags_and_commits(remote: Remote, fetch: Fetching) -> None:
    first = run_git(remote.work, "rev-parse", "HEAD")
    run_git(remote.work, "tag", "light")
    run_git(remote.work, "tag", "--annotate", "heavy", "--message=x")
    remote.push("light", "heavy")
    second = remote.commit({"src/index.ts": "two"}, "feature/größe")
    expected = {
        "feature/größe": (second, "feature/größe", "two"),
        "main": (first, "main", "one"),
        "light": (first, "light", "one"),
        "heavy": (first, "heavy", "one"),
        "refs/tags/heavy": (first, "refs/tags/heavy", "one"),
        "HEAD": (first, "main", "one"),
        None: (first, "main", "one"),
        second: (second, second, "two"),
        second[:9]: (second, second[:9], "two"),
        second.upper(): (second, second.upper(), "two"),
    }
    for ref, (commit, label, text) in expected.items():
        copy = fetch(ref)
        assert (copy.project.git_commit, copy.project.git_branch, read(copy)) == (commit, label, text), ref
        assert fetch.source.read_revision(fetch.config, ref) == commit
    assert not (fetch.folder / "copy-1" / ".git").exists()


def test_a_first_fetch_by_a_commit_that_no_branch_ends_in(remote: Remote, fetch: Fetching) -> None:
    first = run_git(remote.work, "rev-parse", "HEAD")
    remote.commit({"src/index.ts": "two"})
    assert read(fetch(first)) == "one"


def test_a_copy_equals_that_of_the_folder(tmp_path: Path, source: GitProjectSource) -> None:
    files = {
        **dict.fromkeys(
            ["node_modules/x/a.js", "dist/a.js", ".env", "src/.env.test", "src/deep/dist/b.js"], "left out"
        ),
        **dict.fromkeys(["a b.ts", "größe/ünïcode.ts", "run.sh", "-rf", 'quo"te', "tab\there"], "taken"),
        ".gitattributes": "*.ts export-ignore\n*.sh export-subst ident\n",
    }
    work = write_project(tmp_path, "work", files=files)
    (work / "run.sh").chmod(0o755)
    for name, target in (("link", "größe"), ("up", "größe/../run.sh"), ("out", "/etc/passwd"), ("self", "self")):
        (work / name).symlink_to(target)
    (work / "größe" / "chain").symlink_to("../link/ünïcode.ts")
    os.chmod(work, 0o755)
    make_repository(work)
    local = LocalProjectSource(tmp_path).fetch({"path": str(work)}, None, tmp_path / "1")
    git = Fetching(source, tmp_path / "2", work)("main")
    assert git.entries == local.entries
    assert (git.hash, git.files, git.bytes, git.skipped) == (local.hash, local.files, local.bytes, local.skipped)
    assert git.path.stat().st_mode & 0o777 == 0o700
    assert (git.path / "run.sh").stat().st_mode & stat.S_IXUSR
    assert os.readlink(git.path / "größe" / "chain") == "ünïcode.ts"


def test_what_is_not_committed_is_not_there(tmp_path: Path, source: GitProjectSource) -> None:
    work = write_project(tmp_path, "work", files={"a.ts": "committed"})
    make_repository(work)
    write_files(work, {"a.ts": "changed", "b.ts": "new"})
    copy = Fetching(source, tmp_path, work)()
    assert (copy.path / "a.ts").read_text() == "committed"
    assert not (copy.path / "b.ts").exists()


def test_metadata_is_read_from_the_commit(tmp_path: Path, source: GitProjectSource) -> None:
    remote = make_remote(
        tmp_path, {"pnpm-lock.yaml": "", ".env.example": ""}, version="2.0.0", engines={"node": ">=22"}
    )
    project = source.get_project(f"{remote.bare}#main")
    assert (project.name, project.version, project.node_range) == ("agent", "2.0.0", ">=22")
    assert (project.package_manager, project.has_lockfile) == (PackageManager.PNPM, True)
    assert (project.git_branch, project.git_dirty, project.env_files) == ("main", False, (".env.example",))
    assert source.describe_project(project) == {"project_id": project.id, "url": str(remote.bare), "path": ""}


def test_a_package_of_a_monorepo_comes_with_all_of_it(tmp_path: Path, source: GitProjectSource) -> None:
    root = {"package.json": '{"workspaces": ["packages/*"]}', "yarn.lock": "", "packages/tools/a.ts": "1"}
    write_files(tmp_path / "mono", root)
    app = write_project(tmp_path / "mono", "packages/app")
    write_project(tmp_path / "mono", "examples/alone")
    remote = publish(tmp_path, tmp_path / "mono") if make_repository(tmp_path / "mono") else None
    assert remote
    project = source.get_project(f"{remote.bare}#main:packages/app")
    assert project.workspace_root == f"{remote.bare}#main"
    assert project.package_manager is PackageManager.YARN
    copy = Fetching(source, tmp_path, remote.bare, path="packages/app")("main")
    local = LocalProjectSource(tmp_path).fetch({"path": str(app)}, None, tmp_path / "local")
    assert copy.subdir == local.subdir == "packages/app"
    assert (copy.hash, copy.entries) == (local.hash, local.entries)
    alone = Fetching(source, tmp_path / "alone", remote.bare, path="examples/alone")("main")
    assert (alone.subdir, sorted(alone.entries)) == ("", ["package.json"])


# --- what changes ----------------------------------------------------------------------------------------------------


def test_a_branch_that_moves_is_followed_forwards_and_backwards(remote: Remote, fetch: Fetching) -> None:
    first = fetch("main").project.git_commit
    second = remote.commit({"src/index.ts": "two"})
    assert fetch.source.read_revision(fetch.config, "main") == second
    assert read(fetch("main")) == "two"
    run_git(remote.work, "reset", "--quiet", "--hard", str(first))
    third = remote.commit({"src/index.ts": "three"}, force=True)
    copy = fetch("main")
    assert (copy.project.git_commit, read(copy)) == (third, "three")


def test_a_deleted_branch_is_a_source_error_that_names_the_others(remote: Remote, fetch: Fetching) -> None:
    remote.commit({"src/index.ts": "two"}, "feature")
    fetch("feature")
    remote.push(":feature")
    for use in (fetch, lambda ref: fetch.source.read_revision(fetch.config, ref)):
        with pytest.raises(SourceError, match="'feature'") as caught:
            use("feature")
        assert "main" in caught.value.hint


def test_a_branch_may_become_the_folder_of_another(remote: Remote, fetch: Fetching) -> None:
    remote.commit({"src/index.ts": "a"}, "topic")
    commit = fetch("topic").project.git_commit
    fetch(str(commit)[:8])
    run_git(remote.work, "checkout", "--quiet", "main")
    run_git(remote.work, "branch", "-D", "topic")
    remote.push(":topic")
    remote.commit({"src/index.ts": "b"}, "topic/one")
    assert read(fetch("topic/one")) == "b"
    assert read(fetch("main")) == "one"


def test_a_missing_ref_suggests_near_ones(remote: Remote, fetch: Fetching) -> None:
    remote.commit({}, "feature/login")
    with pytest.raises(SourceError, match="no branch, tag or commit 'feature/logni'") as caught:
        fetch("feature/logni")
    assert caught.value.hint == "Did you mean 'feature/login'?"


@pytest.mark.parametrize("ref", ["deadbeef", "f" * 40], ids=["short", "whole"])
def test_a_commit_that_is_not_there_is_a_source_error(fetch: Fetching, ref: str) -> None:
    with pytest.raises(SourceError, match=ref):
        fetch(ref)
    with pytest.raises(SourceError, match=ref):
        fetch.source.read_revision(fetch.config, ref)


def test_a_tag_on_something_that_is_no_commit_is_a_source_error(remote: Remote, fetch: Fetching) -> None:
    run_git(remote.work, "tag", "tree", "HEAD^{tree}")
    remote.push("tree")
    with pytest.raises(SourceError, match="no commit"):
        fetch("tree")


def test_an_empty_repository_is_said_to_be_empty(tmp_path: Path, source: GitProjectSource) -> None:
    run_git(tmp_path, "init", "--quiet", "--bare", "empty.git")
    with pytest.raises(SourceError, match="empty"):
        source.get_project(str(tmp_path / "empty.git"))
    with pytest.raises(SourceError, match="'main'"):
        Fetching(source, tmp_path, tmp_path / "empty.git")("main")


def test_a_repository_that_is_gone_or_none_is_a_source_error(
    tmp_path: Path, remote: Remote, fetch: Fetching, source: GitProjectSource
) -> None:
    fetch("main")
    remote.bare.rename(tmp_path / "moved.git")
    with pytest.raises(SourceError, match="can't be read") as caught:
        fetch("main")
    assert caught.value.evidence["output"]
    with pytest.raises(SourceError, match="can't be read"):
        source.get_project("http://127.0.0.1:1/a.git")


def test_a_folder_without_a_project_names_those_there_are(tmp_path: Path, source: GitProjectSource) -> None:
    write_project(tmp_path / "mono", "apps/weather")
    write_files(tmp_path / "mono", {"broken/package.json": "{", "plain/package.json": "{}"})
    make_repository(tmp_path / "mono")
    for reference in (str(tmp_path / "mono"), f"{tmp_path / 'mono'}#:nowhere"):
        with pytest.raises(SourceError, match="no Mastra project") as caught:
            source.get_project(reference)
        assert caught.value.hint == "Name one of its folders: 'apps/weather'."
    with pytest.raises(SourceError, match="broken"):
        source.get_project(f"{tmp_path / 'mono'}#:broken")


# --- hostile repositories ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ref", ["--upload-pack=touch ran", "-h", "main:src", "main~1", "@{0}", "main\n", ":/one", "\x1b[31m", ""], ids=repr
)
def test_hostile_refs_are_refused(fetch: Fetching, ref: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for use in (fetch, lambda ref: fetch.source.read_revision(fetch.config, ref)):
        with pytest.raises(SourceError) as caught:
            use(ref)
        assert "\x1b" not in str(caught.value)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "url", ["ext::sh -c 'touch ran'", "--upload-pack=touch ran", "", "ftp://x/y", "https://a:b@c/d"]
)
def test_hostile_addresses_in_a_record_are_refused(source: GitProjectSource, tmp_path: Path, url: str) -> None:
    with pytest.raises(SourceError):
        Fetching(source, tmp_path, url)("main")
    with pytest.raises((SourceError, InvalidInput)):
        source.get_project(url)


def test_a_repository_gets_nothing_to_run(tmp_path: Path, source: GitProjectSource) -> None:
    ran = tmp_path / "ran"
    write_files(tmp_path, {"evil": f"#!/bin/sh\ntouch '{ran}'\ncat\n"})
    (tmp_path / "evil").chmod(0o755)
    work = write_project(tmp_path, "work", files={".gitattributes": "* filter=evil\n", "a.ts": "1"})
    make_repository(work)
    for setting in ("core.fsmonitor", "filter.evil.smudge", "uploadpack.packObjectsHook", "core.sshCommand"):
        run_git(work, "config", setting, str(tmp_path / "evil"))
    for hook in ("post-checkout", "pre-auto-gc", "reference-transaction", "post-index-change"):
        write_files(work / ".git/hooks", {hook: (tmp_path / "evil").read_text()})
        (work / ".git/hooks" / hook).chmod(0o755)
    assert (Fetching(source, tmp_path, work)("main").path / "a.ts").read_text() == "1"
    assert not ran.exists()


def test_a_package_json_that_is_a_link_is_not_followed(tmp_path: Path, source: GitProjectSource) -> None:
    secret = write_project(tmp_path, "secret")
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "package.json").symlink_to(secret / "package.json")
    (tmp_path / "work" / "app").symlink_to(secret)
    make_repository(tmp_path / "work")
    for path in ("", "app"):
        with pytest.raises(SourceError, match="no Mastra project"):
            Fetching(source, tmp_path, tmp_path / "work", path=path)("main")


# --- submodules and large files ---------------------------------------------------------------------------------------


@pytest.fixture
def nested(tmp_path: Path) -> Path:
    """A project with the submodule ``lib``, which has one of its own."""
    for name, below in (("inner", None), ("lib", "../inner"), ("work", "../lib")):
        folder = write_project(tmp_path, name, files={f"{name}.ts": name})
        make_repository(folder)
        if below:
            path = "lib" if name == "work" else "vendor/inner"
            run_git(folder, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", below, path)
            commit_all(folder)
    return tmp_path / "work"


def test_submodules_are_taken_when_they_are_wanted(tmp_path: Path, nested: Path, source: GitProjectSource) -> None:
    copy = Fetching(source, tmp_path / "copies", nested, submodules=True)("main")
    assert {"lib/lib.ts", "lib/vendor/inner/inner.ts", "work.ts"} <= copy.entries.keys()
    assert copy.skipped == ()


def test_submodules_are_named_when_they_are_not(tmp_path: Path, nested: Path, source: GitProjectSource) -> None:
    copy = Fetching(source, tmp_path / "copies", nested)("main")
    assert [item.path for item in copy.skipped] == ["lib"]
    assert "submodules=True" in copy.skipped[0].reason
    assert not any(name.startswith("lib/") for name in copy.entries)


def test_a_repository_from_elsewhere_names_no_folder_of_this_machine(
    tmp_path: Path, nested: Path, source: GitProjectSource
) -> None:
    write_files(nested, {".gitmodules": f'[submodule "lib"]\n\tpath = lib\n\turl = {tmp_path}/lib\n'})
    commit_all(nested)
    remote = publish(tmp_path, nested)
    run_git(remote.bare, "update-server-info")
    with serve(tmp_path) as url:
        fetch = Fetching(source, tmp_path / "copies", f"{url}/remote%20repository.git", submodules=True)
        with pytest.raises(SourceError, match="submodule lib of"):
            fetch("main")
    assert not list((tmp_path / "copies").glob("*"))


@pytest.mark.parametrize("path", ["link/lib", "../outside"], ids=["behind-a-link", "upward"])
def test_a_submodule_may_not_lead_out(tmp_path: Path, nested: Path, source: GitProjectSource, path: str) -> None:
    """git itself makes no such tree; this one is written as an attacker would."""
    (tmp_path / "elsewhere").mkdir()
    commit = run_git(nested, "rev-parse", "HEAD:lib")
    write_files(nested, {".gitmodules": f'[submodule "x"]\n\tpath = {path}\n\turl = {tmp_path}/lib\n'})
    run_git(nested, "update-index", "--force-remove", "lib")
    run_git(nested, "add", ".gitmodules", "package.json")
    entries = run_git(nested, "ls-tree", run_git(nested, "write-tree"))
    target = tmp_path / "target"
    target.write_text(f"{tmp_path}/elsewhere")
    link = run_git(nested, "hash-object", "-w", str(target))
    below = _make_tree(nested, f"160000 commit {commit}\t{path.rpartition('/')[2]}\n")
    folder = path.partition("/")[0]
    more = f"040000 tree {below}\t{folder}" + (f"\n120000 blob {link}\tlink" if folder == "link" else "")
    tree = _make_tree(nested, f"{entries}\n{more}\n")
    run_git(nested, "update-ref", "refs/heads/evil", run_git(nested, "commit-tree", tree, "-m", "evil"))
    with pytest.raises(SourceError):
        Fetching(source, tmp_path / "copies", nested, submodules=True)("evil")
    assert not any((tmp_path / "elsewhere").iterdir())
    assert not list(tmp_path.rglob("outside"))


def _make_tree(repository: Path, entries: str) -> str:
    """Write a tree object without git's own checks."""
    raw = b""
    for line in entries.splitlines():
        head, _, name = line.partition("\t")
        mode, _, object_id = head.split()
        raw += f"{mode.lstrip('0')} {name}\0".encode() + bytes.fromhex(object_id)
    done = subprocess.run(
        ["git", "hash-object", "-t", "tree", "--literally", "-w", "--stdin"],
        input=raw,
        cwd=repository,
        check=True,
        capture_output=True,
    )
    return done.stdout.decode().strip()


def test_pointers_to_large_files_are_named(tmp_path: Path, source: GitProjectSource) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"
    files = {".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n", "model.bin": pointer, "a.ts": ""}
    work = write_project(tmp_path, "work", files=files)
    make_repository(work)
    copy = Fetching(source, tmp_path, work)("main")
    assert [(item.path, "LFS" in item.reason) for item in copy.skipped] == [("model.bin", True)]
    assert (copy.path / "model.bin").read_text() == pointer


# --- over the network -------------------------------------------------------------------------------------------------


def test_over_http_without_a_git_on_the_other_side(remote: Remote, tmp_path: Path, source: GitProjectSource) -> None:
    run_git(remote.bare, "update-server-info")
    with serve(tmp_path) as url:
        fetch = Fetching(source, tmp_path, f"{url}/remote%20repository.git")
        assert read(fetch("main")) == "one"
        commit = remote.commit({"src/index.ts": "two"})
        run_git(remote.bare, "update-server-info")
        copy = fetch("main")
        assert (copy.project.git_commit, read(copy)) == (commit, "two")
        assert source.read_revision(fetch.config, "main") == commit


def test_only_what_is_needed_comes_over_the_network(remote: Remote, tmp_path: Path, source: GitProjectSource) -> None:
    first = run_git(remote.work, "rev-parse", "HEAD")
    for number in range(5):
        remote.commit({"src/index.ts": str(number)})
    with serve_smart(tmp_path) as url:
        fetch = Fetching(source, tmp_path, f"{url}/remote repository.git")
        assert read(fetch("main")) == "4"
        (mirror,) = (tmp_path / "home/cache/git").glob("*.git")
        assert run_git(mirror, "rev-list", "--all", "--count") == "1"
        assert read(fetch(first)) == "one"
        assert read(fetch("main")) == "4"
        assert source.read_revision(fetch.config, None) == run_git(remote.work, "rev-parse", "main")


def test_a_host_that_asks_who_one_is(remote: Remote, tmp_path: Path, source: GitProjectSource) -> None:
    run_git(remote.bare, "update-server-info")
    with serve(tmp_path, credentials="me:s3cr3t-token") as url:
        address = f"{url}/remote%20repository.git"
        with pytest.raises(SourceError, match="can't be read") as caught:
            source.get_project(address)
        assert "MASTRA_ADMIN_GIT_CREDENTIALS" in caught.value.hint
        own = url.replace("://", "://me:s3cr3t-token@")
        known = GitProjectSource(open_home(tmp_path / "home"), credentials=own)
        assert known.get_project(address).name == "agent"
        other = url.replace("://", "://me:wr0ng-token@")
        with pytest.raises(SourceError) as refused:
            GitProjectSource(open_home(tmp_path / "home"), credentials=other).get_project(address)
    assert "wr0ng" not in str(refused.value)
    kept = b"".join(path.read_bytes() for path in (tmp_path / "home").rglob("*") if path.is_file())
    assert b"s3cr3t" not in kept


def test_a_fetch_that_hangs_is_cancelled_at_once(remote: Remote, tmp_path: Path, source: GitProjectSource) -> None:
    asked: list[float] = []

    def cancel() -> None:
        asked.append(time.monotonic())
        if asked[-1] - asked[0] > 0.3:
            raise BuildCancelled("enough")

    with serve(tmp_path, hang=threading.Event()) as url, pytest.raises(BuildCancelled):
        Fetching(source, tmp_path, f"{url}/remote%20repository.git")("main", cancel)
    assert time.monotonic() - asked[0] < 2
    assert max(later - earlier for earlier, later in itertools.pairwise(asked)) < 1
    assert not (tmp_path / "copy-1").exists()
    assert _find_gits(tmp_path / "home") == []


def test_a_fetch_that_takes_too_long_says_so(remote: Remote, tmp_path: Path) -> None:
    source = GitProjectSource(open_home(tmp_path / "home"), timeout=0.3)
    with serve(tmp_path, hang=threading.Event()) as url, pytest.raises(SourceError, match=r"longer than 0\.3 s"):
        Fetching(source, tmp_path, f"{url}/remote%20repository.git")("main")


# --- kills and neighbours ---------------------------------------------------------------------------------------------


def test_git_ends_with_the_process_that_was_killed(remote: Remote, tmp_path: Path) -> None:
    code = """
import sys
from mastra_admin_sdk.adapters.source.git import GitProjectSource
from mastra_admin_sdk.home import open_home
GitProjectSource(open_home(sys.argv[1])).get_project(sys.argv[2])
"""
    home = tmp_path / "home"
    with serve(tmp_path, hang=threading.Event()) as url:
        child = subprocess.Popen([sys.executable, "-c", code, str(home), f"{url}/remote%20repository.git"])
        try:
            wait_until(lambda: _find_gits(home), what="the fetch")
        finally:
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
        wait_until(lambda: not _find_gits(home), timeout=5, what="the end of git")


@pytest.mark.parametrize("damage", ["locks", "no-objects", "no-head", "rubbish"])
def test_a_damaged_mirror_mends_itself(remote: Remote, fetch: Fetching, tmp_path: Path, damage: str) -> None:
    fetch("main")
    (mirror,) = (tmp_path / "home/cache/git").glob("*.git")
    if damage == "locks":
        write_files(mirror, {"shallow.lock": "", "refs/wanted/x.lock": "", "scratch/left": "", "packed-refs.lock": ""})
    elif damage == "no-objects":
        for path in mirror.glob("objects/*/*"):
            path.unlink()
    elif damage == "no-head":
        (mirror / "HEAD").unlink()
    else:
        write_files(mirror, {"shallow": "rubbish\n", "config": "[core\n"})
    remote.commit({"src/index.ts": "two"})
    assert read(fetch("main")) == "two"
    assert not (mirror / "scratch" / "left").exists()


def test_mirrors_may_be_removed_at_any_time(fetch: Fetching, tmp_path: Path) -> None:
    fetch("main")
    subprocess.run(["rm", "-rf", str(tmp_path / "home/cache/git")], check=True)
    assert read(fetch("main")) == "one"


def test_many_at_once_get_what_they_asked_for(remote: Remote, source: GitProjectSource, tmp_path: Path) -> None:
    for number in range(4):
        run_git(remote.work, "checkout", "--quiet", "main")
        remote.commit({"src/index.ts": f"branch {number}"}, f"b{number}")

    def take(number: int) -> str:
        fetch = Fetching(source, tmp_path / f"taker-{number}", remote.bare)
        return read(fetch(f"b{number % 4}"))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(take, range(8))) == [f"branch {number % 4}" for number in range(8)]


def test_waiting_for_another_fetch_can_be_cancelled(remote: Remote, fetch: Fetching, tmp_path: Path) -> None:
    def cancel_later() -> None:
        if time.monotonic() - started > 0.2:
            raise BuildCancelled("enough")

    started, hang = time.monotonic(), threading.Event()
    with serve(tmp_path, hang=hang) as url, ThreadPoolExecutor(1) as pool:
        slow = Fetching(fetch.source, tmp_path / "slow", f"{url}/remote%20repository.git")
        first = pool.submit(slow, "main", lambda: hang.is_set() and cancel_later())
        wait_until(lambda: _find_gits(tmp_path / "home"), what="the first fetch")
        with pytest.raises(BuildCancelled):
            Fetching(fetch.source, tmp_path / "second", slow.config["url"])("main", cancel_later)
        hang.set()
        with pytest.raises((BuildCancelled, SourceError)):
            first.result(10)


def _find_gits(home: Path) -> list[str]:
    """Return the git processes of a home that run."""
    marker, found = f"MASTRA_ADMIN_HOME={os.path.realpath(home)}\0".encode(), []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if marker in (path / "environ").read_bytes() and "git" in (path / "comm").read_text():
                found.append(path.name)
        except OSError:
            continue
    return found
