"""docs/api.md: its samples run against a real panel."""

from __future__ import annotations

from pathlib import Path

from fixtures.docs import read_page
from fixtures.panel import run_panel
from fixtures.quick import write_source

from mastra_admin_sdk.home import open_home

PAGE = read_page("api")


def test_the_samples_run_in_the_order_they_stand_in(tmp_path: Path) -> None:
    write_source(tmp_path / "sources" / "app")
    home = open_home(tmp_path / "home").path
    with run_panel(home, MASTRA_ADMIN_SOURCE_PATHS=str(tmp_path / "sources")) as panel:
        PAGE.run_all({"url": panel.url, "token": panel.token})


def test_the_page_of_decisions_and_the_api_agree_on_their_addresses() -> None:
    for address in ("/api/openapi.json", "/api/docs", "/api/sources/projects", "/api/deployments"):
        assert address in PAGE.text
