"""The panel in a real browser, on a real server process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fixtures.panel import RunningPanel, end_build, make_build, run_panel, seed, start_build, write_log
from playwright.sync_api import Browser, BrowserContext, Page, expect

from mastra_admin_sdk.models import Build, BuildStatus
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
    row = page.get_by_role("row").filter(has_text="production")
    expect(row).to_be_visible(timeout=LIVE)
    expect(row.get_by_role("link", name="weather.search.localhost:8080")).to_be_visible()
    expect(page.locator("#connection")).to_have_text("connected")
    page.get_by_role("link", name="#1").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Build #1")
    expect(page.locator("#connection")).to_have_text("complete")
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


def test_a_build_page_follows_the_log_to_its_end(
    page: Page, panel: RunningPanel, storage: AdminStorage, build: Build
) -> None:
    sign_in(page, panel, f"/builds/{build.id}")
    lines = page.locator("#lines .line")
    expect(lines).to_have_count(3)
    expect(page.locator("#connection")).to_have_text("connected")
    expect(lines.nth(1).locator("span.f2")).to_have_text("✓")
    expect(lines.nth(2)).to_have_text(f"{HOSTILE} orange")
    assert lines.nth(2).locator("img").count() == 0
    write_log(build, [f"step {number}" for number in range(4, 304)])
    expect(lines.last).to_have_text("step 303", timeout=LIVE)
    page.locator("#lines").scroll_into_view_if_needed()
    expect(lines.last).to_be_in_viewport()
    storage.builds.update(build.id, phases={"copy": 0.2, "install": 3.0, "build": 0.0})
    expect(page.locator(".phases li")).to_have_count(3, timeout=LIVE)
    error = {"code": "command_failed", "hint": "Mend the import.", "details": {"command": "mastra build"}}
    write_log(build, ["error TS2304"], stream="err")
    end_build(storage, build, BuildStatus.FAILED, error_message="The build failed", error=error)
    expect(page.locator("#end")).to_contain_text("Build #2 failed", timeout=LIVE)
    expect(page.locator("#connection")).to_have_text("complete")
    expect(page.get_by_text("Mend the import.")).to_be_visible(timeout=LIVE)
    numbers = lines.evaluate_all("found => found.map((line) => Number(line.dataset.number))")
    assert numbers == list(range(1, 305))


def test_scrolling_away_stops_following_until_asked(page: Page, panel: RunningPanel, build: Build) -> None:
    write_log(build, [f"line {number}" for number in range(200)])
    sign_in(page, panel, f"/builds/{build.id}")
    follow = page.get_by_role("button", name="Follow")
    page.locator("#lines").scroll_into_view_if_needed()
    expect(page.locator("#lines .line").last).to_be_in_viewport(timeout=LIVE)
    page.locator("#lines").evaluate("box => { box.scrollTop = 0; }")
    expect(follow).to_have_attribute("aria-pressed", "false")
    write_log(build, ["newest"])
    expect(page.locator("#lines .line").last).to_have_text("newest", timeout=LIVE)
    expect(page.locator("#lines .line").last).not_to_be_in_viewport()
    follow.click()
    expect(page.locator("#lines .line").last).to_be_in_viewport()


def test_a_lost_connection_is_shown_and_resumed(
    page: Page, panel: RunningPanel, build: Build, home: Path, complaints: Any
) -> None:
    sign_in(page, panel, f"/builds/{build.id}")
    expect(page.locator("#lines .line")).to_have_count(3)
    page.evaluate("document.getElementById('lines').firstChild.dataset.kept = 'yes'")
    panel.process.terminate()
    expect(page.locator("#connection")).to_have_text("disconnected", timeout=LIVE)
    panel.process.wait(timeout=15)
    write_log(build, ["while away"])
    with run_panel(home, "--port", str(panel.port), "--ping-seconds", "0.5"):
        expect(page.locator("#connection")).to_have_text("connected", timeout=20_000)
        expect(page.locator("#lines .line")).to_have_count(4, timeout=LIVE)
        assert page.locator("#lines .line").first.get_attribute("data-kept") == "yes"
        page.close()
    complaints.forgive("ERR_CONNECTION_REFUSED")
    complaints.forgive("WebSocket connection")


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
    for _ in range(12):
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
        expect(page.locator("#connection")).to_have_text("connected")
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, name
        assert page.evaluate("window.jumps") < 0.02, name
        page.screenshot(path=pictures / f"{name}-{scheme}-{width}.png", full_page=True)
    context.close()


@pytest.mark.parametrize(
    ("text", "html"),
    [
        pytest.param("plain <b>", "plain &lt;b&gt;", id="plain"),
        pytest.param("\x1b[1;31mred\x1b[0m x", '<span class="bold f1">red</span> x', id="bold-red"),
        pytest.param("\x1b[31mred\x1b[39m x", '<span class="f1">red</span> x', id="default-colour"),
        pytest.param("\x1b[92;41mx\x1b[m", '<span class="F2 g1">x</span>', id="bright-on-colour"),
        pytest.param("\x1b[38;2;1;2;3mx", '<span class="" style="color: rgb(1, 2, 3);">x</span>', id="true-colour"),
        pytest.param("\x1b[38;5mx\x1b[999mx\x1b[;mx", None, id="nonsense"),
        pytest.param("\x1b[38;2;1;2mx", None, id="cut-short"),
        pytest.param("a\x1b]8;;http://evil.example\x1b\\b", None, id="link"),
    ],
)
def test_colours_become_spans_and_nothing_else(page: Page, panel: RunningPanel, text: str, html: str | None) -> None:
    sign_in(page, panel)
    rendered = page.evaluate(
        """async (text) => {
          const { renderAnsi } = await import("/static/ansi.js");
          const box = document.createElement("div");
          box.append(renderAnsi(text));
          return [box.innerHTML, [...box.querySelectorAll("*")].map((item) => item.tagName)];
        }""",
        text,
    )
    assert set(rendered[1]) <= {"SPAN"}
    assert html is None or rendered[0] == html
