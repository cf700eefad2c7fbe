"""The page of a trace."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import create_autospec

import pytest
from fixtures.panel import BASE, TOKEN, make_fake_admin
from fixtures.spans import frame, span
from flask.testing import FlaskClient

from mastra_admin_panel import create_app
from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.services.telemetry.traces import Trace

TRACE = "6854cc3c" + "0" * 24
EVIL = "<script>alert(1)</script>"


@pytest.fixture
def admin(tmp_path: Path) -> Iterator[MastraAdmin]:
    with make_fake_admin(tmp_path / "home") as made:
        made.trace = create_autospec(made.trace)  # type: ignore[method-assign]
        made.trace.return_value = Trace(TRACE, frame(span("a", name=EVIL, input=json.dumps({"q": EVIL}))))
        yield made


@pytest.fixture
def client(admin: MastraAdmin) -> FlaskClient:
    client = create_app(admin, token=TOKEN).test_client()
    client.environ_base.update(HTTP_AUTHORIZATION=f"Bearer {TOKEN}")
    return client


def test_a_trace_has_a_page_of_its_own(client: FlaskClient, admin: MastraAdmin) -> None:
    answer = client.get(f"/traces/{TRACE}", base_url=BASE)
    assert answer.status_code == 200
    assert "ma-trace" in answer.text
    assert EVIL not in answer.text
    assert "&lt;script&gt;" in answer.text
    # The policy of the panel forbids styles in the page.
    assert "<style>" not in answer.text
    assert 'style="' not in answer.text
    assert "open in the panel" not in answer.text
    styles = client.get("/display.css", base_url=BASE)
    assert styles.mimetype == "text/css"
    assert ".ma-trace" in styles.text


def test_a_heading_holds_no_characters_that_turn_text_around(client: FlaskClient, admin: MastraAdmin) -> None:
    admin.trace.return_value = Trace(TRACE, frame(span("a", name="run \x1b[31m\u202eflow")))  # type: ignore[attr-defined]
    page = client.get(f"/traces/{TRACE}", base_url=BASE).text
    assert "<h1>run \ufffd[31m\ufffdflow</h1>" in page
    assert "\x1b" not in page
    assert "\u202e" not in page


def test_a_trace_that_is_not_there_is_told(client: FlaskClient, admin: MastraAdmin) -> None:
    from mastra_admin_sdk.errors import NotFound

    admin.trace.side_effect = NotFound("There is no trace 'x'.")  # type: ignore[attr-defined]
    assert client.get("/traces/x", base_url=BASE).status_code == 404


def test_a_trace_is_shown_to_those_who_signed_in(admin: MastraAdmin) -> None:
    stranger = create_app(admin, token=TOKEN).test_client()
    for path in (f"/traces/{TRACE}", "/display.css"):
        assert stranger.get(path, base_url=BASE).status_code in (302, 303, 401)
