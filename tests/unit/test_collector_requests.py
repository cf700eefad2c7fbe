"""The collector's answers: who is let in, whose telemetry it is, and what is said of what can't be taken."""

from __future__ import annotations

import errno
import gzip
import json
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fixtures.panel import BASE, TOKEN, Seeded, make_fake_admin, seed
from flask.testing import FlaskClient
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from werkzeug.test import TestResponse

from mastra_admin_panel import create_app
from mastra_admin_panel.collector import routes
from mastra_admin_panel.context import EXTENSION
from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.models import Project, Team
from mastra_admin_sdk.services.collector.bodies import BodyTooLarge, unpack
from mastra_admin_sdk.services.telemetry import linefile

PROTOBUF = "application/x-protobuf"
SPAN = {
    "id": "b7ad6b7169203331",
    "traceId": "0af7651916cd43dd8448eb211c80319c",
    "name": "run",
    "type": "agent_run",
    "startTime": "2026-11-23T08:43:39.451Z",
    "endTime": "2026-11-23T08:43:39.552Z",
}


@dataclass(frozen=True)
class Desk:
    """A panel on fakes with two projects, and a token for the first of them."""

    admin: MastraAdmin
    seeded: Seeded
    other: Project
    client: FlaskClient
    secret: str

    def post(self, path: str, body: Any = None, *, secret: str | None = None, **headers: str) -> TestResponse:
        """Send a body with the token; what isn't bytes goes as JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body)
        sent = {"Authorization": f"Bearer {secret or self.secret}", "Content-Type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(path, data=data, headers={name: value for name, value in sent.items() if value})

    def publish(self, **headers: str) -> TestResponse:
        return self.post(f"/projects/{self.seeded.project.id}/ai/spans/publish", {"spans": [SPAN]}, **headers)

    def read_lines(self) -> list[dict[str, Any]]:
        files = sorted((self.admin.home.telemetry).rglob("*.jsonl*"))
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]

    def make_secret(self, **options: Any) -> str:
        name = f"more {len(self.admin.tokens.list())}"
        return self.admin.tokens.create(name, **options).secret


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with make_fake_admin(tmp_path) as admin:
        seeded = seed(admin.storage, tmp_path)
        other = admin.storage.projects.create(Project(seeded.team.id, "Maths", "maths"))
        secret = admin.tokens.create("station", project=seeded.project).secret
        yield Desk(admin, seeded, other, create_app(admin, token=TOKEN).test_client(), secret)


def make_otlp(**resource: str) -> dict[str, Any]:
    attributes = [{"key": key, "value": {"stringValue": value}} for key, value in resource.items()]
    span = {
        "traceId": SPAN["traceId"],
        "spanId": SPAN["id"],
        "name": "work",
        "startTimeUnixNano": "1800000000000000000",
    }
    span |= {"endTimeUnixNano": "1800000001000000000"}
    return {"resourceSpans": [{"resource": {"attributes": attributes}, "scopeSpans": [{"spans": [span]}]}]}


def read_status(body: bytes) -> tuple[int, str]:
    """Read a google.rpc.Status: a code and a message."""
    assert body[0] == 0x08
    code, rest = body[1], body[2:]
    assert rest[0] == 0x12
    size, shift, at = 0, 0, 1
    while True:
        size |= (rest[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if rest[at - 1] < 0x80:
            break
    assert len(rest) == at + size
    return code, rest[at:].decode()


# --- Mastra's protocol ------------------------------------------------------------------------------------------------


def test_spans_of_mastra_are_written_as_they_are(desk: Desk) -> None:
    extra = {
        "spanId": SPAN["id"],
        "spanType": "agent_run",
        "startedAt": SPAN["startTime"],
        "error": None,
        "createdAt": "x",
    }
    path = f"/projects/{desk.seeded.project.id}/ai/spans/publish"
    answer = desk.post(path, {"spans": [{**SPAN, **extra, "metadata": {"threadId": "t"}}]})
    assert (answer.status_code, answer.json) == (200, {"accepted": 1, "rejected": 0})
    (line,) = desk.read_lines()
    assert (line["type"], line["event"], line["projectId"]) == ("span", "ended", desk.seeded.project.id)
    assert (line["deploymentId"], line["buildId"]) == (None, None)
    assert line["data"] == {**SPAN, "metadata": {"threadId": "t"}}


def test_spans_in_the_platform_s_words_are_understood(desk: Desk) -> None:
    span = {
        "spanId": SPAN["id"],
        "traceId": SPAN["traceId"],
        "name": "run",
        "spanType": "tool_call",
        "startedAt": SPAN["startTime"],
        "endedAt": None,
        "error": {"message": "bad"},
        "isEvent": False,
    }
    assert desk.post("/ai/spans/publish", {"spans": [span]}).status_code == 200
    (line,) = desk.read_lines()
    assert line["event"] == "started"
    assert line["data"]["id"] == SPAN["id"]
    assert (line["data"]["type"], line["data"]["errorInfo"]) == ("tool_call", {"message": "bad"})


@pytest.mark.parametrize(
    ("signal", "record", "kind", "own"),
    [
        ("logs", {"logId": "l-1", "message": "hi"}, "log", "l-1"),
        ("metrics", {"metricId": "m-1", "name": "n", "value": 1}, "metric", "m-1"),
        ("scores", {"scoreId": "s-1", "score": 1}, "score", "s-1"),
        ("feedback", {"feedbackId": "f-1", "value": 1}, "feedback", "f-1"),
    ],
)
def test_other_records_keep_the_sender_s_id(
    desk: Desk, signal: str, record: dict[str, Any], kind: str, own: str
) -> None:
    path = f"/projects/{desk.seeded.project.slug}/ai/{signal}/publish"
    for body in ({signal: [record]}, {signal: [{"message": "no id"}]}, {signal: [{"message": "no id"}]}):
        assert desk.post(path, body).status_code == 200
    mine, first, second = desk.read_lines()
    assert (mine["type"], mine["id"]) == (kind, f"{desk.seeded.project.id}/{own}")
    assert first["id"] == second["id"]
    assert first["id"] != mine["id"]


def test_an_empty_batch_is_a_question_that_is_answered(desk: Desk) -> None:
    answer = desk.post("/ai/spans/publish", {"spans": []})
    assert (answer.status_code, answer.json) == (200, {"accepted": 0, "rejected": 0})
    assert desk.read_lines() == []


@pytest.mark.parametrize(
    ("path", "body"),
    [("v1/traces", {}), ("v1/logs", {"resourceLogs": []}), ("v1/metrics", 5), ("ai/spans/publish", {"spans": []})],
)
def test_an_unknown_project_is_refused_whatever_the_body_is(desk: Desk, path: str, body: Any) -> None:
    secret = desk.make_secret()
    assert desk.post(f"/projects/nope/{path}", body, secret=secret).status_code == 404
    assert desk.post(f"/projects/nope/{path}", body).status_code == 403
    assert desk.read_lines() == []


def test_bad_records_don_t_stop_the_good_ones(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    answer = desk.post("/ai/spans/publish", {"spans": [SPAN, 5, {**SPAN, "traceId": ""}, {**SPAN, "traceId": 7}]})
    assert answer.status_code == 200
    assert answer.json == {
        "accepted": 1,
        "rejected": 3,
        "message": "3 of 4 refused: a span without traceId (2); a record that is no object (1)",
    }
    assert len(desk.read_lines()) == 1
    assert [record.message for record in caplog.records] == [
        f"Of telemetry sent with the token 'station', {answer.json['message']}"
    ]
    nothing = desk.post("/ai/spans/publish", {"spans": [5]})
    assert (nothing.status_code, nothing.json["error"]["code"]) == (400, "invalid_input")
    assert len(caplog.records) == 1


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"spans": 5}', b'{"logs": []}', b"\xff\xfe\x00", b"[" * 50_000])
def test_bodies_that_can_not_be_read_are_refused(desk: Desk, body: bytes) -> None:
    answer = desk.post("/ai/spans/publish", body)
    assert (answer.status_code, answer.json["error"]["code"]) == (400, "invalid_input")
    assert desk.read_lines() == []


# --- who is let in, and whose it is -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer x", f"Bearer {TOKEN}", "Basic YTpi", f"Bearer mat_{'x' * 43}"]
)
def test_without_a_good_token_nobody_is_let_in(desk: Desk, header: str) -> None:
    for path in ("/ai/spans/publish", "/v1/traces"):
        answer = desk.post(path, {"spans": [SPAN]}, Authorization=header)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert desk.read_lines() == []


def test_neither_cookie_nor_host_nor_origin_matter_here(desk: Desk) -> None:
    answer = desk.publish(Host="collector.example.com", Origin="https://elsewhere.example", Cookie="a=b")
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    # The panel itself still looks at them.
    assert desk.client.get("/", headers={"Host": "collector.example.com"}).status_code == 403
    assert desk.client.get("/v1/traces", base_url=BASE).json["error"]["code"] == "unauthorized"


def test_a_token_of_a_project_is_for_that_one(desk: Desk) -> None:
    other = f"/projects/{desk.other.id}/ai/spans/publish"
    refused = desk.post(other, {"spans": [SPAN]})
    unknown = desk.post("/projects/nothing/ai/spans/publish", {"spans": [SPAN]})
    assert (refused.status_code, unknown.status_code) == (403, 403)
    assert refused.json["error"]["message"].replace(desk.other.id, "X") == unknown.json["error"]["message"].replace(
        "nothing", "X"
    )


def test_a_token_of_a_team_is_for_its_projects(desk: Desk) -> None:
    secret = desk.make_secret(team=desk.seeded.team)
    stranger = desk.admin.storage.teams.create(Team("Sales", "sales"))
    desk.admin.storage.projects.create(Project(stranger.id, "Maths", "maths"))
    for name in (desk.other.id, "maths"):
        assert desk.post(f"/projects/{name}/ai/spans/publish", {"spans": [SPAN]}, secret=secret).status_code == 200
    unknown = desk.post("/projects/nothing/ai/spans/publish", {"spans": [SPAN]}, secret=secret)
    assert (unknown.status_code, unknown.json["error"]["code"]) == (404, "not_found")
    unnamed = desk.post("/ai/spans/publish", {"spans": [SPAN]}, secret=secret)
    assert (unnamed.status_code, "several projects" in unnamed.json["error"]["message"]) == (404, True)
    every = desk.make_secret()
    both = desk.post("/projects/maths/ai/spans/publish", {"spans": [SPAN]}, secret=every)
    assert (both.status_code, "names 2 projects" in both.json["error"]["message"]) == (404, True)


@pytest.mark.parametrize(
    ("resource", "headers", "path"),
    [
        pytest.param({"mastra.project": "maths"}, {}, "/v1/traces", id="attribute"),
        pytest.param({"service.name": "maths"}, {}, "/v1/traces", id="service"),
        pytest.param({"service.name": "weather"}, {"X_Mastra_Project": "search/maths"}, "/v1/traces", id="header"),
        pytest.param({}, {}, "/projects/maths/v1/traces", id="path"),
    ],
)
def test_opentelemetry_names_the_project(
    desk: Desk, resource: dict[str, str], headers: dict[str, str], path: str
) -> None:
    secret = desk.make_secret(team=desk.seeded.team)
    assert desk.post(path, make_otlp(**resource), secret=secret, **headers).status_code == 200
    (line,) = desk.read_lines()
    assert line["projectId"] == desk.other.id


@pytest.mark.parametrize(
    ("resource", "headers"),
    [
        pytest.param({"deployment.environment.name": "production"}, {}, id="environment"),
        pytest.param({"deployment.environment": "main"}, {}, id="older-name"),
        pytest.param({"mastra.deployment": "main", "mastra.build": "1"}, {}, id="attributes"),
        pytest.param({}, {"X_Mastra_Deployment": "main", "X_Mastra_Build": "1"}, id="headers"),
    ],
)
def test_deployment_and_build_are_found_by_what_they_are_called(
    desk: Desk, resource: dict[str, str], headers: dict[str, str]
) -> None:
    assert desk.post("/v1/traces", make_otlp(**resource), **headers).status_code == 200
    (line,) = desk.read_lines()
    assert line["deploymentId"] == desk.seeded.deployment.id
    names_build = "mastra.build" in resource or headers
    assert line["buildId"] == (desk.seeded.build.id if names_build else None)


def test_a_deployment_that_nobody_knows_stays_open(desk: Desk) -> None:
    body = make_otlp(**{"mastra.deployment": "../../etc", "mastra.build": "99"})
    assert desk.post("/v1/traces", body).status_code == 200
    (line,) = desk.read_lines()
    assert (line["projectId"], line["deploymentId"], line["buildId"]) == (desk.seeded.project.id, None, None)


# --- OTLP -------------------------------------------------------------------------------------------------------------


def make_protobuf(*trace_ids: bytes) -> bytes:
    request = ExportTraceServiceRequest()
    scoped = request.resource_spans.add().scope_spans.add()
    for trace_id in trace_ids:
        scoped.spans.add(trace_id=trace_id, span_id=b"\x01" * 8, name="x", start_time_unix_nano=1, end_time_unix_nano=2)
    return request.SerializeToString()


def test_what_is_refused_of_a_request_is_told_in_its_own_encoding(desk: Desk) -> None:
    answer = desk.post("/v1/traces", make_protobuf(b"\x01" * 16, b"", b"short"), Content_Type=PROTOBUF)
    assert (answer.status_code, answer.mimetype) == (200, PROTOBUF)
    partial = ExportTraceServiceResponse.FromString(answer.data).partial_success
    assert (partial.rejected_spans, "is no trace id" in partial.error_message) == (2, True)
    body = make_otlp()
    body["resourceSpans"][0]["scopeSpans"][0]["spans"].append({"traceId": "x"})
    told = desk.post("/v1/traces", body).json["partialSuccess"]
    assert (told["rejectedSpans"], told["errorMessage"]) == ("1", "1 of 2 refused: 'x' is no trace id (1)")
    assert len(desk.read_lines()) == 2


def test_what_is_all_good_is_answered_with_an_empty_message(desk: Desk) -> None:
    answer = desk.post("/v1/traces", make_protobuf(b"\x01" * 16), Content_Type=PROTOBUF)
    assert ExportTraceServiceResponse.FromString(answer.data) == ExportTraceServiceResponse()
    assert desk.post("/v1/traces", make_otlp()).json == {}
    assert desk.post("/v1/traces", {}).json == {}
    empty = desk.post("/v1/logs", b"", Content_Type=PROTOBUF)
    assert ExportLogsServiceResponse.FromString(empty.data) == ExportLogsServiceResponse()


def test_some_projects_of_a_request_may_be_unknown(desk: Desk) -> None:
    secret = desk.make_secret(team=desk.seeded.team)
    known, unknown = make_otlp(**{"service.name": "maths"}), make_otlp(**{"service.name": "nothing"})
    body = {"resourceSpans": [*known["resourceSpans"], *unknown["resourceSpans"]]}
    told = desk.post("/v1/traces", body, secret=secret).json["partialSuccess"]
    assert (told["rejectedSpans"], "none is called 'nothing'" in told["errorMessage"]) == ("1", True)
    refused = desk.post("/v1/traces", unknown, secret=secret)
    assert (refused.status_code, refused.json["code"]) == (404, 5)


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        pytest.param({"body": b"\xff"}, 400, 3, id="no-protobuf"),
        pytest.param({"Authorization": "Bearer x"}, 401, 16, id="token"),
        pytest.param({"path": "/projects/maths/v1/traces"}, 403, 7, id="project"),
        pytest.param({"Content_Encoding": "br"}, 415, 3, id="encoding"),
        pytest.param({"Content_Encoding": "gzip"}, 400, 3, id="no-gzip"),
    ],
)
def test_errors_are_google_s_status_in_protobuf(desk: Desk, arguments: dict[str, Any], status: int, code: int) -> None:
    values = {"path": "/v1/traces", "body": make_protobuf(b"\x01" * 16), "Content_Type": PROTOBUF, **arguments}
    answer = desk.post(values.pop("path"), values.pop("body"), **values)
    assert (answer.status_code, answer.mimetype) == (status, PROTOBUF)
    found, message = read_status(answer.data)
    assert found == code
    assert message


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_other_types_of_body_are_refused_in_words(desk: Desk, kind: str) -> None:
    for path in ("/v1/traces", "/ai/spans/publish"):
        answer = desk.post(path, b"spans=1", Content_Type=kind)
        assert (answer.status_code, answer.mimetype) == (415, "application/json")


# --- size, and what can't be kept -------------------------------------------------------------------------------------


def test_packed_bodies_are_unpacked(desk: Desk) -> None:
    body = json.dumps({"spans": [SPAN]}).encode()
    halves = gzip.compress(body[:50]) + gzip.compress(body[50:])
    for packed, encoding in ((gzip.compress(body), "gzip"), (zlib.compress(body), "deflate"), (halves, "GZIP")):
        assert desk.post("/ai/spans/publish", packed, Content_Encoding=encoding).status_code == 200
    for damaged in (gzip.compress(body)[:-9], b"\x1f\x8b", b"x", gzip.compress(body) + b"rubbish"):
        assert desk.post("/ai/spans/publish", damaged, Content_Encoding="gzip").status_code == 400


def test_a_body_of_many_empty_members_is_refused_at_once() -> None:
    """Each costs work and none makes the body larger: the limit of its size never ends it."""
    with pytest.raises(InvalidInput, match="more than 10,000 parts"):
        unpack(gzip.compress(b"") * 100_000, "gzip", most=64_000_000)


def test_a_body_is_read_across_the_pieces_that_it_is_unpacked_in() -> None:
    random = os.urandom(150_000)
    for packed in (gzip.compress(random), gzip.compress(random[:70_000]) + gzip.compress(random[70_000:])):
        assert unpack(packed, "gzip", most=len(random)) == random
        with pytest.raises(InvalidInput, match="too early"):
            unpack(packed[:-1], "gzip", most=len(random))


def test_a_bomb_is_unpacked_only_up_to_the_limit() -> None:
    bomb = gzip.compress(b"\0" * 10_000_000)
    assert len(unpack(bomb, "gzip", most=10_000_000)) == 10_000_000
    with pytest.raises(BodyTooLarge, match="larger than 10 MB"):
        unpack(bomb, "gzip", most=9_999_999)
    with pytest.raises(BodyTooLarge):
        unpack(gzip.compress(b"") * 100 + gzip.compress(b"\0" * 2000), "gzip", most=1000)
    assert unpack(b"", "gzip", most=10) == b""


def test_bodies_above_the_panel_s_own_limit_are_taken_and_larger_ones_refused(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert desk.post("/ai/spans/publish", {"spans": [{**SPAN, "input": "x" * 2_000_000}]}).status_code == 200
    monkeypatch.setattr(routes, "_find_limit", lambda: 1000)
    for body, encoding in ((b" " * 1001, ""), (gzip.compress(b" " * 1001), "gzip"), (b" " * 100_000, "")):
        answer = desk.post("/ai/spans/publish", body, Content_Encoding=encoding)
        assert (answer.status_code, answer.json["error"]["code"]) == (413, "body_too_large")
        told = desk.post("/v1/traces", body, Content_Encoding=encoding, Content_Type=PROTOBUF)
        assert (told.status_code, read_status(told.data)[0]) == (413, 8)


def test_a_full_disk_asks_to_send_again_and_nothing_is_doubled(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(linefile.os, "pwrite", fail)
        refused = desk.publish()
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
        assert "No space left" in refused.json["error"]["message"]
        told = desk.post("/v1/traces", make_protobuf(b"\x01" * 16), Content_Type=PROTOBUF)
        assert (told.status_code, told.headers["Retry-After"], read_status(told.data)[0]) == (503, "5", 14)
    assert desk.publish().status_code == 200
    assert len(desk.read_lines()) == 1


@pytest.mark.parametrize(
    "path", ["/ai/spans/publish", "/projects/weather/ai/spans/publish", "/projects/weather/v1/traces"]
)
def test_who_asks_in_the_wrong_way_is_answered_as_a_program(desk: Desk, path: str) -> None:
    answer = desk.client.get(path)
    assert answer.status_code >= 400
    assert answer.json["error"]["code"]


def test_too_much_at_once_is_asked_to_come_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "WAIT_SECONDS", 0.01)
    places = desk.client.application.extensions[EXTENSION].collecting
    taken = 0
    while places.acquire(blocking=False):
        taken += 1
    busy = desk.publish()
    assert (busy.status_code, busy.headers["Retry-After"]) == (429, "5")
    packed = desk.post("/ai/spans/publish", b"nothing packed", Content_Encoding="gzip")
    assert packed.status_code == 429, "bodies are unpacked when it is their turn"
    for _ in range(taken):
        places.release()
    assert desk.publish().status_code == 200
    assert places.acquire(blocking=False)


def test_a_fault_of_ours_is_a_500_in_the_sender_s_protocol(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("secret details")

    monkeypatch.setattr(desk.admin.collector, "receive", fail)
    monkeypatch.setattr(desk.admin.collector, "receive_otlp", fail)
    assert desk.publish().json["error"]["code"] == "internal_error"
    told = desk.post("/v1/traces", make_protobuf(b"\x01" * 16), Content_Type=PROTOBUF)
    assert (told.status_code, read_status(told.data)[0]) == (500, 13)
    assert b"secret details" not in told.data
