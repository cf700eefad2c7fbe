"""What the panel's pages ask for beside what there was: one deployment as it is now, a changed project, activity."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from fakes.observability import FakeObservabilityStore
from fixtures.lines import make_chunk, make_span, new_trace, now
from fixtures.panel import make_fake_admin, seed

from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.errors import InvalidInput, NotFound
from mastra_admin_sdk.services.builds.manifests import save_manifest


@pytest.fixture
def store() -> FakeObservabilityStore:
    return FakeObservabilityStore()


@pytest.fixture
def admin(tmp_path: Path, store: FakeObservabilityStore) -> Iterator[MastraAdmin]:
    with make_fake_admin(tmp_path / "home", store) as made:
        yield made


def test_one_deployment_is_looked_at_without_the_others(admin: MastraAdmin) -> None:
    seeded = seed(admin.storage, admin.home.path)
    view = admin.deployments.look(seeded.deployment.id)
    assert (view.team, view.project.id, view.deployment.id) == (seeded.team, seeded.project.id, seeded.deployment.id)
    assert [server.process.id for server in view.servers] == [seeded.process.id]
    assert (view.answers, view.watch_error, view.build) == (False, None, seeded.build)


def test_looking_at_an_unknown_deployment_says_so(admin: MastraAdmin) -> None:
    with pytest.raises(NotFound):
        admin.deployments.look("nothing")


def test_a_project_gets_another_name_and_default_branch_and_keeps_its_slug(admin: MastraAdmin) -> None:
    seeded = seed(admin.storage, admin.home.path)
    changed = admin.projects.update(seeded.project, name="Forecast", default_branch="trunk")
    assert (changed.name, changed.default_branch, changed.slug) == ("Forecast", "trunk", "weather")
    event = admin.events.list(limit=1)[0]
    assert (event.action, event.details["default_branch"]) == ("change", "trunk")
    assert admin.projects.update(changed, name="Forecast").updated_at == changed.updated_at
    assert admin.events.list(limit=1)[0].id == event.id


@pytest.mark.parametrize("wanted", [{"name": " "}, {"default_branch": ""}])
def test_a_project_keeps_what_cant_be_replaced(admin: MastraAdmin, wanted: dict[str, str]) -> None:
    seeded = seed(admin.storage, admin.home.path)
    with pytest.raises(InvalidInput):
        admin.projects.update(seeded.project, **wanted)
    assert admin.projects.get(seeded.project.id).updated_at == seeded.project.updated_at


def test_a_build_knows_what_its_server_has(admin: MastraAdmin) -> None:
    seeded = seed(admin.storage, admin.home.path)
    assert admin.builds.get(seeded.build.id).inventory == {}
    save_manifest(admin.home, seeded.build.id, inventory={"agents": {"weather": {"name": "Weather"}}})
    assert admin.builds.get(seeded.build.id).inventory["agents"]["weather"]["name"] == "Weather"


def test_activity_is_of_each_deployment_that_had_traces(admin: MastraAdmin, store: FakeObservabilityStore) -> None:
    seeded = seed(admin.storage, admin.home.path)
    span = make_span("ended", new_trace(), "s", now() - timedelta(minutes=1), 100, deploymentId=seeded.deployment.id)
    store.insert([make_chunk(span)])
    found = admin.activity()
    assert {key: (item.traces, item.error_rate) for key, item in found.items()} == {seeded.deployment.id: (1, 0.0)}
    assert admin.activity("10s") == {}
