"""Usage, alerts and settings in a real browser, with telemetry in a real engine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fixtures.lines import iso, new_trace, now
from fixtures.panel import RunningPanel, run_panel, seed
from playwright.sync_api import Page, expect

from mastra_admin_sdk import ClickHouseStore
from mastra_admin_sdk.home import open_home
from mastra_admin_sdk.ports.storage import AdminStorage
from mastra_admin_sdk.services.telemetry.lines import LineOwner, LineType, TelemetryLine
from mastra_admin_sdk.services.telemetry.writing import TelemetryWriter

pytestmark = pytest.mark.slow

MODELS = (("gpt-4o", "openai"), ("claude-sonnet-5", "anthropic"), ("llama-4", "local"))
PRICES = '[prices]\n"gpt-4o" = {input = 2.5, output = 10.0}\n"claude*" = {input = 3, output = 15}\n'
LOADING = 30_000
"""Milliseconds that a chart may take on a busy machine: the engine starts, and a large script is read."""
SIZES = {"wide": (1280, 900), "phone": (390, 844)}


@pytest.fixture
def panel(home: Path, storage: AdminStorage) -> Iterator[RunningPanel]:
    """A panel on a home in which two agents answered 120 questions in the last day."""
    seeded = seed(storage, home)
    (home / "settings.toml").write_text(PRICES)
    owner = LineOwner(seeded.project.id, seeded.deployment.id, seeded.build.id)
    with TelemetryWriter(open_home(home).telemetry) as writer:
        writer.write(owner, [line for number in range(120) for line in make_answer(number)])
    with run_panel(home, "--ping-seconds", "0.5") as running:
        yield running
    store = ClickHouseStore(home=home)
    store.stop()
    store.close()


def make_answer(number: int) -> list[TelemetryLine]:
    """Return an agent run with its model call; every ninth failed, and they get slower."""
    trace, start = new_trace(), now() - timedelta(minutes=12 * number + 1)
    agent = {"entityType": "agent", "entityId": ("weather", "search")[number % 2], "entityName": "Agent"}
    model, provider = MODELS[number % 3]
    usage = {"inputTokens": 200 + 37 * (number % 17), "outputTokens": 40 + 11 * (number % 13)}
    length = 300 + 17 * (number % 23) + 4 * number
    failed = {"errorInfo": {"message": "The forecast didn't answer"}} if number % 9 == 4 else {}
    return [
        make_span(trace, "a" * 16, start, length, "agent_run", isRootSpan=True, **agent, **failed),
        make_span(
            trace, "b" * 16, start, length // 2, "model_generation", parentSpanId="a" * 16,
            attributes={"model": model, "provider": provider, "usage": usage}, **agent,
        ),
    ]  # fmt: skip


def make_span(trace: str, span: str, start: Any, length: int, kind: str, **data: Any) -> TelemetryLine:
    times = {"startTime": iso(start), "endTime": iso(start + timedelta(milliseconds=length))}
    known = {"traceId": trace, "id": span, "name": kind.replace("_", " "), "type": kind}
    return TelemetryLine(LineType.SPAN, "ended", None, {**known, **times, **data})


def sign_in(page: Page, panel: RunningPanel, path: str = "/usage") -> None:
    page.goto(f"{panel.url}{path}{'&' if '?' in path else '?'}token={panel.token}")


def see_drawn(page: Page, name: str) -> None:
    """Wait until a chart is drawn."""
    figure = page.locator(f'[data-chart*="/api/charts/{name}"]')
    figure.scroll_into_view_if_needed()
    expect(figure.locator(".main-svg").first).to_be_visible(timeout=LOADING)
    expect(figure.locator(".chart-body")).not_to_have_attribute("aria-busy", "true", timeout=LOADING)


def take_picture(page: Page, name: str) -> None:
    """Keep a picture of the page where somebody wants to look at it."""
    if folder := os.environ.get("MASTRA_ADMIN_TEST_PICTURES"):
        page.screenshot(path=str(Path(folder, f"{name}.png")), full_page=True)


def test_usage_is_drawn_and_told_as_a_table(page: Page, panel: RunningPanel) -> None:
    sign_in(page, panel)
    for name in ("latency", "requests", "tokens", "errors", "cost"):
        see_drawn(page, name)
    expect(page.locator(".stats")).to_contain_text("120")
    latency = page.locator('[data-chart*="/api/charts/latency"]')
    latency.get_by_role("button", name="Show as table").click()
    expect(latency.get_by_role("columnheader", name="p95")).to_be_visible()
    assert latency.locator("tbody tr").count() > 20
    latency.get_by_role("button", name="Show as chart").click()
    expect(latency.locator(".main-svg").first).to_be_visible()
    rows = page.locator(".usage-table tbody")
    expect(rows).to_contain_text("gpt-4o")
    expect(rows).to_contain_text("$")
    expect(page.locator(".usage-notice")).to_contain_text("no price for a model")
    page.get_by_label("Split by").select_option("agent")
    page.wait_for_url("**by=agent**")
    see_drawn(page, "latency")
    expect(page.locator('[data-chart*="/api/charts/latency"]')).to_contain_text("search")
    expect(rows).to_contain_text("weather")


def test_a_chart_follows_theme_and_size_without_moving_anything(page: Page, panel: RunningPanel) -> None:
    page.emulate_media(color_scheme="light")
    sign_in(page, panel)
    see_drawn(page, "latency")
    body = page.locator('[data-chart*="/api/charts/latency"] .chart-body')
    ground = body.locator(".main-svg").first
    before = body.bounding_box()
    expect(ground).to_have_css("background-color", "rgb(255, 255, 255)")
    page.emulate_media(color_scheme="dark")
    expect(ground).to_have_css("background-color", "rgb(23, 27, 34)")
    assert body.bounding_box() == before
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function("document.querySelector('.chart-body .main-svg').getBoundingClientRect().width < 390")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_an_empty_time_and_a_refusal_are_told(page: Page, panel: RunningPanel, complaints: Any) -> None:
    sign_in(page, panel, "/usage?since=10s")
    expect(page.get_by_text("Nothing was recorded in this time")).to_be_visible()
    page.route("**/api/charts/latency**", lambda route: route.fulfill(status=503, json={"error": {"message": "Away."}}))
    page.goto(f"{panel.url}/usage")
    latency = page.locator('[data-chart*="/api/charts/latency"]')
    expect(latency.get_by_role("button", name="Try again")).to_be_visible()
    expect(latency).to_contain_text("Away.")
    page.unroute("**/api/charts/latency**")
    latency.get_by_role("button", name="Try again").click()
    see_drawn(page, "latency")
    complaints.forgive("503")


def test_an_alert_is_made_changed_switched_off_and_deleted(page: Page, panel: RunningPanel) -> None:
    sign_in(page, panel, "/alerts")
    page.get_by_role("button", name="Create the first alert").click()
    dialog = page.locator("#new-alert")
    dialog.get_by_label("Name").fill("Too many errors")
    dialog.get_by_label("Threshold").fill("12.5")
    dialog.get_by_label("Of", exact=True).select_option(label="Weather agent: main")
    dialog.get_by_role("button", name="Create").click()
    rules = page.locator("#rules + .card")
    expect(rules).to_contain_text("Error rate from 12.5 % in 5 min")
    expect(rules).to_contain_text("search/weather/main")
    take_picture(page, "alerts")
    page.get_by_role("button", name="Change").click()
    page.locator("dialog[open]").get_by_label("Threshold").fill("20")
    page.locator("dialog[open]").get_by_role("button", name="Save").click()
    expect(rules).to_contain_text("from 20 %")
    page.get_by_role("button", name="Switch off").click()
    expect(rules).to_contain_text("off")
    page.get_by_role("button", name="Delete").click()
    page.locator("#confirm-yes").click()
    expect(page.get_by_text("No alert yet")).to_be_visible()


def test_settings_tell_what_is_set_and_collect(page: Page, panel: RunningPanel) -> None:
    sign_in(page, panel, "/settings")
    expect(page.get_by_text(str(panel.home)).first).to_be_visible()
    page.goto(f"{panel.url}/settings?tab=retention")
    expect(page.locator("[data-disk] table")).to_be_visible()
    page.get_by_role("button", name="Show what would go").click()
    expect(page.locator("[data-gc-result]")).to_contain_text("remove")
    page.goto(f"{panel.url}/settings?tab=policy")
    expect(page.locator("#prices + .card")).to_contain_text("claude*")
    page.goto(f"{panel.url}/settings?tab=all")
    page.get_by_label("Find a setting").fill("router_port")
    expect(page.locator(".settings tbody tr:visible")).to_have_count(1)
    page.goto(f"{panel.url}/settings?tab=doctor")
    expect(page.locator("tbody")).to_contain_text("secret key")


def test_a_member_is_added_and_a_token_is_shown_once_and_revoked(
    page: Page, panel: RunningPanel, complaints: Any
) -> None:
    sign_in(page, panel, "/settings?tab=members")
    page.get_by_role("button", name="Add a member").click()
    page.get_by_label("Email").fill("ana@example.com")
    page.locator("#member-role").select_option("viewer")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("#live")).to_contain_text("ana@example.com")
    page.get_by_label("Role of ana@example.com").select_option("owner")
    expect(page.locator("#toasts")).to_contain_text("Changed.")
    role = page.get_by_label("Role of ana@example.com")
    expect(role).to_have_value("owner")
    role.select_option("viewer")
    expect(page.locator(".member-form .action-error")).to_contain_text("owner")
    expect(role).to_have_value("owner")
    complaints.forgive("409")
    take_picture(page, "settings-members")
    page.goto(f"{panel.url}/settings?tab=tokens")
    page.get_by_role("button", name="Create the first token").click()
    page.locator("#token-name").fill("laptop")
    page.get_by_label("Belongs to").select_option(label="ana@example.com (owner)")
    take_picture(page, "settings-new-token")
    page.get_by_role("button", name="Create", exact=True).click()
    secret = page.locator("#secret")
    expect(secret).not_to_be_empty()
    assert len(secret.inner_text()) > 30
    take_picture(page, "settings-secret")
    page.get_by_role("button", name="Done").click()
    expect(secret).to_be_empty()
    rows = page.locator("#live tbody")
    expect(rows).to_contain_text("laptop")
    expect(rows).to_contain_text("of ana@example.com")
    page.get_by_role("button", name="Revoke").click()
    page.locator("#confirm-yes").click()
    expect(rows).to_contain_text("revoked")


@pytest.mark.skipif("MASTRA_ADMIN_TEST_PICTURES" not in os.environ, reason="nobody wants to look at pictures")
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pictures(page: Page, panel: RunningPanel, size: str, scheme: Any) -> None:
    page.set_viewport_size({"width": SIZES[size][0], "height": SIZES[size][1]})
    page.emulate_media(color_scheme=scheme)
    sign_in(page, panel)
    for name in ("latency", "requests", "tokens", "errors", "cost"):
        see_drawn(page, name)
    take_picture(page, f"usage-{size}-{scheme}")
    for tab in ("about", "tokens", "retention", "domain", "policy", "doctor", "background", "all"):
        page.goto(f"{panel.url}/settings?tab={tab}")
        page.wait_for_timeout(300)
        take_picture(page, f"settings-{tab}-{size}-{scheme}")
