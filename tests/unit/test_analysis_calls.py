"""`admin.compare` and `admin.replay`: what people may name."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fakes.observability import FakeObservabilityStore
from fakes.router import FakeRouter
from fakes.runner import FakeRunner
from fakes.source import FakeProjectSource
from fakes.storage import FakeAdminStorage
from fixtures.lines import make_chunk, make_span, now
from fixtures.panel import seed

from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.errors import InvalidInput, NotFound
from mastra_admin_sdk.models import Build

PRICES = {"gpt": {"input": 1.0, "output": 10.0}, "currency": "EUR"}


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MastraAdmin]:
    home = tmp_path_factory.mktemp("analysis") / "home"
    parts: dict[str, Any] = {
        "storage": FakeAdminStorage(),
        "source": FakeProjectSource(),
        "runner": FakeRunner(),
        "router": FakeRouter(),
        "observability": FakeObservabilityStore(),
    }
    with MastraAdmin(home, prices=PRICES, **parts) as made:
        seeded = seed(made.storage, home)
        made.storage.builds.create(Build(seeded.deployment.id))
        for build, ms in zip(made.storage.builds.list(seeded.deployment.id)[::-1], (100, 300), strict=True):
            made.observability.insert([make_chunk(*list_lines(build, ms))])
        yield made


def list_lines(build: Build, ms: int) -> list[str]:
    """Forty runs of an agent with one generation each; those of user u1 are every second one."""
    lines = []
    for number in range(40):
        head = {"deploymentId": build.deployment_id, "buildId": build.id}
        trace, start = f"{build.number:016d}{number:016d}", now() + timedelta(seconds=1)
        metadata = {"resourceId": f"u{number % 2}"}
        lines.append(
            make_span(
                *("ended", trace, "run", start, ms + number),
                **head,
                type="agent_run",
                entityId="weather",
                metadata=metadata,
            )
        )
        lines.append(
            make_span(
                *("ended", trace, "gen", start, ms // 2),
                **head,
                parentSpanId="run",
                type="model_generation",
                attributes={"model": "gpt", "usage": {"inputTokens": 10 * build.number, "outputTokens": 1}},
            )
        )
    return lines


def read_latency(found: Any) -> tuple[int, int, float, str]:
    row = found.latency[found.latency["kind"] == "agent"].iloc[0]
    return row["n_a"], row["n_b"], row["difference"], row["verdict"]


def test_builds_are_named_as_everywhere(admin: MastraAdmin) -> None:
    first, second = (admin.builds.get(f"weather#{number}") for number in (1, 2))
    for a, b in (("weather#1", "weather#2"), (first, second), (first.id, second.record)):
        found = admin.compare(a, b)
        assert read_latency(found) == (40, 40, 200.0, "worse")
    assert found.a.label == "search/weather/main#1"
    tokens = found.tokens[(found.tokens["kind"] == "agent") & (found.tokens["metric"] == "cost")].iloc[0]
    assert (tokens["unit"], tokens["a"], tokens["b"]) == ("EUR", pytest.approx(20 / 1e6), pytest.approx(30 / 1e6))


def test_times_filters_deployments_and_frames_are_sides_too(admin: MastraAdmin) -> None:
    spans = admin.spans(limit=None)
    whole = read_latency(admin.compare("weather", {"deployment": "weather"}))
    assert whole[:3] == (80, 80, 0.0)
    assert read_latency(admin.compare(spans, ("1h", now() + timedelta(hours=1))))[:3] == (80, 80, 0.0)
    first = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    label = admin.compare((first, first + timedelta(hours=1)), "weather").a.label
    assert label == "2026-01-02 03:04 UTC to 2026-01-02 04:04 UTC"
    assert read_latency(admin.compare("weather", "weather", build="weather#1"))[:2] == (40, 40)
    assert admin.compare({"since": "1h", "project": "weather"}, "weather").a.label == "since 1h, project weather"


def test_traces_are_chosen_by_what_one_of_their_spans_has(admin: MastraAdmin) -> None:
    found = admin.compare({"user": "u0"}, {"user": "u1", "build": "weather#2"}, deployment="weather")
    assert read_latency(found)[:2] == (40, 20)
    # The generations, which know of no user, are part of it.
    assert found.tokens.query("kind == 'agent' and metric == 'input_tokens'")["b"].tolist() == [20.0]
    assert admin.compare({"model": "gpt"}, {"model": "other"}).b.traces == 0


def test_what_has_no_traces_is_no_error(admin: MastraAdmin) -> None:
    empty = admin.compare(("2001-01-01", "2001-01-02"), ("2002-01-01", "2002-01-02"))
    assert empty.frame.empty
    assert "nothing to compare" in repr(empty)
    assert set(admin.compare("weather#1", ("2001-01-01", "2001-01-02")).frame["verdict"]) == {"gone"}


def test_a_side_that_was_cut_says_so(admin: MastraAdmin) -> None:
    found = admin.compare("weather#1", "weather#2", limit=50)
    assert any("only its newest 50 spans" in note for note in found.notes)


@pytest.mark.parametrize(
    ("side", "options", "message"),
    [
        ("wether", {}, "There is no deployment 'wether'"),
        ("weather#9", {}, "no build #9"),
        (7, {}, "can't be compared"),
        ({"colour": "red"}, {}, "There is no filter 'colour'"),
        ({"limit": 3}, {}, "no filter for a comparison"),
        ("weather", {"columns": ["x"]}, "no filter for a comparison"),
        ("weather", {"confidence": 95}, "confidence of 95"),
        ("weather", {"min_traces": 0}, "min_traces can't be 0"),
    ],
)
def test_what_is_not_understood_is_refused(
    admin: MastraAdmin, side: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises((InvalidInput, NotFound), match=message):
        admin.compare("weather", side, **options)


def test_a_frame_needs_the_columns(admin: MastraAdmin) -> None:
    with pytest.raises(InvalidInput, match="no column 'parent_span_id'"):
        admin.compare(admin.spans(columns=("trace_id", "span_id")), "weather")


def test_the_cost_of_a_trace_is_told(admin: MastraAdmin) -> None:
    trace = admin.trace(f"{1:016d}{0:016d}")
    assert trace.tokens.cost == pytest.approx(20 / 1e6)
    assert admin.traces(trace_id=trace.id)["cost"].tolist() == [pytest.approx(trace.tokens.cost)]
    assert "2e-05 EUR" in trace.to_html()
    assert type(trace).from_json(trace.to_json()).tokens == trace.tokens


def test_a_dry_run_of_a_replay_says_what_would_be_sent(admin: MastraAdmin) -> None:
    found = admin.replay(admin.traces(build="weather#1", limit=3), "weather", dry_run=True)
    assert found["status"].tolist() == ["skipped"] * 3
    assert set(found["reason"]) == {"Its input wasn't recorded."}
    with pytest.raises(NotFound):
        admin.replay(found, "wether")
    with pytest.raises(InvalidInput, match="concurrency"):
        admin.replay([], "weather", concurrency=0)


def test_a_replay_is_in_the_audit_log(admin: MastraAdmin) -> None:
    assert admin.replay([], "weather").empty
    assert admin.events.list()[0].action == "replay"
