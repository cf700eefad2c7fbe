"""What docs/ingestion.md shows is run as it stands there, and what it lists is there."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest
from fixtures.docs import check_defaults, read_page

from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.services.telemetry import chunks
from mastra_admin_sdk.services.telemetry.progress import IngestionStatus

PAGE = read_page("ingestion")


@pytest.mark.slow
def test_the_ingestion_samples_run_in_the_order_they_stand_in(admin: MastraAdmin) -> None:
    folder = admin.home.telemetry / "d" / "b" / "p" / "spans"
    folder.mkdir(parents=True)
    (folder / "1_a.jsonl").write_text("{broken\n42\n")
    names = PAGE.run_all({"admin": admin})
    assert names["overview"].lag.files == 1
    assert {*names["rejects"]["reason"]} == {"not JSON", "not an object"}
    assert admin.overview().ingestion.rejected == 2
    assert admin.overview().lag.files == 0


def test_ingestion_settings_have_the_defaults_that_are_said() -> None:
    check_defaults(PAGE)


def test_all_figures_and_reasons_of_ours_are_listed() -> None:
    listed = {*re.findall(r"`([^`\n]+)`", PAGE.text)}
    assert {item.name for item in fields(IngestionStatus)} <= listed
    assert chunks._TOO_LONG in listed
    assert f"{chunks.MAX_LINE_BYTES // 1024**2} MB" in PAGE.text
