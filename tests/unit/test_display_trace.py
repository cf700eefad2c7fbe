"""Trees of spans, sound and hostile, and their waterfalls."""

from __future__ import annotations

import json
import time
from html.parser import HTMLParser
from typing import Any

import pandas as pd
import pytest
from fixtures.spans import START, frame, span

from mastra_admin_sdk.display.text import measure
from mastra_admin_sdk.display.trace import TraceNode, build_tree, render_trace_html, render_trace_text, walk
from mastra_admin_sdk.display.tree import CYCLE, MISSING_PARENT

VOID = {"rect", "meta", "br"}


def shape(nodes: tuple[TraceNode, ...]) -> list[tuple[int, str]]:
    return [(node.depth, node.span_id) for node in walk(nodes)]


def waterfall(*spans: dict[str, Any]) -> str:
    return render_trace_html(build_tree(frame(*spans)))


class Checker(HTMLParser):
    """Reads HTML, remembers its elements and text, and objects to what isn't closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


AGENT = (
    span("model", "agent", 20, 60, model="local", input_tokens=34, output_tokens=12),
    span("agent", None, 0, 100, name="agent run: 'weather'", input='{"city": "Paris"}', output="sunny"),
    span("tool", "agent", 80, 15, status="error", error='{"message": "no such city", "stack": "…"}'),
    span("step", "model", 25, 10),
)


def test_children_hang_below_their_parents_by_start() -> None:
    nodes = build_tree(frame(*AGENT))
    assert shape(nodes) == [(0, "agent"), (1, "model"), (2, "step"), (1, "tool")]
    agent, model, _, tool = walk(nodes)
    assert (agent.start_ms, agent.duration_ms, agent.end_ms, agent.status) == (0, 100, 100, "ok")
    assert (model.start_ms, model.model, model.input_tokens, model.output_tokens) == (20, "local", 34, 12)
    assert (tool.status, tool.error) == ("error", "no such city")


def test_no_spans_no_tree() -> None:
    empty = frame(span("a")).iloc[:0]
    assert build_tree(empty) == build_tree(pd.DataFrame()) == ()
    assert "no spans" in render_trace_text(())
    assert "no spans" in render_trace_html(())
    assert "ma-axis" not in render_trace_html((), styles=False)


def test_a_missing_parent_makes_a_root_after_the_real_ones() -> None:
    nodes = build_tree(frame(span("early", "gone", 0), span("root", None, 5), span("child", "early", 6)))
    assert shape(nodes) == [(0, "root"), (0, "early"), (1, "child")]
    assert [node.note for node in nodes] == ["", MISSING_PARENT]


def test_circles_are_cut_at_their_earliest_span() -> None:
    nodes = build_tree(
        frame(span("c", "b", 3), span("a", "c", 1), span("b", "a", 2), span("tail", "b", 0), span("self", "self", 9))
    )
    assert shape(nodes) == [(0, "a"), (1, "b"), (2, "tail"), (2, "c"), (0, "self")]
    assert [node.note for node in nodes] == [CYCLE, CYCLE]


def test_a_span_counts_once_and_its_end_wins() -> None:
    nodes = build_tree(frame(span("a", ms=None, status="running"), span("a", ms=7), span("a", ms=9)))
    assert [(node.duration_ms, node.status) for node in nodes] == [(7, "ok")]


def test_a_span_without_end_runs() -> None:
    node = build_tree(frame(span("a", ms=None)))[0]
    assert (node.status, node.duration_ms) == ("running", None)
    assert "running" in render_trace_text((node,))


def test_missing_columns_and_values_are_no_fault() -> None:
    nodes = build_tree(pd.DataFrame({"span_id": ["a", None, None], "parent_span_id": [None, "a", float("nan")]}))
    assert shape(nodes) == [(0, "a"), (1, "row 1"), (0, "row 2")]
    assert render_trace_html(nodes)


def test_times_may_be_text_or_rubbish() -> None:
    rows = [span("a"), span("b"), span("c")]
    rows[0] |= {"start_time": "2026-05-01T12:00:00.000Z", "end_time": "2026-05-01T12:00:01Z", "duration_ms": None}
    rows[1] |= {"start_time": "yesterday", "end_time": None, "duration_ms": None}
    rows[2] |= {"start_time": "2026-05-01T12:00:00.500Z", "duration_ms": -3.0}
    nodes = {node.span_id: node for node in build_tree(pd.DataFrame(rows))}
    assert (nodes["a"].duration_ms, nodes["b"].start_ms, nodes["c"].start_ms) == (1000, 0, 500)
    assert "0 s" in render_trace_text(tuple(nodes.values()))


def test_the_text_shows_places_bars_durations_and_errors() -> None:
    assert render_trace_text(build_tree(frame(*AGENT)), width=60).splitlines() == [
        "4 spans · 100 ms · 1 failed",
        "agent run: 'weather'              ███████████████     100 ms",
        "├─ model                             █████████         60 ms",
        "│  └─ step                           █                 10 ms",
        "└─ ✗ tool                                     ██       15 ms",
        "     no such city",
    ]


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_no_line_is_wider_than_asked(width: int) -> None:
    chain = [span(f"n{i}", f"n{i - 1}" if i else None, i, 100, name="日本語 name " * 20) for i in range(60)]
    failed = span("bad", "n30", 3, 1, error="very long message " * 30, name="x\ny\x1b[31m")
    lines = render_trace_text(build_tree(frame(*chain, failed, *AGENT)), width=width).splitlines()
    assert len(lines) == 1 + 61 + 1 + 4 + 1
    assert max(map(measure, lines)) <= width
    assert all(line.isprintable() for line in lines)


def test_the_html_is_well_formed_and_needs_nothing_else() -> None:
    page = Checker(waterfall(*AGENT))
    tags = {tag for tag, _ in page.elements}
    assert tags >= {"details", "summary", "svg", "rect", "pre", "style"}
    assert not tags & {"script", "link", "img", "iframe"}
    assert not any(
        name.startswith("on") or name in ("src", "href", "style") for _, attrs in page.elements for name in attrs
    )
    for expected in ("agent run: 'weather'", '"city": "Paris"', "sunny", "no such city", "34 → 12 tokens", "error"):
        assert expected in page.text
    bars = [attrs for tag, attrs in page.elements if tag == "rect"]
    assert [(bar["x"], bar["width"]) for bar in bars][:2] == [("0.000%", "100.000%"), ("20.000%", "60.000%")]


def test_only_spans_with_something_inside_fold() -> None:
    page = Checker(waterfall(span("a", input="{}", output="", attributes=None), span("b", input="hello")))
    assert [attrs["class"] for tag, attrs in page.elements if tag == "details"] == ["ma-span ma-ok", "ma-payload"]


def test_spans_fold_with_what_is_inside_of_them() -> None:
    page = Checker(waterfall(*AGENT))
    folds = [("open" in attrs, attrs["class"]) for tag, attrs in page.elements if tag == "details"]
    # The agent with the model in it; the step and the failed tool hold nothing. Texts are folded.
    assert folds == [
        (True, "ma-span ma-ok"),
        *[(False, "ma-payload")] * 2,
        (True, "ma-span ma-ok"),
    ]


def test_of_a_large_trace_what_failed_and_the_longest_are_shown() -> None:
    spans = [span(f"s{i}", "root" if i else None, i, 1 + i % 7) for i in range(50)]
    spans[0]["span_id"] = "root"
    spans[31] |= {"status": "error", "error": "broken"}
    spans.append(span("deep", "s1", 1, 0.5, status="error", error="deep down"))
    page = Checker(render_trace_html(build_tree(frame(*spans)), limit=5))
    assert "5 of 51 spans shown" in page.text
    assert "deep down" in page.text
    assert "broken" in page.text
    assert "… 46 more spans" in page.text
    text = render_trace_text(build_tree(frame(*spans)), limit=3).splitlines()
    assert len(text) == 1 + 3 + 1 + 1 + 1
    assert "… 48 more spans, 1 failed" in text[-2]
    assert "3 of 51 spans shown" in text[-1]


def test_all_of_a_large_trace_is_shown_when_asked_for() -> None:
    nodes = build_tree(frame(*(span(f"s{i}", "s0" if i else None, i) for i in range(1_500))))
    assert render_trace_html(nodes).count('class="ma-label') == 1_000 + 1
    assert render_trace_html(nodes, limit=None).count('class="ma-label') == 1_500


def test_a_page_may_bring_the_styles_itself() -> None:
    assert "<style>" not in render_trace_html(build_tree(frame(*AGENT)), styles=False)


EVIL = "\"><script>alert(1)</script><img src=x onerror=alert(2)>'`{{ 7 * 7 }}{% raw %}"


@pytest.mark.parametrize(
    "field", ["name", "type", "status", "model", "error", "input", "output", "attributes", "span_id", "entity_name"]
)
def test_hostile_content_stays_text(field: str) -> None:
    page = Checker(waterfall(span("a") | {field: EVIL}))
    assert not {tag for tag, _ in page.elements} & {"script", "img"}
    assert not any(name.startswith("on") for _, attrs in page.elements for name in attrs)
    assert "49" not in page.text.replace("100.000", "")
    assert "\x1b" not in render_trace_text(build_tree(frame(span("a") | {field: "\x1b[2J"})))


@pytest.mark.parametrize(
    "value",
    ["[" * 100_000, "{broken", "\udcff", "9" * 10_000, '{"a": ' + "9" * 6000 + "}", "line\nline"],
    ids=["deep", "broken", "surrogate", "long", "huge-number", "lines"],
)
def test_odd_payloads_are_shown(value: str) -> None:
    page = waterfall(span("a", input=value, output=value, error=value))
    page.encode("utf-8")
    Checker(page)


def test_payloads_that_are_objects_are_shown_as_json() -> None:
    page = Checker(waterfall(span("a", input={"city": "Zürich", "when": START}, output=[1, 2])))
    assert '"city": "Zürich"' in page.text


def test_a_cut_payload_says_so() -> None:
    page = Checker(waterfall(span("a", input="x" * 5000)))
    assert "cut after 4,000 of 5,000 characters" in page.text
    assert "x" * 4001 not in page.text


def test_ten_thousand_spans_take_less_than_two_seconds_each_way() -> None:
    payload = json.dumps({"messages": [{"role": "user", "content": "weather " * 30}]})
    spans = [
        span(f"s{i}", f"s{(i - 1) // 10}" if i else None, i, 500, input=payload, output=payload) for i in range(10_000)
    ]
    made = frame(*spans)
    started = time.process_time()
    nodes = build_tree(made)
    built = time.process_time()
    text = render_trace_text(nodes)
    page = render_trace_html(nodes)
    ended = time.process_time()
    assert len(text.splitlines()) == 10_001
    assert "1,000 of 10,000 spans shown" in page
    assert len(page) < 2_500_000
    assert built - started < 2
    assert ended - built < 2


def test_ten_thousand_levels_are_no_recursion() -> None:
    nodes = build_tree(frame(*(span(f"s{i}", f"s{i - 1}" if i else None, i, 20_000 - i) for i in range(10_000))))
    assert max(node.depth for node in walk(nodes)) == 9_999
    assert max(map(measure, render_trace_text(nodes).splitlines())) <= 80
    assert render_trace_html(nodes)
    assert "s0" in repr(nodes[0])
    del nodes


def test_ten_thousand_spans_in_one_circle() -> None:
    nodes = build_tree(frame(*(span(f"s{i}", f"s{(i + 1) % 10_000}", i) for i in range(10_000))))
    assert [node.span_id for node in nodes] == ["s0"]
    assert sum(1 for _ in walk(nodes)) == 10_000
