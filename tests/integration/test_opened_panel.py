"""`admin.panel()`: the panel from a notebook."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from urllib.request import HTTPCookieProcessor, build_opener

import pytest
from fixtures.docs import read_page
from fixtures.panel import make_fake_admin

from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.errors import Conflict


@pytest.mark.slow  # a panel as a process of its own
def test_it_is_opened_once_signs_in_and_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: opened.append(url) or True)
    with MastraAdmin(tmp_path / "home", panel_port=0) as admin:
        panel = admin.panel()
        try:
            assert panel.is_running
            assert admin.panel().pid == panel.pid
            assert panel.link.startswith(f"{panel.url}/?token=")
            browser = build_opener(HTTPCookieProcessor())
            with browser.open(panel.link, timeout=10) as answer:
                assert answer.status == 200
            assert panel.open()
            assert opened == [panel.link]
            token = panel.link.partition("token=")[2]
            assert repr(panel) == f"<Panel running {panel.url}>"
            assert f'href="{panel.url}/"' in panel._repr_html_()
            assert token not in panel._repr_html_() + repr(panel)
        finally:
            panel.stop()
        panel.stop()
        assert not panel.is_running
        assert repr(panel) == "<Panel ended>"
        assert "has ended" in panel._repr_html_()
        assert not (admin.home.run / "panel.json").exists()


def test_parts_that_are_objects_are_named_instead_of_left_out(tmp_path: Path) -> None:
    with (
        make_fake_admin(tmp_path / "home") as admin,
        pytest.raises(Conflict, match=r"storage, .*observability") as said,
    ):
        admin.panel()
    assert "create_app" in str(said.value)


@pytest.mark.slow  # a panel as a process of its own
def test_the_samples_of_its_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda url: True)
    with MastraAdmin(tmp_path / "home", panel_port=0) as admin:
        names = read_page("panel").run_all({"admin": admin})
        assert not names["panel"].is_running
        assert names["app"].test_client().get("/health", base_url="https://panel.example.com").status_code == 200
