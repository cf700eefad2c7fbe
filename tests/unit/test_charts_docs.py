"""What docs/charts.md shows is run as it stands there."""

from __future__ import annotations

from pathlib import Path

from fixtures.charted import make_charted_admin
from fixtures.docs import read_page

from mastra_admin_sdk.display.charts.chart import Chart
from mastra_admin_sdk.services.charts.questions import GROUPS
from mastra_admin_sdk.services.charts.service import ChartService

PAGE = read_page("charts")


def test_the_samples_run_in_the_order_they_stand_in(tmp_path: Path) -> None:
    admin, _ = make_charted_admin(tmp_path / "home", slug="weather-agent")
    with admin:
        trace_id = str(admin.spans(limit=1)["trace_id"].iloc[0])
        names = PAGE.run_all({"admin": admin, "trace_id": trace_id})
    assert isinstance(names["chart"], Chart)
    assert len(names["slowest"]) == 1
    assert names["page"].count("<html") == 0


def test_all_charts_and_groups_are_told() -> None:
    for name in (name for name in vars(ChartService) if not name.startswith("_")):
        assert f"`{name}`" in PAGE.text or f"charts.{name}(" in PAGE.text, name
    for group in GROUPS:
        assert f"`{group}`" in PAGE.text, group
