"""Variables: imported, versioned, compared, measured; never a value where it doesn't belong."""

from __future__ import annotations

from pathlib import Path

import pytest
from fixtures.house import House

from mastra_admin_sdk.errors import InvalidInput, NotFound
from mastra_admin_sdk.models import Build, BuildStatus, Deployment, Project, SourceType
from mastra_admin_sdk.services.environment.service import Environment

SECRET = "sesame-open"


@pytest.fixture
def project(house: House, tmp_path: Path) -> Project:
    """A project whose folder has two files of variables."""
    folder = tmp_path / "agent"
    folder.mkdir()
    (folder / ".env").write_text(f"API_KEY={SECRET}\nPORT_NAME=a\n")
    (folder / ".env.production").write_text("DB_URL='x y'\nDB_POOL=3\nOTHER=1\n")
    made = house.add_project()
    return house.storage.projects.update(made.id, source_config={"path": str(folder)})


@pytest.fixture
def env(house: House) -> Environment:
    return Environment(house.parts)


def test_a_file_of_the_project_is_imported_by_its_name(house: House, env: Environment, project: Project) -> None:
    found = env.import_file(project, ".env")
    assert found.keys == ("API_KEY", "PORT_NAME")
    assert Path(found.path).name == ".env"
    assert SECRET not in repr(found)
    assert env.show(house.storage.projects.get(project.id)) == {"API_KEY": "***", "PORT_NAME": "***"}


def test_only_what_is_wanted_is_imported(house: House, env: Environment, project: Project) -> None:
    env.import_file(project, ".env.production", secret=False, prefix="DB_")
    assert env.show(house.storage.projects.get(project.id)) == {"DB_POOL": "3", "DB_URL": "x y"}
    env.import_file(project, ".env.production", secret=False, only=["OTHER"])
    assert "OTHER" in env.show(house.storage.projects.get(project.id))


@pytest.mark.parametrize(
    ("path", "choice", "error"),
    [
        (".env.staging", {}, NotFound),
        (".env", {"only": ["MISSING"]}, InvalidInput),
        (".env", {"prefix": "NO_"}, InvalidInput),
    ],
    ids=["no such file", "no such name", "no such prefix"],
)
def test_what_is_not_there_is_told_with_what_is(
    env: Environment, project: Project, path: str, choice: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        env.import_file(project, path, **choice)  # type: ignore[arg-type]
    assert ".env.production" in str(caught.value) or "API_KEY" in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "path", ["x" * 300, "~nobody-of-this-name/.env", "a\0b"], ids=["too long", "home of nobody", "with a nul"]
)
def test_a_name_that_no_file_can_have_is_no_file(env: Environment, project: Project, path: str) -> None:
    with pytest.raises(NotFound, match="There is no file"):
        env.import_file(project, path)


@pytest.mark.parametrize("key", ["PORT", "MASTRA_HOST", "MASTRA_TELEMETRY_DISABLED", "MASTRA_ADMIN_HOME"])
def test_what_mastra_admin_sets_itself_is_refused(house: House, env: Environment, project: Project, key: str) -> None:
    with pytest.raises(InvalidInput, match=f"{key} is set by MastraAdmin"):
        env.change(project, {key: "1234"})
    assert env.show(house.storage.projects.get(project.id)) == {}
    env.change(project, {key: None, "PATH": "/opt/bin", "NODE_OPTIONS": "--no-warnings"})


def test_an_import_skips_what_mastra_admin_sets_itself_and_says_so(env: Environment, project: Project) -> None:
    file = Path(str(project.source_config["path"])) / ".env"
    file.write_text("PORT=4111\nAPI_URL=x\nMASTRA_ADMIN_HOME=/x\n")
    found = env.import_file(project, ".env")
    assert (found.keys, list(found.skipped)) == (("API_URL",), ["MASTRA_ADMIN_HOME", "PORT"])
    assert "PORT skipped: each server gets a free port" in repr(found)
    with pytest.raises(InvalidInput, match="only what MastraAdmin sets itself"):
        env.import_file(project, ".env", only=["PORT"])


def test_a_file_that_is_no_text_is_refused_without_showing_it(env: Environment, project: Project) -> None:
    path = Path(str(project.source_config["path"])) / ".env.binary"
    path.write_bytes(b"A=\xff" + SECRET.encode())
    with pytest.raises(InvalidInput, match="UTF-8") as caught:
        env.import_file(project, ".env.binary")
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


def test_the_bare_name_of_a_file_means_none_of_a_repository(house: House, env: Environment, project: Project) -> None:
    changed = house.storage.projects.update(
        project.id, source_type=SourceType.GIT, source_config={"url": "u", "path": str(project.source_config["path"])}
    )
    with pytest.raises(NotFound):
        env.import_file(changed, ".env.production")


def test_each_change_of_a_project_is_a_version_with_its_names(env: Environment, project: Project) -> None:
    env.change(project, {"A": "1", "B": "2"})
    env.change(project, {"A": None})
    frame = env.list_versions(project)
    assert list(frame["version"]) == ["2", "1", "0"]
    assert list(frame["keys"]) == [("B",), ("A", "B"), ()]
    assert list(frame["actor"]) == ["tester", "tester", None]
    assert frame["changed_at"].is_monotonic_decreasing
    assert frame["changed_at"].notna().all()


def test_versions_of_a_deployment_name_both_lists(house: House, env: Environment) -> None:
    deployment = house.add_deployment(A="1")
    project = house.storage.projects.get(deployment.project_id)
    env.change(deployment, {"B": "1"})
    env.change(project, {"A": "2"})
    frame = env.list_versions(house.read(deployment))
    assert list(frame["version"]) == ["1.1", "0.1", "0.0"]
    assert list(frame["changed"]) == ["project", "deployment", "deployment"]
    assert list(frame["keys"]) == [("A", "B"), ("A", "B"), ("A",)]


def test_versions_differ_in_names_and_never_show_values(house: House, env: Environment) -> None:
    deployment = house.add_deployment(STAYS="1", CHANGES=SECRET)
    project = house.storage.projects.get(deployment.project_id)
    env.change(project, {"STAYS": "1", "CHANGES": "other", "NEW": "1"})
    env.change(deployment, {"OWN": "1"}, secret=False)
    frame = env.diff_versions(house.read(deployment), "0.0", "1.1")
    assert frame.to_dict("records") == [
        {"key": "CHANGES", "change": "changed", "is_secret": True},
        {"key": "NEW", "change": "added", "is_secret": True},
        {"key": "OWN", "change": "added", "is_secret": False},
    ]
    back = env.diff_versions(house.storage.projects.get(project.id), 1, 0)
    assert list(back["change"]) == ["changed", "removed"]
    assert env.diff_versions(project, 1, 1).empty


@pytest.mark.parametrize("version", ["9.9", "1"], ids=["unknown", "of one list"])
def test_a_version_that_is_not_there_is_refused(house: House, env: Environment, version: str) -> None:
    deployment = house.add_deployment()
    with pytest.raises((NotFound, InvalidInput), match="version"):
        env.diff_versions(deployment, "0.0", version)


def test_builds_are_compared_by_what_they_ran_with(house: House, env: Environment) -> None:
    deployment = house.add_deployment(A="1")
    first = house.deploy(deployment)
    env.change(deployment, {"A": "2"})
    second = house.deploy(house.read(deployment))
    assert (first.env_version, second.env_version) == ("0.0", "0.1")
    assert env.diff_versions(deployment, first, second).to_dict("records") == [
        {"key": "A", "change": "changed", "is_secret": True}
    ]


def test_variables_that_no_process_could_carry_together_are_refused_when_they_are_set(
    house: House, env: Environment, project: Project
) -> None:
    big = "x" * 120_000
    env.change(project, {f"BIG_{number}": big for number in range(15)})
    with pytest.raises(InvalidInput, match="too large together") as caught:
        env.change(project, {"BIG_15": big, "BIG_16": big})
    assert "xxx" not in str(caught.value)
    assert len(house.storage.projects.get(project.id).env_vars) == 15


def test_a_build_ends_when_project_and_overrides_are_too_large_together(house: House, env: Environment) -> None:
    deployment = house.add_deployment()
    project = house.storage.projects.get(deployment.project_id)
    big = "x" * 120_000
    env.change(deployment, {f"OWN_{number}": big for number in range(10)})
    env.change(project, {f"BIG_{number}": big for number in range(10)})
    ended: Build = house.deploy(house.read(deployment))
    assert ended.status is BuildStatus.FAILED
    assert "too large together" in (ended.error_message or "")


def test_the_audit_log_tells_of_names_and_files_but_of_no_value(
    house: House, env: Environment, project: Project
) -> None:
    env.import_file(project, ".env")
    (event,) = house.storage.events.list(action="set_env")
    assert event.details["keys"] == ["API_KEY", "PORT_NAME"]
    assert str(event.details["file"]).endswith("/.env")
    assert SECRET not in repr(event)


def test_a_deployment_imports_into_its_overrides(house: House, env: Environment, project: Project) -> None:
    deployment: Deployment = house.deployments.find_or_create(project)
    env.import_file(deployment, ".env", only=["API_KEY"])
    assert env.show(house.read(deployment)) == {"API_KEY": "***"}
    assert house.storage.projects.get(project.id).env_vars == ()
