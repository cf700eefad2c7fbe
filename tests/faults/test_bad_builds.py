"""Builds that go wrong, through the whole of a deploy: what is told, what still serves, and that nothing is left."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from fixtures.homes import look_from_outside
from fixtures.quick import find_free_port, find_port_range
from fixtures.servers import PROJECTS

from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.errors import BuildError
from mastra_admin_sdk.services.objects import LiveDeployment

pytestmark = pytest.mark.slow  # real npm

SECRET = "Zm9v+hunter/22?"


@pytest.fixture
def admin(tmp_path: Path) -> Iterator[MastraAdmin]:
    made = MastraAdmin(
        tmp_path / "home",
        source_paths=[str(tmp_path / "apps")],
        router_port=find_free_port(),
        server_ports=find_port_range(),
        drain_timeout=2.0,
        min_free_mb=1,
    )
    yield made
    made.down()
    made.close()
    left = look_from_outside(tmp_path / "home")
    assert (left["processes"], left["ports"]) == ([], []), left


@pytest.fixture
def deployed(admin: MastraAdmin, tmp_path: Path) -> LiveDeployment:
    """An app that serves; the bad builds come over it."""
    lay_out(tmp_path, "tiny_build")
    project = admin.projects.create(admin.teams.create("Search"), source="app", env={"TOKEN": SECRET})
    live: LiveDeployment = admin.deploy(project, on_progress=lambda _: None)
    return live


def lay_out(tmp_path: Path, name: str) -> Path:
    """Put a project in place of what the app was: the small one that builds, with what the named one has of its own."""
    folder = tmp_path / "apps" / "app"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(PROJECTS / "tiny_build", folder)
    shutil.copytree(PROJECTS / name, folder, symlinks=True, dirs_exist_ok=True)
    package = folder / "package.json"
    package.write_text(package.read_text().replace("tiny-build", "app"))
    (folder / "secret.txt").write_text(SECRET)
    return folder


def answers(live: LiveDeployment) -> str:
    """Return the id of the build whose artifact the answering server runs."""
    return Path(live.request("GET", "/argv").json()[1]).parent.name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("failing_install_script", "no compiler for the native part"),
        ("lock_disagrees", "npm ci"),
        ("build_prints_a_secret", "mastra build"),
    ],
)
def test_a_build_that_fails_says_why_and_changes_nothing(
    admin: MastraAdmin, deployed: LiveDeployment, tmp_path: Path, name: str, words: str
) -> None:
    before = answers(deployed)
    lay_out(tmp_path, name)
    with pytest.raises(BuildError) as caught:
        deployed.redeploy(on_progress=lambda _: None)
    assert words in f"{caught.value.message} {caught.value.evidence}"
    assert caught.value.hint
    assert answers(deployed) == before
    assert deployed.status == "running"
    assert len(list(admin.home.artifacts.iterdir())) == 1


def test_a_secret_that_a_build_prints_is_in_no_log(
    admin: MastraAdmin, deployed: LiveDeployment, tmp_path: Path
) -> None:
    lay_out(tmp_path, "build_prints_a_secret")
    with pytest.raises(BuildError) as caught:
        deployed.redeploy(on_progress=lambda _: None)
    told = "\n".join(line.text for line in deployed.builds[0].logs()) + str(caught.value)
    assert "token ***" in told
    assert "authorization: Basic ***" in told
    assert "hunter" not in told


@pytest.mark.parametrize(
    "name", ["build_prints_200_mb", "build_prints_no_newline", "build_prints_binary", "cyclic_symlinks"]
)
def test_a_build_that_behaves_oddly_goes_live_all_the_same(
    admin: MastraAdmin, deployed: LiveDeployment, tmp_path: Path, name: str
) -> None:
    lay_out(tmp_path, name)
    build = deployed.redeploy(on_progress=lambda _: None)
    assert answers(deployed) == build.id
    log = Path(build.record.log_path or "")
    assert log.stat().st_size < 20_000_000
    texts = [line.text for line in build.logs()]
    assert all(text.isprintable() or "\x1b" in text for text in texts)
    assert any(text.startswith("Live at ") for text in texts)
    if name == "build_prints_200_mb":
        assert "the last words" in texts


def test_daemons_that_a_build_forks_end_with_it(
    deployed: LiveDeployment, tmp_path: Path, wait_gone: Callable[[int], None]
) -> None:
    lay_out(tmp_path, "build_forks_daemons")
    build = deployed.redeploy(on_progress=lambda _: None)
    pids = (Path(build.record.artifact["path"]) / "daemons.txt").read_text().split()
    assert len(pids) == 2
    for pid in pids:
        wait_gone(int(pid))


@pytest.fixture
def wait_gone() -> Callable[[int], None]:
    """Fail when a process is there; end it, so that a failed test leaves nothing."""

    def check(pid: int) -> None:
        alive = Path(f"/proc/{pid}").exists()
        with suppress(ProcessLookupError):
            os.kill(pid, 9)
        assert not alive, f"the daemon {pid} outlived its build"

    return check
