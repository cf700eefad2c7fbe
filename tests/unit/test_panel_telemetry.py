"""The pages with lists of telemetry."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from fakes.observability import FakeObservabilityStore
from fixtures.lines import make_chunk, make_log, make_span, new_trace, now
from fixtures.panel import BASE, TOKEN, make_fake_admin, seed
from flask.testing import FlaskClient

from mastra_admin_panel import create_app
from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.ports.observability import Stream

GONE = "0b6f3b0a-1111-4222-8333-444455556666"
PAGES = ("/traces", "/spans", "/logs")


@pytest.fixture
def store() -> FakeObservabilityStore:
    return FakeObservabilityStore()


@pytest.fixture
def admin(tmp_path: Path, store: FakeObservabilityStore) -> Iterator[MastraAdmin]:
    with make_fake_admin(tmp_path / "home", store) as made:
        yield made


@pytest.fixture
def client(admin: MastraAdmin) -> FlaskClient:
    client = create_app(admin, token=TOKEN).test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {TOKEN}"
    return client


def fill(store: FakeObservabilityStore, count: int = 1, **owner: str) -> None:
    start, spans, logs = now() - timedelta(minutes=30), [], []
    for number in range(count):
        trace, at = new_trace(), start + timedelta(seconds=number)
        spans.append(make_span("ended", trace, "a", at, 5, isRootSpan=True, name=f"run {number}", **owner))
        logs.append(make_log(f"line {number}\nmore", at, traceId=trace, spanId="a", data={"k": 1}, **owner))
    store.insert([make_chunk(*spans), make_chunk(*logs, stream=Stream.LOGS)])


def open_page(client: FlaskClient, path: str, status: int = 200) -> str:
    answer = client.get(path, base_url=BASE)
    assert answer.status_code == status, answer.text
    return answer.text


@pytest.mark.parametrize("path", PAGES)
def test_an_empty_list_says_what_to_do(client: FlaskClient, path: str) -> None:
    assert "once an agent that runs here is asked something" in open_page(client, path)
    assert "Choose other filters or a longer time" in open_page(client, f"{path}?since=1h")


@pytest.mark.parametrize("path", PAGES)
def test_a_list_that_is_cut_says_so_and_goes_on(client: FlaskClient, store: FakeObservabilityStore, path: str) -> None:
    fill(store, 130)
    page = open_page(client, path)
    assert page.count("<tr data-id=") == 100
    assert ("and there are more" if path == "/traces" else "100 of 130") in page
    following = page.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    rest = open_page(client, following)
    assert rest.count("<tr data-id=") == 30
    assert "Next page" not in rest


@pytest.mark.parametrize("path", PAGES)
def test_what_cant_be_asked_is_told_above_the_filters_as_they_were(client: FlaskClient, path: str) -> None:
    for query, message in (
        ("prjoect=x", "Did you mean &#39;project&#39;"),
        ("project=nowhere", "There is no project"),
        ("since=yesterday", "is no time"),
        ("order=nicest", "There is no order"),
        ("after=abc", "no place"),
        ("limit=7", "can&#39;t be chosen"),
        ("text=%ED%A0%80", ""),
    ):
        page = open_page(client, f"{path}?{query}", 200 if not message else 400)
        assert message in page, query
        assert 'name="project"' in page


@pytest.mark.parametrize("path", PAGES)
def test_what_was_deleted_still_shows(client: FlaskClient, store: FakeObservabilityStore, admin: MastraAdmin,
                                      path: str) -> None:  # fmt: skip
    seeded = seed(admin.storage, admin.home.path)
    fill(store, projectId=seeded.project.id, deploymentId=GONE, buildId=GONE)
    fill(store, projectId=GONE)
    page = open_page(client, path)
    assert page.count("deleted deployment") == 1
    assert page.count("deleted project") == 1
    assert open_page(client, f"{path}?deployment={GONE}").count("<tr data-id=") == 1
    assert open_page(client, f"{path}?project={GONE}").count("<tr data-id=") == 1


def test_filters_stay_in_the_links(client: FlaskClient, store: FakeObservabilityStore) -> None:
    fill(store, 130)
    page = open_page(client, "/traces?status=ok&since=1h")
    assert "/traces?status=ok&amp;since=1h&amp;order=slowest" in page
    assert "status=ok&amp;since=1h&amp;live=1" in page
    assert '<option value="ok" selected>' in page


def test_a_log_line_unfolds_to_the_rest_of_it(client: FlaskClient, store: FakeObservabilityStore) -> None:
    fill(store)
    page = open_page(client, "/logs")
    assert '<summary class="message">line 0</summary>' in page
    assert "more</pre>" in page
    assert "&#34;k&#34;: 1" in page
