"""The API of telemetry."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fakes.observability import FakeObservabilityStore
from fixtures.lines import iso, make_chunk, make_line, make_log, make_span, new_trace, now
from fixtures.panel import BASE, TOKEN, make_fake_admin, seed
from flask.testing import FlaskClient

from mastra_admin_panel import create_app
from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.models import Project, Team
from mastra_admin_sdk.ports.observability import Stream

TRACES = [new_trace() for _ in range(12)]
BIDI = "agent \u202e\x1b[31m<script>alert(1)</script>"
API = "/api/observability"


@pytest.fixture
def store() -> FakeObservabilityStore:
    return FakeObservabilityStore()


@pytest.fixture
def admin(tmp_path: Path, store: FakeObservabilityStore) -> Iterator[MastraAdmin]:
    """A project with twelve traces, the last of which failed, and one of another team."""
    with make_fake_admin(tmp_path / "home", store) as made:
        seeded = seed(made.storage, made.home.path)
        team = made.storage.teams.create(Team("Other", "other"))
        made.storage.projects.create(Project(team.id, "Theirs", "theirs"))
        start = now() - timedelta(minutes=30)
        owner = {"projectId": seeded.project.id, "deploymentId": seeded.deployment.id, "buildId": seeded.build.id}
        usage = {"model": "gpt", "usage": {"inputTokens": 10, "outputTokens": 2}}
        lines, logs = [], []
        for number, trace in enumerate(TRACES):
            at = start + timedelta(minutes=number)
            failed = {"errorInfo": {"message": "boom"}} if number == 11 else {}
            lines += [
                make_span("ended", trace, "a", at, 50 + number, type="agent_run", name=BIDI, isRootSpan=True,
                          input={"q": f"question {number}"}, **owner, **failed),
                make_span("ended", trace, "b", at, 10, type="model_generation", parentSpanId="a", attributes=usage,
                          **owner),
            ]  # fmt: skip
            logs.append(make_log(f"line {number}", at, traceId=trace, spanId="a", **owner))
        point = {"timestamp": iso(start), "name": "m", "value": 1.5, "traceId": TRACES[0]}
        lines += [make_line("metric", point, **owner), make_line("metric", {**point, "value": None}, **owner)]
        store.insert([make_chunk(*lines), make_chunk(*logs, stream=Stream.LOGS)])
        yield made


@pytest.fixture
def client(admin: MastraAdmin) -> FlaskClient:
    client = create_app(admin, token=TOKEN).test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {TOKEN}"
    return client


def ask(client: FlaskClient, path: str, expected: int = 200, **query: Any) -> Any:
    answer = client.get(f"{API}/{path}", base_url=BASE, query_string=query)
    assert answer.status_code == expected, answer.get_data(as_text=True)
    return answer.get_json()


@pytest.mark.parametrize(("path", "name", "count"), [("spans", "spans", 24), ("traces", "traces", 12),
                                                     ("logs", "logs", 12), ("metrics", "metrics", 2)])  # fmt: skip
def test_lists_come_in_pages(client: FlaskClient, path: str, name: str, count: int) -> None:
    found: list[Any] = []
    cursor: dict[str, str] = {}
    while cursor or not found:
        page = ask(client, path, limit=5, **cursor)
        found += page[name]
        cursor = {"cursor": page["next"]} if page["next"] else {}
    assert len(found) == len({json.dumps(row) for row in found}) == count
    assert ask(client, path)["total"] == count


def test_what_is_missing_is_null(client: FlaskClient) -> None:
    assert {point["value"] for point in ask(client, "metrics")["metrics"]} == {1.5, None}
    span = ask(client, "spans", type="agent_run", limit=1)["spans"][0]
    assert (span["model"], span["input_tokens"], span["parent_span_id"]) == (None, None, None)
    assert span["start_time"].endswith("+00:00")
    assert ask(client, "traces", limit=1)["traces"][0]["cost"] is None


def test_filters_are_those_of_the_sdk(client: FlaskClient) -> None:
    assert [row["trace_id"] for row in ask(client, "traces", status="error")["traces"]] == [TRACES[11]]
    assert len(ask(client, "spans", project="weather", type="agent_run", since="1h")["spans"]) == 12
    assert len(ask(client, "spans", text="question 3")["spans"]) == 1
    assert ask(client, "spans", text="question 3")["default_since"] is True
    assert ask(client, "spans", attributes='{"usage.inputTokens": 10}')["total"] is not None
    assert ask(client, "spans", deployment="0b6f3b0a-1111-4222-8333-444455556666")["spans"] == []
    slow = ask(client, "traces", order="slowest", limit=3)["traces"]
    assert [row["duration_ms"] for row in slow] == [61, 60, 59]


@pytest.mark.parametrize("query", [{"typ": "x"}, {"since": "an hour"}, {"attributes": "["}, {"order": "nicest"},
                                   {"status": "eror"}, {"cursor": "abc"}, {"limit": "0"}])  # fmt: skip
def test_what_cant_be_asked_is_refused(client: FlaskClient, query: dict[str, str]) -> None:
    answer = client.get(f"{API}/spans", base_url=BASE, query_string=query)
    assert answer.status_code in {400, 422}
    assert answer.get_json()["error"]["message"]


def test_questions_that_sum_up_answer_rows(client: FlaskClient) -> None:
    assert ask(client, "latency", by=["type"])["rows"][0]["count"] == 12
    assert ask(client, "usage")["rows"][0]["input_tokens"] == 120
    assert ask(client, "errors")["rows"][0]["message"] == "boom"
    assert ask(client, "threads")["rows"] == []
    assert ask(client, "latency", by=["hour"])["rows"][0]["hour"].endswith("+00:00")


def test_a_trace_is_answered_whole_and_can_be_annotated(client: FlaskClient) -> None:
    trace = ask(client, f"traces/{TRACES[0]}")["trace"]
    assert ([span["span_id"] for span in trace["spans"]], len(trace["logs"])) == (["a", "b"], 1)
    assert trace["tokens"]["input"] == 10
    assert ask(client, f"traces/{TRACES[0]}/spans/b")["span"]["model"] == "gpt"
    ask(client, f"traces/{TRACES[0]}/spans/zz", 404)
    ask(client, f"traces/{'0' * 32}", 404)
    path = f"{API}/traces/{TRACES[0]}/annotations"
    body = {"kind": "score", "name": "helpful", "score": 0.5, "comment": "quite", "span_id": "a"}
    answer = client.post(path, base_url=BASE, json=body)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    assert answer.get_json()["annotation"]["outcome"] == "written"
    assert ask(client, f"traces/{TRACES[0]}")["trace"]["scores"][0]["score"] == 0.5
    assert client.post(path, base_url=BASE, json={"kind": "score"}).status_code in {400, 422}
    assert client.post(path, base_url=BASE, json={"kind": "note", "comment": "x", "span_id": "q"}).status_code == 404


def test_who_is_bound_to_a_team_sees_its_telemetry_alone(admin: MastraAdmin, client: FlaskClient) -> None:
    theirs = admin.tokens.create("theirs", scopes=["read"], team="other").secret
    ours = admin.tokens.create("ours", scopes=["read"], team="search").secret
    del client.environ_base["HTTP_AUTHORIZATION"]

    def look(secret: str, path: str) -> tuple[int, Any]:
        answer = client.get(f"{API}/{path}", base_url=BASE, headers={"Authorization": f"Bearer {secret}"})
        return answer.status_code, answer.get_json()

    for path, name in (("spans", "spans"), ("traces", "traces"), ("logs", "logs")):
        assert look(theirs, path)[1][name] == []
        assert look(ours, path)[1][name]
    assert look(theirs, f"traces/{TRACES[0]}")[0] == 404
    assert look(theirs, "spans?project=weather")[0] == 404
    assert look(theirs, "spans?deployment=0b6f3b0a-1111-4222-8333-444455556666")[0] == 404
    note = {"kind": "note", "comment": "x"}
    refused = client.post(f"{API}/traces/{TRACES[0]}/annotations", base_url=BASE, json=note,
                          headers={"Authorization": f"Bearer {ours}"})  # fmt: skip
    assert refused.status_code == 403
