"""Promotion: what staging serves is started on production as it is, with production's own environment and data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fixtures.house import House

from mastra_admin_sdk.errors import InvalidInput, NotFound
from mastra_admin_sdk.folders import remove_tree
from mastra_admin_sdk.models import Build, BuildKind, BuildStatus, Deployment, DeploymentType, Project, Strategy
from mastra_admin_sdk.services.deployments import live as live_module


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """A home where each deploy makes an artifact, and drains at once: nobody sends requests."""
    monkeypatch.setattr(live_module, "_QUIET", 0.0)
    made = House(tmp_path / "home", build_cache=False)
    yield made
    made.close()


@pytest.fixture
def project(house: House) -> Project:
    return house.add_project(env={"SHARED": "project"})


@pytest.fixture
def staging(house: House, project: Project) -> Deployment:
    found = house.deployments.find_or_create(project, branch="staging", type=DeploymentType.STAGING)
    house.deployments.set_env(found, {"STAGE": "staging"})
    house.deploy(found)
    return house.read(found)


def run_next(house: House) -> Build:
    claimed = house.storage.builds.claim("worker", limit=10)
    assert claimed is not None
    return house.pipeline.run(claimed, lambda: None)


def promote(house: House, source: Deployment, to: Any = "production") -> Build:
    house.deployments.promote(house.read(source), to)
    return run_next(house)


def test_production_is_created_and_runs_the_same_artifact_with_its_own_variables(
    house: House, project: Project, staging: Deployment
) -> None:
    build = promote(house, staging)
    production = house.storage.deployments.get(build.deployment_id)
    assert (production.type, production.branch) == (DeploymentType.PRODUCTION, project.default_branch)
    assert (build.kind, build.status) == (BuildKind.PROMOTE, BuildStatus.SUCCEEDED)
    assert build.artifact_build_id == staging.current_build_id
    assert len(house.runner.requests) == 1
    first, second = house.runner.starts
    assert second.artifact.path == first.artifact.path
    assert (first.env["STAGE"], second.env.get("STAGE"), second.env["SHARED"]) == ("staging", None, "project")
    assert first.data_dir != second.data_dir
    assert house.serving(production).build_id == build.id
    assert house.serving(staging)
    (event,) = [item for item in house.storage.events.list(object_id=production.id) if item.action == "promote"]
    assert (event.details["source"], event.details["source_build"]) == ("staging", 1)


def test_a_second_promotion_can_be_gone_back_from(house: House, staging: Deployment) -> None:
    first = promote(house, staging)
    house.deploy(house.read(staging))
    second = promote(house, staging)
    assert second.deployment_id == first.deployment_id
    production = house.storage.deployments.get(first.deployment_id)
    assert (production.current_build_id, production.previous_build_id) == (second.id, first.id)
    house.deployments.rollback(production)
    assert run_next(house).artifact_build_id == first.artifact_build_id


def test_what_was_gone_back_to_is_what_is_promoted(house: House, staging: Deployment) -> None:
    first = staging.current_build_id
    house.deploy(staging)
    house.deployments.rollback(house.read(staging))
    run_next(house)
    assert promote(house, staging).artifact_build_id == first


@pytest.mark.parametrize("to", ["main", "weather/main", "search/weather/main", DeploymentType.PRODUCTION])
def test_a_target_goes_by_slug_name_or_type(house: House, project: Project, staging: Deployment, to: str) -> None:
    production = house.deployments.find_or_create(project)
    assert promote(house, staging, to).deployment_id == production.id


def test_a_target_may_be_a_record(house: House, project: Project, staging: Deployment) -> None:
    production = house.deployments.find_or_create(project)
    assert promote(house, staging, production).deployment_id == production.id


def test_the_only_one_of_a_type_is_meant_on_whichever_branch(
    house: House, project: Project, staging: Deployment
) -> None:
    production = house.deployments.find_or_create(project, branch="release")
    assert promote(house, staging).deployment_id == production.id
    house.deployments.find_or_create(project, branch="older")
    with pytest.raises(InvalidInput, match="2 production deployments: older, release"):
        house.deployments.promote(staging, "production")
    main = house.deployments.find_or_create(project)
    assert promote(house, staging).deployment_id == main.id


def test_nothing_is_promoted_to_itself(house: House, staging: Deployment) -> None:
    with pytest.raises(InvalidInput, match="search/weather/staging can't be promoted to itself"):
        house.deployments.promote(staging, "staging")
    production = promote(house, staging).deployment_id
    with pytest.raises(InvalidInput, match="search/weather/main can't be promoted to itself"):
        house.deployments.promote(house.storage.deployments.get(production), "production")


def test_another_projects_deployment_is_refused(house: House, staging: Deployment) -> None:
    house.add_deployment("other")
    with pytest.raises(InvalidInput, match="another project's"):
        house.deployments.promote(staging, "other/main")


def test_a_target_that_is_not_there_is_not_found_and_types_are_named(house: House, staging: Deployment) -> None:
    with pytest.raises(NotFound) as caught:
        house.deployments.promote(staging, "weather/nothing")
    assert "production, staging, preview" in caught.value.hint


def test_what_serves_nothing_promotes_nothing(house: House, project: Project) -> None:
    pending = house.deployments.find_or_create(project, branch="staging", type=DeploymentType.STAGING)
    with pytest.raises(InvalidInput, match="serves no build"):
        house.deployments.promote(pending, "production")
    assert len(house.storage.deployments.list()) == 1


def test_an_artifact_that_is_gone_is_told_before_anything_is_made(house: House, staging: Deployment) -> None:
    remove_tree(house.home.artifacts / str(staging.current_build_id))
    with pytest.raises(InvalidInput, match="its artifact is gone"):
        house.deployments.promote(staging, "production")
    assert len(house.storage.deployments.list()) == 1


def test_the_same_goes_with_the_old_server_stopped_first(house: House, project: Project, staging: Deployment) -> None:
    production = house.deployments.find_or_create(project, strategy=Strategy.RECREATE)
    first = promote(house, staging)
    house.deploy(house.read(staging))
    second = promote(house, staging)
    assert house.serving(production).build_id == second.id
    house.deployments.rollback(house.read(production))
    back = run_next(house)
    assert back.status is BuildStatus.SUCCEEDED
    assert back.artifact_build_id == first.artifact_build_id
    assert house.serving(production).build_id == back.id
    assert list(back.phases).index("drain") > 0


def test_a_recreate_that_fails_brings_the_promoted_one_back(
    house: House, project: Project, staging: Deployment
) -> None:
    production = house.deployments.find_or_create(project, strategy=Strategy.RECREATE)
    good = promote(house, staging)
    house.deploy(house.read(staging))
    broken = house.storage.builds.get(str(house.read(staging).current_build_id))
    (house.home.artifacts / broken.id / "behaviour.txt").write_text("crashes_on_boot")
    assert promote(house, staging).status is BuildStatus.FAILED
    assert house.serving(production).build_id == good.id
    assert house.read(production).current_build_id == good.id
