"""A real browser: Chromium, which may talk to this machine alone and has nothing to complain about."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from fixtures.panel import RunningPanel, run_panel
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Playwright,
    Request,
    expect,
    sync_playwright,
)

from mastra_admin_sdk.adapters.storage.sql import SqliteAdminStorage
from mastra_admin_sdk.home import open_home
from mastra_admin_sdk.ports.storage import AdminStorage

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# A busy machine is no fault of a page.
expect.set_options(timeout=20_000)
LOCAL = {"127.0.0.1", "localhost"}


@dataclass
class Complaints:
    """What a page did that it shouldn't have. Tests that provoke an error take it out of ``errors``."""

    errors: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        """Note errors and requests of a page from now on."""
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._see)

    def forgive(self, part: str) -> None:
        """Forget the errors that a test provoked."""
        self.errors = [error for error in self.errors if part not in error]

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.errors.append(f"{message.text} ({message.location.get('url')})")

    def _see(self, request: Request) -> None:
        parts = urlsplit(request.url)
        host = parts.hostname or ""
        if parts.scheme not in {"data", "about", "blob"} and host not in LOCAL and not host.endswith(".localhost"):
            self.strangers.append(request.url)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """The machine's Chromium, headless."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium on this machine: install it (Debian: apt-get install chromium)")
    playwright: Playwright = sync_playwright().start()
    browser = playwright.chromium.launch(executable_path=program, headless=True, args=FLAGS)
    yield browser
    browser.close()
    playwright.stop()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return open_home(tmp_path / "home").path


@pytest.fixture
def storage(home: Path) -> Iterator[AdminStorage]:
    made = SqliteAdminStorage(home / "admin.db")
    made.init()
    yield made
    made.close()


@pytest.fixture
def panel(home: Path, storage: AdminStorage) -> Iterator[RunningPanel]:
    with run_panel(home, "--ping-seconds", "0.5") as running:
        yield running


@pytest.fixture
def complaints() -> Complaints:
    """What went wrong in the pages of this test."""
    return Complaints()


@pytest.fixture
def context(chromium: Browser, complaints: Complaints, panel: RunningPanel) -> Iterator[BrowserContext]:
    """A browser without cookies. The test fails if a page complains or looks beyond this machine.

    It asks for the panel so that it is closed first: pages of a panel that has ended complain.
    """
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(15_000)
    context.on("page", complaints.watch)
    yield context
    context.close()
    assert complaints.errors == []
    assert complaints.strangers == []


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """A page of it."""
    return context.new_page()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder for screenshots."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    return folder
