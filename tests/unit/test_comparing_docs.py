"""What docs/comparing.md shows is run as it stands there."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fakes.observability import FakeObservabilityStore
from fakes.router import FakeRouter
from fakes.runner import FakeRunner
from fakes.source import FakeProjectSource
from fakes.storage import FakeAdminStorage
from fixtures.docs import check_command, read_page
from fixtures.lines import make_chunk, make_span, now
from fixtures.panel import seed

from mastra_admin_sdk import LiveDeployment, MastraAdmin
from mastra_admin_sdk.models import Build, Deployment, DeploymentType
from mastra_admin_sdk.services.analysis.columns import COMPARISON_COLUMNS, REPLAY_COLUMNS

PAGE = read_page("comparing")
QUESTION = [{"role": "user", "content": "How is the weather in Paris?"}]


class Answer:
    """What Mastra answers, as far as it is read."""

    def __init__(self, body: dict[str, Any]) -> None:
        self.body, self.text = body, json.dumps(body)

    def json(self) -> dict[str, Any]:
        return self.body


@pytest.fixture
def admin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MastraAdmin]:
    """An agent that was built twice and asked some questions; what it is asked anew is traced."""
    monkeypatch.chdir(tmp_path)
    store, storage = FakeObservabilityStore(), FakeAdminStorage()
    parts: dict[str, Any] = {"source": FakeProjectSource(), "runner": FakeRunner(), "router": FakeRouter()}
    with MastraAdmin(tmp_path / "home", storage=storage, observability=store, **parts) as made:
        seeded = seed(storage, tmp_path / "home", name="weather-agent", slug="weather-agent")
        second = storage.builds.create(Build(seeded.deployment.id))
        staging = Deployment(seeded.project.id, "next", "next", type=DeploymentType.STAGING)
        storage.deployments.create(staging)

        def run(deployment: str, build: str, metadata: dict[str, Any]) -> str:
            trace, start = uuid.uuid4().hex, now() + timedelta(seconds=1)
            head: dict[str, Any] = {"projectId": seeded.project.id, "deploymentId": deployment, "buildId": build}
            agent = {"type": "agent_run", "entityId": "weather-agent", "input": QUESTION, "output": {"text": "sunny"}}
            tool = {
                "type": "tool_call",
                "entityId": "weatherTool",
                "parentSpanId": "a" * 16,
                "input": {"city": "Paris"},
            }
            lines = [
                make_span("ended", trace, "a" * 16, start, 100, **head, **agent, metadata=metadata),
                make_span("ended", trace, "b" * 16, start, 10, **head, **tool),
            ]
            store.insert([make_chunk(*lines)])
            return trace

        def answer(self: LiveDeployment, method: str, path: str, *, json: Any, **_: Any) -> Answer:
            assert (method, path) == ("POST", "/api/agents/weather-agent/generate")
            return Answer({"text": "sunny", "traceId": run(self.id, "", json["tracingOptions"]["metadata"])})

        monkeypatch.setattr(LiveDeployment, "request", answer)
        for build in (seeded.build, second):
            for number in range(3):
                run(seeded.deployment.id, build.id, {"resourceId": ("ada", "grace")[number % 2]})
        yield made


def test_the_samples_run_in_the_order_they_stand_in(admin: MastraAdmin) -> None:
    found = PAGE.run_all({"admin": admin})
    assert len(found["recorded"]) == 6
    assert (found["trace"].tree.depth, found["again"].tokens) == (2, found["trace"].tokens)
    assert set(found["result"]["status"]) == {"replayed"}
    assert found["result"]["as_expected"].all()
    assert found["comparison"].sequences["sequence"].tolist() == ["weatherTool"]


@pytest.mark.parametrize("line", PAGE.commands)
def test_commands_and_their_options_exist(line: str) -> None:
    check_command(line)


def test_every_column_is_explained() -> None:
    prefixed = {
        "old_status",
        "new_status",
        "old_duration_ms",
        "new_duration_ms",
        "old_input_tokens",
        "new_input_tokens",
    }
    prefixed |= {"old_output_tokens", "new_output_tokens", "old_trace_id", "new_trace_id"}
    for name in {*COMPARISON_COLUMNS, *REPLAY_COLUMNS} - prefixed:
        assert f"`{name}`" in PAGE.text, name
