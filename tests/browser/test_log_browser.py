"""The log of a build in a real browser: live, searched, paused, resumed, a million lines long, and nothing but text."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fixtures.panel import RunningPanel, end_build, make_build, run_panel, seed, start_build, write_log
from playwright.sync_api import BrowserContext, Locator, Page, expect

from mastra_admin_sdk.linelog import LineLog
from mastra_admin_sdk.models import Build, BuildStatus, ProcessStatus, new_id, utc_now
from mastra_admin_sdk.ports.storage import AdminStorage

pytestmark = pytest.mark.slow  # a browser and a server process

LIVE = 10_000
MANY = 1_000_000
HOSTILE = "<img src=x onerror=alert(1)>"


class Log:
    """What a person sees of the log on a page."""

    def __init__(self, page: Page) -> None:
        self.rows: Locator = page.locator(".log-lines .xterm-rows")
        self.numbers: Locator = page.locator(".log-gutter")
        self.box: Locator = page.locator("[data-log-box]")
        self.state: Locator = page.locator("[data-log-state]")
        self.follow: Locator = page.get_by_role("button", name="Follow")
        self.new: Locator = page.locator("[data-log-new]")
        self.count: Locator = page.locator("[data-count]")

    def list_numbers(self) -> list[int]:
        """Return the line numbers beside the rows that are shown."""
        return [int(text) for text in self.numbers.locator("div").all_text_contents() if text]


@pytest.fixture
def build(storage: AdminStorage, home: Path) -> Build:
    """A build under way, beside one that serves."""
    build = start_build(storage, make_build(storage, home, seed(storage, home).deployment))
    write_log(build, ["── install"], stream="info")
    write_log(build, ["\x1b[32m✓\x1b[0m added 308 packages", f"{HOSTILE} \x1b[38;2;250;90;10morange\x1b[0m"])
    return build


@pytest.fixture
def log(page: Page, panel: RunningPanel, build: Build) -> Log:
    """Its page, opened and connected."""
    return open_log(page, panel, build)


def open_log(page: Page, panel: RunningPanel, build: Build, place: str = "") -> Log:
    page.goto(f"{panel.url}/?token={panel.token}")
    page.goto(f"{panel.url}/builds/{build.id}{place}")
    return Log(page)


def write_many(build: Build, count: int) -> None:
    """Write a long log at once, as a build would line by line."""
    path = Path(build.log_path or "")
    moment = "2026-11-23T21:00:00.000+00:00"
    mark = dict.fromkeys(range(77, count, 100_000), " needle")
    with path.open("w") as file:
        file.writelines(
            f"{number}\t{moment}\tout\tline {number} of many{mark.get(number, '')}\n" for number in range(1, count + 1)
        )


def test_a_log_is_followed_to_its_end(log: Log, page: Page, storage: AdminStorage, build: Build) -> None:
    expect(log.state).to_have_text("connected")
    expect(log.rows).to_contain_text("added 308 packages")
    expect(log.rows).to_contain_text(f"{HOSTILE} orange")
    assert log.rows.locator("img").count() == 0
    assert log.list_numbers() == [1, 2, 3]
    write_log(build, [f"step {number}" for number in range(4, 304)])
    expect(log.rows).to_contain_text("step 303", timeout=LIVE)
    assert log.list_numbers()[-1] == 303
    storage.builds.update(build.id, phases={"copy": 0.2, "install": 3.0, "build": 0.0})
    expect(page.locator(".phase-running")).to_contain_text("build", timeout=LIVE)
    error = {"code": "command_failed", "hint": "Mend the import.", "details": {"command": "mastra build"}}
    write_log(build, ["error TS2304"], stream="err")
    end_build(storage, build, BuildStatus.FAILED, error_message="The build failed", error=error)
    expect(log.state).to_have_text("complete", timeout=LIVE)
    expect(page.locator("[data-log-note]")).to_contain_text("Build #2 failed")
    expect(page.get_by_text("Mend the import.")).to_be_visible(timeout=LIVE)
    expect(log.rows).to_contain_text("error TS2304")
    expect(log.numbers.locator(".err")).to_have_count(1)


def test_colours_are_those_of_the_theme_and_the_policy_stays_strict(log: Log, page: Page, panel: RunningPanel) -> None:
    tick = log.rows.locator("span", has_text="✓").first
    expect(tick).to_have_css("color", "rgb(18, 112, 58)")
    orange = log.rows.locator("span", has_text="orange").first
    assert orange.evaluate("span => getComputedStyle(span).color") != tick.evaluate("() => 'rgb(24, 32, 48)'")
    page.emulate_media(color_scheme="dark")
    expect(tick).to_have_css("color", "rgb(95, 206, 139)")
    policy = page.request.get(page.url).headers["content-security-policy"]
    assert "style-src 'self'" in policy
    assert "unsafe-inline" not in policy


def test_scrolling_up_pauses_and_the_new_lines_are_counted(log: Log, build: Build) -> None:
    write_log(build, [f"line {number}" for number in range(4, 204)])
    expect(log.rows).to_contain_text("line 203", timeout=LIVE)
    log.box.press("PageUp")
    expect(log.follow).to_have_attribute("aria-pressed", "false")
    seen = log.list_numbers()
    write_log(build, ["newest", "and newer"])
    expect(log.new).to_have_text("2 new lines", timeout=LIVE)
    assert log.list_numbers() == seen
    log.new.click()
    expect(log.rows).to_contain_text("and newer")
    expect(log.follow).to_have_attribute("aria-pressed", "true")
    expect(log.new).to_be_hidden()
    log.box.press("f")
    expect(log.follow).to_have_attribute("aria-pressed", "false")
    log.box.press("End")
    expect(log.follow).to_have_attribute("aria-pressed", "true")


def test_a_lost_connection_is_shown_and_resumed_without_gap(
    log: Log, page: Page, panel: RunningPanel, build: Build, home: Path, complaints: Any
) -> None:
    expect(log.state).to_have_text("connected")
    panel.process.terminate()
    expect(log.state).to_have_text("disconnected", timeout=LIVE)
    panel.process.wait(timeout=15)
    write_log(build, ["while away", "still away"])
    with run_panel(home, "--port", str(panel.port), "--ping-seconds", "0.5"):
        expect(log.state).to_have_text("connected", timeout=20_000)
        expect(log.rows).to_contain_text("still away", timeout=LIVE)
        write_log(build, ["back"])
        expect(log.rows).to_contain_text("back", timeout=LIVE)
        assert log.list_numbers() == [1, 2, 3, 4, 5, 6]
        page.close()
    complaints.forgive("ERR_CONNECTION_REFUSED")
    complaints.forgive("ERR_CONNECTION_RESET")
    complaints.forgive("ERR_EMPTY_RESPONSE")
    complaints.forgive("WebSocket connection")


def test_a_million_lines_open_at_once_and_any_of_them_is_near(page: Page, panel: RunningPanel, build: Build) -> None:
    write_many(build, MANY)
    page.goto(f"{panel.url}/?token={panel.token}")
    began = time.monotonic()
    log = open_log(page, panel, build)
    expect(log.rows).to_contain_text(f"line {MANY} of many")
    assert time.monotonic() - began < 2.0
    for key, number in (("Home", 1), ("End", MANY), ("Home", 1)):
        log.box.press(key)
        expect(log.rows).to_contain_text(f"line {number} of many")
    page.get_by_label("Line", exact=True).fill("543,210")
    page.get_by_role("button", name="Go").click()
    expect(log.rows).to_contain_text("line 543210 of many")
    assert page.url.endswith("#L543210")
    log.box.evaluate("box => { box.scrollTop = box.scrollHeight / 4; }")
    expect(log.rows).to_contain_text(re.compile(r"line 2[45]\d{4} of many"))
    assert abs(log.list_numbers()[0] - MANY // 4) < 1000
    first = log.list_numbers()[0]
    log.box.hover()
    page.mouse.wheel(0, 200)
    expect(log.numbers.locator("div").first).not_to_have_text(str(first))
    assert 5 <= log.list_numbers()[0] - first <= 25  # a turn of the wheel is rows, not a share of the log


def test_the_whole_log_is_searched(page: Page, panel: RunningPanel, build: Build) -> None:
    write_many(build, 300_000)
    log = open_log(page, panel, build, "#L150000")
    expect(log.rows).to_contain_text("line 150000 of many")
    page.keyboard.press("Control+f")
    page.keyboard.type("NEEDLE")
    expect(log.count).to_have_text("3 of 3", timeout=LIVE)
    expect(log.rows).to_contain_text("line 200077 of many needle")
    hit = log.rows.locator("span", has_text="needle").first
    expect(hit).to_have_css("background-color", "rgb(255, 213, 79)")
    page.keyboard.press("Enter")
    expect(log.count).to_have_text("1 of 3")
    expect(log.rows).to_contain_text("line 77 of many needle")
    page.keyboard.press("Shift+Enter")
    expect(log.count).to_have_text("3 of 3")
    page.get_by_label("Match case").check()
    expect(log.count).to_have_text("nothing found", timeout=LIVE)
    page.get_by_label("Match case").uncheck()
    page.get_by_label("Regular expression").check()
    page.get_by_label("Search the log").fill("line 1.*needle$")
    expect(log.count).to_have_text("1 of 1", timeout=LIVE)
    expect(log.rows).to_contain_text("line 100077 of many needle")
    page.keyboard.press("Escape")
    expect(log.count).to_have_text("")


def test_a_link_to_lines_shows_and_copies_them_without_numbers(
    page: Page, context: BrowserContext, panel: RunningPanel, build: Build
) -> None:
    write_many(build, 5_000)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    log = open_log(page, panel, build, "#L2000-L2002")
    expect(log.numbers.locator(".marked").first).to_have_text("2000")
    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.locator("#toasts")).to_contain_text("Copied lines 2,000 to 2,002.")
    expected = "".join(f"line {number} of many\n" for number in range(2000, 2003))
    assert page.evaluate("navigator.clipboard.readText()") == expected
    log.numbers.get_by_text("2005").click()
    assert page.url.endswith("#L2005")
    screen = page.locator(".log-lines .xterm-screen").bounding_box()
    assert screen
    page.mouse.move(screen["x"] + 1, screen["y"] + 5)
    page.mouse.down()
    page.mouse.move(screen["x"] + 300, screen["y"] + 30, steps=4)
    page.mouse.up()
    page.keyboard.press("Control+c")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert re.fullmatch(r"line \d{4} of many\nline \d{4} of many", copied.strip()), copied


def test_clearing_is_for_the_view_alone_and_wrapping_can_be_off(log: Log, page: Page, build: Build) -> None:
    write_log(build, ["word " * 200])
    expect(log.rows).to_contain_text("word", timeout=LIVE)
    assert log.numbers.locator("div").count() > 5
    page.get_by_role("button", name="Wrap").click()
    expect(log.numbers.locator("div:not(:empty)")).to_have_count(4)
    assert log.box.evaluate("box => box.scrollWidth > box.clientWidth")
    page.get_by_role("button", name="Wrap").click()
    page.get_by_role("button", name="Clear").click()
    expect(log.rows).not_to_contain_text("word")
    write_log(build, ["after it"])
    expect(log.rows).to_contain_text("after it", timeout=LIVE)
    assert log.list_numbers() == [5]
    page.get_by_role("button", name="Show earlier lines").click()
    expect(log.rows).to_contain_text("added 308 packages")


def test_what_is_seen_is_readable_by_programs_and_nothing_obeys_the_log(log: Log, page: Page, build: Build) -> None:
    path = Path(build.log_path or "")
    evil = "\x1b]0;owned\x07\x1b[2J\x1b[6n\x1bc\x9b31mred \u202etxt.exe"
    with path.open("a") as file:
        file.write(f"4\t2026-11-23T21:00:00.000+00:00\tout\t{evil}\n")
    expect(page.locator("[data-log-text]")).to_contain_text("added 308 packages")
    expect(log.rows).to_contain_text("red txt.exe", timeout=LIVE)
    expect(log.rows).to_contain_text("added 308 packages")
    title = page.title()
    assert "owned" not in title


def test_the_log_of_a_deployment_goes_on_with_that_of_its_next_server(
    page: Page, panel: RunningPanel, storage: AdminStorage, home: Path
) -> None:
    seeded = seed(storage, home)
    logs = [home / "logs" / "servers" / f"{number}.log" for number in (1, 2)]
    for number, path in enumerate(logs, 1):
        with LineLog(path) as written:
            written.write(f"server {number} listens")
    storage.processes.update(seeded.process.id, log_path=str(logs[0]))
    page.goto(f"{panel.url}/?token={panel.token}")
    page.goto(f"{panel.url}/deployments/{seeded.deployment.id}?tab=log")
    log = Log(page)
    expect(log.rows).to_contain_text("server 1 listens")
    expect(log.state).to_have_text("connected")
    next_one = replace(seeded.process, id=new_id(), port=4109, log_path=str(logs[1]), created_at=utc_now())
    storage.processes.transition(seeded.process.id, ProcessStatus.EXITED, expected=[ProcessStatus.RUNNING])
    storage.processes.create(next_one)
    expect(log.rows).to_contain_text("server 2 listens", timeout=LIVE)
    expect(log.rows).not_to_contain_text("server 1 listens")
    expect(page.locator("[data-log-note]")).to_contain_text("Another server has started")
    assert log.list_numbers() == [1]
