"""Traces, spans and logs in a real browser, on a real engine with what agents recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from fixtures.lines import iso, new_trace, now
from fixtures.panel import RunningPanel, run_panel
from fixtures.quick import wait_until
from fixtures.recorded import make_run, record, recorded_admin
from playwright.sync_api import Browser, Page, expect

from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.services.telemetry.lines import LineType, TelemetryLine

from .conftest import Complaints

HOSTILE = "\x1b[31m<script>document.title='bad'</script> \u202egnp.exe \x00\x07"
LARGE = "long " * 20_000
COUNT = 130
"""More than a page has."""

pytestmark = pytest.mark.slow


def make_span(trace: str, span: str, parent: str | None, offset: int, ms: int, **data: object) -> TelemetryLine:
    start = now() - timedelta(minutes=2) + timedelta(milliseconds=offset)
    known = {"traceId": trace, "id": span, "name": f"step {span}", "type": "tool_call", "startTime": iso(start)}
    place = {"parentSpanId": parent} if parent else {"isRootSpan": True}
    ended = {"endTime": iso(start + timedelta(milliseconds=ms))}
    return TelemetryLine(LineType.SPAN, "ended", None, {**known, **place, **ended, **data})


def make_log(message: str, **data: object) -> TelemetryLine:
    return TelemetryLine(LineType.LOG, None, None, {"timestamp": iso(now()), "message": message, **data})


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MastraAdmin]:
    with recorded_admin(tmp_path_factory.mktemp("telemetry"), engine_memory_mb=800) as made:
        yield made


@pytest.fixture(scope="module")
def ids(admin: MastraAdmin) -> dict[str, str]:
    """Many runs, one that failed, a hostile one, and one of ten thousand spans."""
    named = {name: new_trace() for name in ("failed", "hostile", "large")}
    lines: list[TelemetryLine] = []
    for number in range(COUNT):
        lines += make_run(user=f"user{number}", start=now() - timedelta(minutes=60, seconds=-number))
    lines += make_run(named["failed"], user="eve", error="upstream failed", start=now() - timedelta(minutes=5))
    lines += [
        make_span(named["hostile"], "h1", None, 0, 9000, name=HOSTILE, type="agent_run", input=LARGE,
                  output={"html": HOSTILE}, attributes={"model": HOSTILE}, errorInfo={"message": HOSTILE}),
        make_log(f"{HOSTILE}\nmore", level="error", traceId=named["hostile"], spanId="h1", data={"x": HOSTILE}),
    ]  # fmt: skip
    lines.append(make_span(named["large"], "s0", None, 0, 20_000, type="workflow_run"))
    for number in range(1, 10_000):
        failed = {"errorInfo": {"message": "step failed"}} if number == 7777 else {}
        lines.append(
            make_span(named["large"], f"s{number}", f"s{number // 50 * 50 if number % 50 else 0}", number, 5, **failed)
        )
    record(admin, lines)
    wait_until(lambda: len(admin.trace(named["large"]).frame) == 10_000, timeout=60, what="All spans")
    return named


@pytest.fixture(scope="module")
def panel(admin: MastraAdmin, ids: dict[str, str]) -> Iterator[RunningPanel]:
    with run_panel(admin.home.path) as running:
        yield running


@pytest.fixture
def signed_in(page: Page, panel: RunningPanel) -> Page:
    page.goto(f"{panel.url}/traces?token={panel.token}")
    return page


def test_traces_are_filtered_sorted_and_paged(signed_in: Page, panel: RunningPanel, ids: dict[str, str]) -> None:
    page = signed_in
    rows = page.locator("#list tbody tr")
    expect(rows).to_have_count(100)
    page.get_by_role("link", name="Next page").click()
    expect(rows).to_have_count(COUNT + 3 - 100)
    page.get_by_role("link", name="First page").click()
    expect(rows).to_have_count(100)
    page.wait_for_load_state()  # its scripts listen from then on
    page.get_by_label("Status").select_option("error")
    expect(rows).to_have_count(2)
    assert "status=error" in page.url
    page.goto(f"{panel.url}/traces?user=eve")
    expect(rows).to_have_count(1)
    assert page.get_by_label("User").input_value() == "eve"
    page.get_by_role("link", name="Clear").click()
    page.get_by_role("link", name="Spans", exact=True).last.click()
    expect(rows.first).to_contain_text("10,000")
    page.get_by_role("link", name="Errors").click()
    expect(page.locator("th[aria-sort]")).to_contain_text("Errors")
    page.wait_for_load_state()
    page.keyboard.press("/")
    page.keyboard.type("upstream")
    page.keyboard.press("Enter")
    expect(rows).to_have_count(1)
    expect(page.get_by_text("looks at the last 24 hours")).to_be_visible()


def test_a_misspelt_filter_says_the_near_ones(signed_in: Page, panel: RunningPanel, complaints: Complaints) -> None:
    signed_in.goto(f"{panel.url}/spans?modle=gpt")
    expect(signed_in.get_by_role("alert")).to_contain_text("Did you mean 'model'")
    signed_in.goto(f"{panel.url}/spans?project=nowhere")
    expect(signed_in.get_by_role("alert")).to_contain_text("no project")
    signed_in.get_by_role("link", name="Show all").click()
    expect(signed_in.locator("#list tbody tr")).to_have_count(100)
    complaints.forgive("400")


def test_times_are_local_with_utc_on_hover(chromium: Browser, panel: RunningPanel) -> None:
    context = chromium.new_context(timezone_id="Asia/Kolkata")
    page = context.new_page()
    page.goto(f"{panel.url}/traces?token={panel.token}")
    shown = page.locator("#list time").first
    expect(shown).to_have_attribute("data-shown", "")
    title = shown.get_attribute("title") or ""
    assert title.endswith("UTC")
    minutes = int((shown.text_content() or "").split(":")[1])
    assert (minutes - int(title.split(":")[1])) % 60 == 30
    context.close()


def test_a_span_is_read_by_keyboard_and_by_link(signed_in: Page, panel: RunningPanel, ids: dict[str, str]) -> None:
    page = signed_in
    page.goto(f"{panel.url}/traces/{ids['failed']}")
    detail = page.locator("#detail")
    expect(detail).to_contain_text("upstream failed")
    expect(page.locator("#tree [role=treeitem]")).to_have_count(3)
    page.locator("#tree").focus()
    page.keyboard.press("ArrowDown")
    expect(detail).to_contain_text("model_generation")
    expect(detail).to_contain_text("12 → 5")
    expect(page.locator("#tree [aria-selected=true]")).to_contain_text("llm")
    assert page.url.endswith(f"?span={'b' * 16}")
    page.reload()
    expect(detail).to_contain_text("model_generation")
    expect(page.locator("#tree [aria-selected=true]")).to_contain_text("llm")
    page.locator("#tree").focus()
    page.keyboard.press("End")
    expect(detail).to_contain_text("tool_call")
    page.get_by_role("link", name="agent run").click()
    expect(detail).to_contain_text("Weather in Rome?")
    page.locator("#tree").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#tree [role=treeitem]")).to_have_count(1)
    expect(page.locator("#logs")).to_contain_text("asked")
    expect(detail.locator(".span-logs")).to_contain_text("asked")
    with page.expect_download() as loaded:
        page.get_by_role("link", name="Download JSON").click()
    assert json.loads(Path(loaded.value.path()).read_text())["trace_id"] == ids["failed"]


def test_ten_thousand_spans_are_as_quick_as_ten(signed_in: Page, panel: RunningPanel, ids: dict[str, str]) -> None:
    page = signed_in
    page.goto(f"{panel.url}/traces/{ids['large']}")
    lines = page.locator("#tree [role=treeitem]")
    expect(lines.first).to_be_visible()
    assert lines.count() < 100
    page.get_by_role("button", name="Unfold all").click()
    page.locator("#tree").focus()
    page.keyboard.press("End")
    expect(page.locator("#detail")).to_contain_text("step s9999")
    assert lines.count() < 100
    page.get_by_role("button", name="Fold all", exact=True).click()
    page.get_by_role("button", name="Next error").click()
    expect(page.locator("#detail .fault")).to_contain_text("step failed")
    page.get_by_label("Find a span").fill("step s4242")
    expect(page.locator("#found")).to_have_text("1 found")
    page.keyboard.press("Enter")
    expect(page.locator("#detail h2").first).to_have_text("step s4242")


def test_what_agents_say_is_text(
    signed_in: Page, panel: RunningPanel, ids: dict[str, str], complaints: Complaints
) -> None:
    page = signed_in
    for path in ("/traces", "/spans", "/logs", f"/traces/{ids['hostile']}", f"/traces/{ids['hostile']}/spans/h1"):
        answer = page.goto(f"{panel.url}{path}")
        assert answer is not None
        text = answer.text()
        assert "<script>document" not in text, path
        assert not {"\x1b", "\u202e", "\x00", "\x07"} & set(text), path
        assert page.title() != "bad"
    page.goto(f"{panel.url}/traces/{ids['hostile']}")
    expect(page.locator("#tree [role=treeitem]")).to_contain_text("document.title")
    expect(page.locator("#payload-input")).to_contain_text("long long")
    assert len(page.locator("#payload-input").text_content() or "") < 25_000
    with page.expect_popup() as opened:
        page.get_by_role("link", name="the whole text").first.click()
    expect(opened.value.locator("body")).to_contain_text("long long")
    page.goto(f"{panel.url}/logs?level=error")
    page.locator("details.line summary").first.click()
    expect(page.locator("details.line pre").first).to_contain_text("more")
    complaints.forgive("favicon.ico")  # browsers ask for one for what is no page of ours, such as plain text


def test_something_can_be_said_of_a_trace_and_of_a_span(
    signed_in: Page, panel: RunningPanel, ids: dict[str, str]
) -> None:
    page = signed_in
    page.goto(f"{panel.url}/traces/{ids['failed']}")
    form = page.locator("#opinions .annotate")
    form.locator("summary").click()
    form.get_by_label("What").select_option("score")
    form.get_by_label("Name").fill("helpful")
    form.get_by_label("Score", exact=True).fill("0.5")
    form.get_by_label("Comment").fill("it failed")
    form.get_by_role("button", name="Save").click()
    expect(page.locator("#opinions .opinions")).to_contain_text("helpful 0.5")
    form = page.locator("#detail .annotate")
    form.locator("summary").click()
    form.get_by_label("Comment").last.fill("look at this")
    form.get_by_role("button", name="Save").click()
    expect(page.locator("#detail .opinions")).to_contain_text("look at this")


def test_live_lists_take_in_what_is_new(
    signed_in: Page, panel: RunningPanel, admin: MastraAdmin, ids: dict[str, str]
) -> None:
    page = signed_in
    page.get_by_role("button", name="Live").click()
    expect(page.locator("#feed")).to_have_text("live")
    third = page.locator("#list tbody tr").nth(60)
    third.scroll_into_view_if_needed()
    name, before = third.get_attribute("data-id"), third.bounding_box()
    trace = new_trace()
    record(admin, make_run(trace, user="late", start=now() + timedelta(seconds=1)))
    expect(page.locator(f"tr[data-id='{trace}']")).to_be_attached()
    after = page.locator(f"tr[data-id='{name}']").bounding_box()
    assert before is not None
    assert after is not None
    assert abs(after["y"] - before["y"]) < 3
    page.goto(f"{panel.url}/logs?live=1")
    expect(page.locator("#feed")).to_have_text("live")
    record(admin, [make_log("just now", level="info")])
    expect(page.get_by_text("just now")).to_be_visible()


@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (390, "dark")])
def test_no_page_runs_out_of_the_window(
    chromium: Browser, panel: RunningPanel, ids: dict[str, str], width: int, scheme: str, pictures: Path
) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"{panel.url}/traces?token={panel.token}")
    for path in (
        "/traces",
        "/spans",
        "/logs",
        f"/traces/{ids['hostile']}",
        f"/traces/{ids['large']}",
        "/traces?user=nobody",
    ):
        page.goto(panel.url + path)
        page.wait_for_load_state("networkidle")
        page.screenshot(path=pictures / f"{path.strip('/').split('?')[0].replace('/', '-')[:12]}-{width}.png")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    context.close()
