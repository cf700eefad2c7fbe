"""docs/live-logs.md: its samples run, and what it says of the API is there."""

from __future__ import annotations

import re
from pathlib import Path

from fixtures.docs import read_page
from fixtures.panel import make_fake_admin, seed

from mastra_admin_panel import create_app
from mastra_admin_sdk.home import open_home

PAGE = read_page("live-logs")


def test_the_samples_run_in_the_order_they_stand_in(tmp_path: Path) -> None:
    with make_fake_admin(open_home(tmp_path / "home").path) as admin:
        seed(admin.storage, admin.home.path)
        names = PAGE.run_all({"admin": admin})
        assert [line.number for line in names["page"].lines] == [1, 2]
        assert names["found"].next is None


def test_the_addresses_exist(tmp_path: Path) -> None:
    with make_fake_admin(open_home(tmp_path / "home").path) as admin:
        rules = {rule.rule for rule in create_app(admin).url_map.iter_rules()}
    named = re.findall(r"`GET (/api/[^?`]+)", PAGE.text)
    assert len(named) == 5
    for address in named:
        tail = address.split("<id>")[1]
        for noun in ("build", "deployment", "process"):
            plural = {"process": "processes"}.get(noun, f"{noun}s")
            assert f"/api/{plural}/<{noun}_id>{tail}" in rules
