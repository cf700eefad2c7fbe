"""What people write, and which record is meant by it."""

from __future__ import annotations

import pytest
from fixtures.house import House

from mastra_admin_sdk.errors import InvalidInput, NotFound
from mastra_admin_sdk.models import DeploymentType, Project, Team


@pytest.mark.parametrize("name", ["id", "slug", "name", "object"])
def test_a_team_goes_by_id_slug_name_or_itself(house: House, name: str) -> None:
    team = house.storage.teams.create(Team("Search Team", "search"))
    reference = team if name == "object" else getattr(team, name)
    assert house.resolver.team(reference) == team


def test_a_project_goes_by_its_names_and_is_read_afresh(house: House) -> None:
    project = house.add_project("weather")
    for reference in (project.id, "weather", "Weather", "search/weather", project):
        assert house.resolver.project(reference).id == project.id
    house.storage.projects.update(project.id, default_branch="trunk")
    assert house.resolver.project(project).default_branch == "trunk"


def test_a_name_of_two_projects_is_refused_with_the_names_that_tell_them_apart(house: House) -> None:
    house.add_project("weather")
    other = house.storage.teams.create(Team("Other", "other"))
    house.storage.projects.create(Project(other.id, "Weather", "weather"))
    with pytest.raises(InvalidInput, match="other/weather, search/weather"):
        house.resolver.project("weather")
    assert house.resolver.project("other/weather").team_id == other.id


def test_a_slug_wins_over_the_name_of_another(house: House) -> None:
    house.add_project("weather")
    team = house.storage.teams.list()[0]
    house.storage.projects.create(Project(team.id, "weather", "rain"))
    assert house.resolver.project("weather").slug == "weather"


@pytest.mark.parametrize(
    "reference", ["weather", "weather/main", "search/weather/main", "weather-main", "search/weather"]
)
def test_a_deployment_goes_by_its_names(house: House, reference: str) -> None:
    deployment = house.add_deployment()
    assert house.resolver.deployment(reference).id == deployment.id


def test_a_projects_name_stands_for_production_on_the_default_branch_only(house: House) -> None:
    project = house.add_project()
    dev = house.deployments.find_or_create(project, branch="dev")
    staging = house.deployments.find_or_create(project, type=DeploymentType.STAGING)
    with pytest.raises(NotFound):
        house.resolver.deployment("weather")
    main = house.deployments.find_or_create(project)
    assert house.resolver.deployment("weather").id == main.id
    assert house.resolver.deployment(project).id == main.id
    assert len({dev.id, staging.id, main.id}) == 3


def test_a_build_goes_by_id_or_number(house: House) -> None:
    deployment = house.add_deployment()
    build = house.queue.enqueue(deployment)
    assert house.resolver.build(build.id) == build
    assert house.resolver.build("weather#1") == build
    with pytest.raises(InvalidInput, match="names no build"):
        house.resolver.build("weather#one")
    with pytest.raises(NotFound, match="search/weather/main has no build #2; it has only #1"):
        house.resolver.build("weather#2")
    house.queue.enqueue(deployment, fresh=True)
    with pytest.raises(NotFound, match="search/weather/main has no build #9; it has #1 to #2"):
        house.resolver.build("weather#9")
    with pytest.raises(NotFound, match="There is no build 'weather'") as caught:
        house.resolver.build("weather")
    assert "<deployment>#<number>" in caught.value.hint


def test_a_type_or_a_branch_stands_for_the_only_deployment_that_has_it(house: House) -> None:
    project = house.add_project()
    main = house.deployments.find_or_create(project)
    staging = house.deployments.find_or_create(project, type=DeploymentType.STAGING)
    feature = house.deployments.find_or_create(project, branch="feature/x", type=DeploymentType.PREVIEW)
    assert (staging.slug, feature.slug.startswith("feature-x-x")) == ("main-staging", True)
    found = {"staging": staging, "production": main, "preview": feature, "feature/x": feature, "main": main}
    for name, deployment in found.items():
        for owner in ("weather", "search/weather"):
            assert house.resolver.deployment(f"{owner}/{name}").id == deployment.id


def test_a_type_means_the_default_branch_and_else_must_be_the_only_one(house: House) -> None:
    project = house.add_project()
    main = house.deployments.find_or_create(project)
    for branch in ("one", "two"):
        house.deployments.find_or_create(project, branch=branch)
        house.deployments.find_or_create(project, branch=branch, type=DeploymentType.PREVIEW)
    assert house.resolver.deployment("weather/production").id == main.id
    assert house.resolver.deployment("weather/one").type == DeploymentType.PRODUCTION
    with pytest.raises(InvalidInput, match="names 2 deployments: search/weather/one-preview"):
        house.resolver.deployment("weather/preview")


@pytest.mark.parametrize(
    ("wanted", "hint"),
    [("wether", "Did you mean 'weather'"), ("zzz", "There are: search/weather")],
    ids=["near", "far"],
)
def test_what_nothing_goes_by_is_answered_with_what_there_is(house: House, wanted: str, hint: str) -> None:
    house.add_project()
    with pytest.raises(NotFound) as caught:
        house.resolver.project(wanted)
    assert hint in caught.value.hint


def test_without_any_the_hint_says_so(house: House) -> None:
    with pytest.raises(NotFound) as caught:
        house.resolver.team("search")
    assert caught.value.hint == "There is no team yet."


@pytest.mark.parametrize("reference", ["", None, 7], ids=["empty", "nothing", "number"])
def test_what_is_no_reference_is_refused(house: House, reference: object) -> None:
    with pytest.raises(InvalidInput, match="names nothing"):
        house.resolver.project(reference)
