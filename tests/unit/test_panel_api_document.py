"""The OpenAPI document of the whole API, and the page that shows it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fixtures.panel import BASE, TOKEN, make_fake_admin
from flask import Flask

from mastra_admin_panel import create_app
from mastra_admin_panel.openapi.endpoints import ATTRIBUTE
from mastra_admin_panel.openapi.wording import TAGS

UNDOCUMENTED = {
    "/api/openapi.json": "it is the document",
    "/api/docs": "a page",
}
"""Below /api, and why the document doesn't tell of it. Websockets are no HTTP: OpenAPI has no words for them."""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    with make_fake_admin(tmp_path_factory.mktemp("document") / "home") as admin:
        yield create_app(admin, token=TOKEN)


@pytest.fixture(scope="module")
def document(app: Flask) -> Any:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = app.test_client().get("/api/openapi.json", base_url=BASE, headers=headers)
    assert answer.status_code == 200
    again = {**headers, "If-None-Match": answer.headers["ETag"]}
    assert app.test_client().get("/api/openapi.json", base_url=BASE, headers=again).status_code == 304
    return answer.json


def test_everything_below_api_is_documented(app: Flask) -> None:
    rules = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/api/") and not rule.websocket]
    missing = {rule.rule for rule in rules if not hasattr(app.view_functions[rule.endpoint], ATTRIBUTE)}
    assert missing == set(UNDOCUMENTED)


def test_every_group_says_what_it_is_about(document: Any) -> None:
    used = {tag for path in document["paths"].values() for operation in path.values() for tag in operation["tags"]}
    assert used <= set(TAGS)


def test_every_endpoint_has_a_summary_and_says_what_a_token_needs(document: Any) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"].endswith("."), (method, path)
            assert "scope" in operation["description"], (method, path)
            assert {"401", "403", "422", "503"} <= set(operation["responses"]), (method, path)


def test_every_reference_leads_somewhere(document: Any) -> None:
    schemas = document["components"]["schemas"]
    for reference in _list_references(document):
        assert reference.removeprefix("#/components/schemas/") in schemas, reference


def test_the_page_that_shows_it_has_nothing_inline(app: Flask) -> None:
    client = app.test_client()
    client.get(f"/?token={TOKEN}", base_url=BASE)
    answer = client.get("/api/docs", base_url=BASE)
    if answer.status_code == 503:
        pytest.skip("the browser libraries aren't built here")
    assert answer.status_code == 200
    assert "<script>" not in answer.text
    assert " style=" not in answer.text
    assert "img-src 'self' data:" in answer.headers["Content-Security-Policy"]
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]


def _list_references(item: Any) -> Iterator[str]:
    if isinstance(item, dict):
        for key, value in item.items():
            if key == "$ref":
                yield value
            else:
                yield from _list_references(value)
    elif isinstance(item, list):
        for value in item:
            yield from _list_references(value)
