"""The waterfall of a trace in a real browser, as a notebook shows it: one piece of HTML without anything else."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from fixtures.spans import frame, span
from playwright.sync_api import Browser, Page

from mastra_admin_sdk import Trace

EVIL = "\"><script>document.title = 'bad'</script><img src=http://example.com/x onerror=alert(1)>"
SPANS = (
    span("a", None, 0, 100, name="agent run", type="agent_run", input=json.dumps({"q": EVIL}), output="sunny"),
    span("b", "a", 10, 50, name=EVIL, status="error", error=EVIL),
)


@pytest.fixture(params=[(1100, "light"), (400, "dark")], ids=["wide-light", "narrow-dark"])
def page(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    width, scheme = request.param
    context = chromium.new_context(viewport={"width": width, "height": 700}, color_scheme=scheme)
    yield context.new_page()
    context.close()


def test_it_folds_with_the_keyboard_and_loads_nothing(page: Page) -> None:
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on("request", lambda request: heard.append(request.url))
    page.set_content(Trace("t", frame(*SPANS)).to_html())
    page.keyboard.press("Tab")
    run = page.locator("details.ma-span").first
    assert run.get_attribute("open") is not None
    page.keyboard.press("Enter")
    assert run.get_attribute("open") is None
    assert not page.locator(".ma-error").is_visible()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.locator("pre").first.is_visible()
    assert EVIL in page.locator("pre").first.inner_text().replace('\\"', '"')
    assert page.title() == ""
    assert heard == []


def test_nothing_runs_out_of_the_window(page: Page) -> None:
    deep = [span(f"s{i}", f"s{i - 1}" if i else None, i, 90 - i, name=f"level {i} " * 9) for i in range(60)]
    page.set_content(Trace("t", frame(*deep)).to_html())
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    label = page.get_by_text("level 50").first
    box = label.bounding_box()
    assert box is not None
    assert box["width"] > 60
