"""What docs/monitoring.md shows is run as it stands there, and what it lists is there."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest
from fixtures.docs import check_command, check_defaults, read_page
from fixtures.panel import TOKEN, make_fake_admin
from fixtures.receiver import run_receiver
from prometheus_client.parser import text_string_to_metric_families

from mastra_admin_panel import create_app
from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.models import AlertKind
from mastra_admin_sdk.services.monitoring.columns import HEALTH_COLUMNS
from mastra_admin_sdk.services.monitoring.options import AlertOptions

PAGE = read_page("monitoring")


@pytest.mark.slow
def test_the_monitoring_samples_run_in_the_order_they_stand_in(admin: MastraAdmin) -> None:
    admin.deploy(admin.projects.create(admin.teams.create("Search"), source="quick-app"))
    with run_receiver() as receiver:
        names = PAGE.run_all({"admin": admin, "hook": receiver.url})
        (delivery,) = receiver.deliveries
    assert names["sick"].empty
    assert names["is_genuine"]("correct horse battery staple", delivery.body, delivery.headers["x-hub-signature-256"])
    assert set(delivery.payload) == set(json.loads(re.findall(r"```json\n(.*?)```", PAGE.text, re.DOTALL)[0]))
    assert {rule.name: rule.threshold for rule in admin.alerts.list()} == {"errors": 0.2, "crashes": 1.0}


@pytest.mark.parametrize("line", PAGE.commands)
def test_monitoring_commands_and_their_options_exist(line: str) -> None:
    check_command(line)


def test_monitoring_settings_have_the_defaults_that_are_said() -> None:
    check_defaults(PAGE)


def test_all_columns_kinds_and_options_are_listed() -> None:
    listed = {
        name
        for cell in re.findall(r"^\| (`[^|]*) \|", PAGE.text, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", cell)
    }
    assert set(HEALTH_COLUMNS) <= listed
    assert {kind.value for kind in AlertKind} <= listed
    assert {item.name for item in fields(AlertOptions)} <= listed


def test_all_metrics_are_listed(tmp_path: Path) -> None:
    with make_fake_admin(tmp_path / "home") as admin:
        client = create_app(admin, token=TOKEN).test_client()
        text = client.get(
            "/metrics", base_url="http://127.0.0.1:3001", headers={"Authorization": f"Bearer {TOKEN}"}
        ).text
    families = {
        family.name.removeprefix("mastra_admin_"): family.type for family in text_string_to_metric_families(text)
    }
    said = PAGE.text.replace("`…_bytes`, `…_files`", "`ingestion_lag_bytes`, `ingestion_lag_files`")
    missing = [
        name for name, kind in families.items() if f"`{name}{'_total' if kind == 'counter' else ''}`" not in said
    ]
    assert missing == []
