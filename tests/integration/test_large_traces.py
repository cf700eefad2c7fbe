"""Traces of ten thousand spans through the real engine: read, walked, shown as text, HTML, JSON and page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from fakes.router import FakeRouter
from fakes.runner import FakeRunner
from fakes.source import FakeProjectSource
from fixtures.lines import make_chunk, make_log, make_span, now
from fixtures.panel import BASE, TOKEN

from mastra_admin_panel import create_app
from mastra_admin_sdk import MastraAdmin, Trace
from mastra_admin_sdk.ports.observability import Stream

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

SPANS = 10_000
DEEP, WIDE = "d" * 32, "e" * 32


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MastraAdmin]:
    home = tmp_path_factory.mktemp("large traces") / "home"
    with MastraAdmin(home, source=FakeProjectSource(), runner=FakeRunner(), router=FakeRouter()) as made:
        made.observability.init()
        for trace, ratio in ((DEEP, 1), (WIDE, 10)):
            made.observability.insert([make_chunk(*list_lines(trace, ratio))])
        log = make_log("deep down", now(), traceId=DEEP, spanId=name(SPANS - 1))
        made.observability.insert([make_chunk(log, stream=Stream.LOGS)])
        yield made
        made.observability.stop()


def list_lines(trace: str, ratio: int) -> Iterator[str]:
    """Each span has ``ratio`` children: one makes a chain. The last one failed."""
    start = now() - timedelta(minutes=5)
    for place in range(SPANS):
        above = {"parentSpanId": name((place - 1) // ratio)} if place else {}
        failed = {"errorInfo": {"message": "the last one failed"}} if place == SPANS - 1 else {}
        begin = start + timedelta(milliseconds=place)
        yield make_span(
            "ended", trace, name(place), begin, 2 * (SPANS - place), **above, **failed, input={"q": "x" * 300}
        )


def name(place: int) -> str:
    return f"{place:016x}"


@pytest.mark.parametrize(("trace_id", "depth"), [(DEEP, SPANS), (WIDE, 5)], ids=["deep", "wide"])
def test_ten_thousand_spans_work_everywhere(admin: MastraAdmin, trace_id: str, depth: int) -> None:
    trace = admin.trace(trace_id)
    assert (len(trace.frame), len(trace.tree), trace.tree.depth) == (SPANS, SPANS, depth)
    assert trace.frame["start_time"].is_monotonic_increasing
    assert trace.duration == timedelta(milliseconds=2 * SPANS)
    assert trace.find(status="error")["span_id"].tolist() == [name(SPANS - 1)]
    assert len(trace.tree.path(name(SPANS - 1))) == depth
    assert len(trace.to_text().splitlines()) == SPANS + 2
    assert len(repr(trace).splitlines()) < 450
    assert "1,000 of 10,000 spans shown" in trace.to_html()
    assert len(trace.to_html()) < 2_500_000
    back = Trace.from_json(trace.to_json())
    assert back.frame["span_id"].tolist() == trace.frame["span_id"].tolist()
    assert back.logs["message"].tolist() == trace.logs["message"].tolist()
    assert admin.traces(trace_id=trace_id)["spans"].tolist() == [SPANS]


def test_the_panel_shows_them(admin: MastraAdmin) -> None:
    client = create_app(admin, token=TOKEN).test_client()
    client.environ_base.update(HTTP_AUTHORIZATION=f"Bearer {TOKEN}")
    page = client.get(f"/traces/{WIDE}", base_url=BASE)
    assert page.status_code == 200
    drawn = client.get(f"/traces/{WIDE}/rows", base_url=BASE).json or {}
    rows = [dict(zip(drawn["fields"], row, strict=True)) for row in drawn["rows"]]
    assert len(rows) == SPANS
    (failed,) = [row for row in rows if row["status"] == "error"]
    span = client.get(f"/traces/{WIDE}/spans/{failed['id']}", base_url=BASE)
    assert "the last one failed" in span.text
    assert client.get(f"/traces/{'0' * 32}", base_url=BASE).status_code == 404
