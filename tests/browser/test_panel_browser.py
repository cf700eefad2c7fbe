"""The panel in a real browser, on a real server process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fixtures.panel import RunningPanel, make_build, seed, start_build, write_log
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from mastra_admin_sdk.models import Build
from mastra_admin_sdk.ports.storage import AdminStorage

pytestmark = pytest.mark.slow  # a browser and a server process

LIVE = 10_000
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def build(storage: AdminStorage, home: Path) -> Build:
    """A build under way, beside one that serves."""
    build = start_build(storage, make_build(storage, home, seed(storage, home).deployment))
    write_log(build, ["── install"], stream="info")
    write_log(build, ["\x1b[32m✓\x1b[0m added 308 packages", f"{HOSTILE} \x1b[38;5;208morange\x1b[0m"])
    return build


def sign_in(page: Page, panel: RunningPanel, path: str = "/") -> None:
    page.goto(f"{panel.url}{path}?token={panel.token}")
    assert page.url == f"{panel.url}{path}"


def test_the_link_signs_in_and_the_list_shows_a_deployment(
    page: Page, panel: RunningPanel, storage: AdminStorage, home: Path
) -> None:
    sign_in(page, panel)
    expect(page.get_by_role("heading", name="Nothing here yet")).to_be_visible()
    seed(storage, home)
    link = page.get_by_role("link", name="weather.search.localhost:8080")
    expect(link.first).to_be_visible(timeout=LIVE)
    expect(page.locator("#connection")).to_have_text("connected")
    page.get_by_role("link", name="#1").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Build #1")
    expect(page.locator("[data-log-state]")).to_have_text("complete")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_token_can_be_typed(page: Page, panel: RunningPanel, build: Build, complaints: Any) -> None:
    page.goto(f"{panel.url}/builds/{build.id}")
    page.get_by_label("Token").fill("wrong")
    page.get_by_label("Token").press("Enter")
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("Token").fill(panel.token)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Build #2")
    complaints.forgive("401")


def test_a_link_on_another_site_opens_the_page(page: Page, panel: RunningPanel, build: Build) -> None:
    sign_in(page, panel)
    page.goto(f"data:text/html,<a href='{panel.url}/builds/{build.id}'>go</a>")
    page.get_by_role("link", name="go").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Build #2")


def test_a_page_of_another_site_opens_no_websocket(
    page: Page, panel: RunningPanel, build: Build, complaints: Any
) -> None:
    sign_in(page, panel)
    page.goto("data:text/html,<p>elsewhere")
    address = f"{panel.socket_url}/api/builds/{build.id}/logs/ws"
    outcome = page.evaluate(
        """(address) => new Promise((resolve) => {
          const socket = new WebSocket(address);
          socket.onopen = () => resolve("opened");
          socket.onerror = () => resolve("refused");
        })""",
        address,
    )
    assert outcome == "refused"
    complaints.forgive("WebSocket connection")


def test_the_keyboard_reaches_everything_and_shows_where_it_is(
    page: Page, panel: RunningPanel, storage: AdminStorage, home: Path
) -> None:
    seed(storage, home)
    sign_in(page, panel)
    expect(page.locator("#connection")).to_have_text("connected")
    seen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            """() => {
              const { activeElement: found } = document;
              return [found.textContent.trim(), getComputedStyle(found).outlineStyle, found.tagName];
            }"""
        )
        if focused[0] and focused[2] != "BODY":
            seen.append(focused[0])
            assert focused[1] != "none", focused
    assert seen[0] == "Skip to content"
    assert {"MastraAdmin", "Sign out", "weather.search.localhost:8080", "#1"} <= set(seen)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390], ids=["wide", "phone"])
def test_pages_fit_and_dont_jump(
    chromium: Browser, panel: RunningPanel, storage: AdminStorage, build: Build, pictures: Path, scheme: Any, width: int
) -> None:
    long = "a-very-long-branch-name-without-any-place-to-break-it-that-goes-on-and-on"
    storage.deployments.update(build.deployment_id, branch=long, status_reason=f"Build #2 failed: {long * 3}")
    context: BrowserContext = chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    page.add_init_script(
        "window.jumps = 0; new PerformanceObserver((list) => list.getEntries().forEach((entry) => "
        "{ if (!entry.hadRecentInput) window.jumps += entry.value; })).observe({type: 'layout-shift', buffered: true});"
    )
    for name, path in (("overview", "/"), ("build", f"/builds/{build.id}")):
        sign_in(page, panel, path)
        expect(page.locator("#connection, [data-log-state]").first).to_have_text("connected")
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, name
        assert page.evaluate("window.jumps") < 0.02, name
        page.screenshot(path=pictures / f"{name}-{scheme}-{width}.png", full_page=True)
    context.close()


def test_a_click_before_the_scripts_listen_is_done_once_they_do(page: Page, panel: RunningPanel) -> None:
    sign_in(page, panel)
    held: list[Route] = []
    page.route("**/static/shell.js", lambda route: held.append(route))
    page.goto(f"{panel.url}/teams", wait_until="commit")
    page.get_by_role("button", name="New team").first.click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    (script,) = held
    script.continue_()
    expect(page.get_by_role("dialog", name="New team")).to_be_visible()
