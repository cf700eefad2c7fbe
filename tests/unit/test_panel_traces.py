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
    assert 'role="tree"' in answer.text
    assert EVIL not in answer.text
    assert "&lt;script&gt;" in answer.text
    # The policy of the panel forbids styles in the page.
    assert "<style>" not in answer.text
    assert 'style="' not in answer.text
    styles = client.get("/display.css", base_url=BASE)
    assert styles.mimetype == "text/css"
    assert ".ma-trace" in styles.text


def test_a_heading_holds_no_characters_that_turn_text_around(client: FlaskClient, admin: MastraAdmin) -> None:
    admin.trace.return_value = Trace(TRACE, frame(span("a", name="run \x1b[31m\u202eflow")))  # type: ignore[attr-defined]
    page = client.get(f"/traces/{TRACE}", base_url=BASE).text
    assert "<h1>run \ufffd[31m\ufffdflow " in page
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


def test_rows_of_the_waterfall_say_where_each_span_is(client: FlaskClient, admin: MastraAdmin) -> None:
    spans = [span("a", None, 0, 100), span("b", "a", 10, 20, status="error", error="no"), span("c", "b", 12, None)]
    admin.trace.return_value = Trace(TRACE, frame(*spans))  # type: ignore[attr-defined]
    answer = client.get(f"/traces/{TRACE}/rows", base_url=BASE).get_json()
    rows = [dict(zip(answer["fields"], row, strict=True)) for row in answer["rows"]]
    assert [(row["id"], row["depth"], row["errors"], row["children"]) for row in rows] == [
        ("a", 0, 1, 1),
        ("b", 1, 0, 1),
        ("c", 2, 0, 0),
    ]
    assert rows[1]["start_ms"] == 10
    assert rows[2]["duration_ms"] is None
    assert answer["is_running"] is True


def test_a_span_of_the_address_stands_beside(client: FlaskClient, admin: MastraAdmin) -> None:
    spans = [span("a", None, 0, 100), span("b", "a", 10, 20, input="x" * 30_000, output=json.dumps({"k": EVIL}))]
    admin.trace.return_value = Trace(TRACE, frame(*spans))  # type: ignore[attr-defined]
    for path in (f"/traces/{TRACE}?span=b", f"/traces/{TRACE}/spans/b"):
        page = client.get(path, base_url=BASE).text
        assert "20,000 of 30,000 characters" in page
        assert EVIL not in page
    whole = client.get(f"/traces/{TRACE}/spans/b/input", base_url=BASE)
    assert (whole.mimetype, whole.text) == ("text/plain", "x" * 30_000)
    assert client.get(f"/traces/{TRACE}/spans/b/secret", base_url=BASE).status_code == 404
    assert client.get(f"/traces/{TRACE}?span=zz", base_url=BASE).status_code == 404
    file = client.get(f"/traces/{TRACE}/download", base_url=BASE)
    assert "attachment" in file.headers["Content-Disposition"]
    assert Trace.from_json(file.text).id == TRACE


def test_the_tree_is_polled_without_sending_it_again(client: FlaskClient) -> None:
    for path in (f"/traces/{TRACE}/rows", f"/traces/{TRACE}"):
        first = client.get(path, base_url=BASE)
        again = client.get(path, base_url=BASE, headers={"If-None-Match": first.headers["ETag"]})
        assert again.status_code == 304, path
