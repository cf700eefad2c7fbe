"""``admin.charts``: questions, ranges and groups."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
from fixtures.charted import ANSWERS, MODELS, make_charted_admin
from fixtures.lines import now

from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.errors import InvalidInput, NotFound
from mastra_admin_sdk.services.charts.summaries import SUMMARY_MEASURES


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MastraAdmin]:
    made, _ = make_charted_admin(tmp_path_factory.mktemp("home"))
    with made:
        yield made


def test_requests_are_counted_once_and_failures_apart(admin: MastraAdmin) -> None:
    chart = admin.charts.requests()
    assert int(chart.frame["count"].sum()) == ANSWERS
    succeeded, failed = chart.figure["data"]
    assert (sum(succeeded["y"]), sum(failed["y"])) == (16, 4)
    assert chart.title == "Requests"


def test_latency_is_of_requests_and_by_model_of_model_calls(admin: MastraAdmin) -> None:
    assert [trace["name"] for trace in admin.charts.latency().figure["data"]] == ["p50", "p95", "p99"]
    by_model = admin.charts.latency(by="model", percentile=50)
    assert by_model.title == "Latency of model calls by model (p50)"
    assert {trace["name"] for trace in by_model.figure["data"]} == set(MODELS)
    assert set(by_model.frame["p50_ms"]) == {50.0}
    assert admin.charts.latency(type="tool_call").empty == "Nothing was recorded in this time."


def test_deployments_and_projects_are_called_by_their_names(admin: MastraAdmin) -> None:
    assert admin.charts.requests(by="deployment").figure["data"][0]["name"] == "search/weather/main"
    assert set(admin.charts.tokens(by="project").frame["project"]) == {"search/weather"}


def test_errors_and_tokens(admin: MastraAdmin) -> None:
    assert admin.charts.errors(bucket="1d", since="2d").frame["error_rate"].mean() > 0
    tokens = admin.charts.tokens()
    assert int(tokens.frame["total_tokens"].sum()) == 110 * ANSWERS
    assert [trace["name"] for trace in tokens.figure["data"]] == ["input", "output"]


def test_without_prices_the_cost_says_so(admin: MastraAdmin) -> None:
    chart = admin.charts.cost()
    assert chart.empty == "No cost is known: the setting prices is empty."
    assert chart.figure["data"] == []


def test_costs_of_models_without_a_price_are_left_out_and_that_is_told(tmp_path: Path) -> None:
    made, _ = make_charted_admin(tmp_path / "home")
    with made:
        from mastra_admin_sdk.services.telemetry.price_table import read_prices

        made._telemetry.prices = made._telemetry._asker._prices = read_prices({"gpt-4o": {"input": 2, "output": 10}})
        chart = made.charts.cost()
        assert [trace["name"] for trace in chart.figure["data"]] == ["gpt-4o"]
        assert chart.notes == ("The cost is missing where the setting prices has no price for a model.",)


def test_a_chart_covers_the_time_that_was_asked_for(admin: MastraAdmin) -> None:
    until = now() - timedelta(hours=1)
    chart = admin.charts.requests(since=until - timedelta(hours=1), until=until, bucket="10m")
    assert len(chart.figure["data"][0]["x"]) in {6, 7}
    assert 5 <= int(chart.frame["count"].sum()) <= 7
    everything = admin.charts.requests(since="all", timezone="Asia/Kolkata")
    assert int(everything.frame["count"].sum()) == ANSWERS
    assert everything.figure["layout"]["xaxis"]["title"]["text"] == "Time (Asia/Kolkata)"


def test_a_summary_has_all_measures_side_by_side(admin: MastraAdmin) -> None:
    whole = admin.charts.summary()
    assert tuple(whole.columns) == SUMMARY_MEASURES
    assert (whole["count"][0], whole["errors"][0], whole["total_tokens"][0]) == (ANSWERS, 4, 110 * ANSWERS)
    by_model = admin.charts.summary(by="model")
    assert list(by_model["model"]) == sorted(MODELS)
    assert by_model.attrs == {"subject": "model calls", "currency": "USD", "unpriced": "all"}
    days = admin.charts.summary(by="day", since="2d")
    assert days["day"].is_monotonic_decreasing
    for by in ("model", "project", "agent", "day"):
        both = admin.charts.summaries(by=by, since="2d")
        pd.testing.assert_frame_equal(both[0], admin.charts.summary(since="2d"))
        pd.testing.assert_frame_equal(both[1], admin.charts.summary(by=by, since="2d"))
    assert admin.charts.summaries(by="model", since="1s")[0]["count"][0] == 0
    assert admin.charts.summary(since="1s")["count"][0] == 0
    assert admin.charts.summary(by="model", since="1s").empty


def test_builds_and_a_trace(admin: MastraAdmin) -> None:
    chart = admin.charts.builds("weather")
    assert chart.drawing.rows[0][0] == "#1"
    assert "search/weather/main #1" in admin.charts.builds().drawing.rows[0][0]
    trace = admin.trace(str(admin.spans(limit=1)["trace_id"].iloc[0]))
    assert len(admin.charts.trace(trace).drawing.rows) == 2


@pytest.mark.parametrize(
    "given",
    [{"by": "modle"}, {"timezone": "Europe/Berlim"}, {"bucket": "1ms"}, {"since": "1h", "until": "2h"}, {"mdoel": "x"}],
    ids=lambda given: next(iter(given)),
)
def test_what_can_not_be_drawn_is_refused(admin: MastraAdmin, given: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        admin.charts.requests(**given)


def test_other_percentiles_and_unknown_projects_are_refused(admin: MastraAdmin) -> None:
    with pytest.raises(InvalidInput, match="percentile"):
        admin.charts.latency(percentile=42)
    with pytest.raises(NotFound):
        admin.charts.latency(project="nothing")


def test_charts_load_nothing_heavy_before_they_are_drawn() -> None:
    code = "import sys, mastra_admin_sdk.admin; print({'pandas', 'plotly', 'numpy'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.strip() == "set()"


def test_the_disk_is_measured_by_parts_of_the_home(admin: MastraAdmin) -> None:
    frame = admin.disk()
    assert list(frame.columns) == ["part", "path", "bytes", "files"]
    logs = frame[frame["part"] == "logs of builds"].iloc[0]
    assert logs["files"] >= 1
    assert logs["bytes"] > 0
    assert 0 < frame.attrs["free"] <= frame.attrs["total"]
