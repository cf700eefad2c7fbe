"""What the settings hide or leave out reaches no file: neither from a real server nor through the collector."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fixtures.lines import iso, new_trace, now
from fixtures.quick import wait_until
from fixtures.recorded import recorded_admin

from mastra_admin_sdk.admin import MastraAdmin
from mastra_admin_sdk.errors import SettingError
from mastra_admin_sdk.models import Project, SourceType, Team, TokenScope
from mastra_admin_sdk.services.telemetry.progress import read_status

pytestmark = pytest.mark.slow  # servers and engines start


def read_files(admin: MastraAdmin) -> str:
    return "".join(path.read_text() for path in admin.home.telemetry.rglob("*.jsonl*"))


def test_a_server_gets_the_policy_of_its_project(open_admin: Callable[..., MastraAdmin]) -> None:
    patterns = [r"serving ver\w+"]
    admin = open_admin(telemetry_redact_patterns=patterns, telemetry_sample="quick-app=0.5, other=0")
    project = admin.projects.create(admin.teams.create("Search"), source="quick-app")
    live = admin.deploy(project)
    wait_until(lambda: "REDACTED" in read_files(admin), what="the first line")
    assert "serving" not in read_files(admin)
    assert list(admin.logs(deployment=live.record)["message"]) == ["[REDACTED] v1"]
    env = json.loads(live.request("GET", "/env").text)
    assert "MASTRA_ADMIN_TELEMETRY_POLICY" not in env
    policy = admin._parts.policies.find(project.id)
    assert (policy.sample, policy.patterns) == (0.5, ("serving ver[0-9A-Z_a-z]+",))


@pytest.fixture
def receiving(tmp_path: Path) -> Iterator[Callable[..., MastraAdmin]]:
    opened: list[Any] = []

    def open_one(**settings: Any) -> MastraAdmin:
        context = recorded_admin(tmp_path, **settings)
        admin = context.__enter__()
        opened.append(context)
        team = admin.storage.teams.create(Team("Search", "search"))
        admin.storage.projects.create(Project(team.id, "weather", "weather", SourceType.LOCAL))
        return admin

    yield open_one
    for context in opened:
        context.__exit__(None, None, None)


def send(admin: MastraAdmin, spans: list[dict[str, Any]]) -> int:
    made = admin.tokens.create("app", scopes=[TokenScope.INGEST], project="weather")
    token = admin.collector.authenticate(made.secret)
    return admin.collector.receive(token, "spans", json.dumps({"spans": spans}).encode()).accepted


def make_span(trace: str, **data: Any) -> dict[str, Any]:
    times = {"startTime": iso(now()), "endTime": iso(now())}
    return {"traceId": trace, "id": "a" * 16, "name": "run", "type": "agent_run", "isRootSpan": True, **times, **data}


def test_what_the_collector_receives_is_cleaned_and_sampled(receiving: Callable[..., MastraAdmin]) -> None:
    admin = receiving(
        telemetry_sample="0, other=1",
        telemetry_sample_errors=True,
        telemetry_redact_fields="email",
        telemetry_redact_patterns=r"\d{4}-\d{4}",
    )
    lost, failed = new_trace(), new_trace()
    secret = {"eMail": "bob@example.com", "say": "call 1234-5678", "apiKey": "k-123"}
    send(admin, [make_span(lost, input=secret), make_span(failed, input=secret, errorInfo={"message": "no 1111-2222"})])
    written = read_files(admin)
    assert lost not in written
    assert not any(text in written for text in ("bob@example.com", "1234-5678", "k-123", "1111-2222"))
    (row,) = admin.spans().to_dict("records")
    assert (row["trace_id"], row["error"]) == (failed, "no [REDACTED]")
    assert json.loads(row["input"]) == {"eMail": "[REDACTED]", "say": "call [REDACTED]", "apiKey": "[REDACTED]"}
    admin._screen.close()
    assert read_status(admin.home).sampled_out == 1


def test_a_policy_that_can_not_be_read_opens_nothing(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="telemetry_redact_patterns"):
        MastraAdmin(home=tmp_path / "home", telemetry_redact_patterns="(?=x)")


def test_deleting_waits_for_the_ingester_of_this_home(receiving: Callable[..., MastraAdmin]) -> None:
    admin = receiving()
    admin.start()
    mine, other = new_trace(), new_trace()
    send(admin, [make_span(mine, metadata={"resourceId": "u1"}), make_span(other, metadata={"resourceId": "u2"})])
    assert admin.delete_telemetry(user="u1").spans == 1
    assert mine not in read_files(admin)
    assert list(admin.spans()["trace_id"]) == [other]
