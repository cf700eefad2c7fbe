"""What only SQLite has: a private file, its settings, and rows that anybody can edit."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from fixtures.storage import make_build, make_deployment, make_project, make_team

from mastra_admin_sdk.adapters.storage.sql import SqliteAdminStorage
from mastra_admin_sdk.errors import InvalidInput, StorageError
from mastra_admin_sdk.models import EnvVar, Team


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "admin.db"


@pytest.fixture
def storage(path: Path) -> Iterator[SqliteAdminStorage]:
    made = SqliteAdminStorage(path)
    made.init()
    yield made
    made.close()


def run_sql(path: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(statement).fetchall()


def test_files_are_for_their_owner_only(storage: SqliteAdminStorage, path: Path) -> None:
    make_team(storage)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == {"admin.db": 0o600, "admin.db-wal": 0o600, "admin.db-shm": 0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_connections_have_the_settings_that_keep_data_safe(storage: SqliteAdminStorage) -> None:
    names = ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
    answers = {name: storage._database.run_alone(f"PRAGMA {name}") for name in names}
    assert answers == {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 2, "busy_timeout": 30000}


def test_readers_go_on_while_another_writes(storage: SqliteAdminStorage, path: Path) -> None:
    team = make_team(storage)
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE teams SET name = 'half done'")
        assert storage.teams.list() == [team]
        writer.execute("ROLLBACK")


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("NULL", id="null"),
        pytest.param("'null'", id="json-null"),
        pytest.param("''", id="empty-text"),
        pytest.param("'{broken'", id="broken"),
        pytest.param("'[[[[1, {\"key\": 2}]]]]'", id="lists-in-lists"),
        pytest.param("'\"text\"'", id="text"),
        pytest.param("x'ff00'", id="bytes"),
        pytest.param("12.5", id="number"),
        pytest.param(f"'{'[' * 100_000}'", id="too-deep"),
    ],
)
def test_rubbish_in_json_columns_reads_as_empty(storage: SqliteAdminStorage, path: Path, value: str) -> None:
    build = make_build(storage)
    run_sql(path, f"UPDATE deployments SET env_overrides = {value}")
    run_sql(path, f"UPDATE projects SET env_vars = {value}, source_config = {value}")
    for column in ("phases", "error", "notes", "artifact", "env_snapshot"):
        run_sql(path, f"UPDATE builds SET {column} = {value}")
    [deployment], [project], [found] = storage.deployments.list(), storage.projects.list(), storage.builds.list()
    assert (deployment.env_overrides, project.env_vars, project.source_config) == ((), (), {})
    assert found == build
    assert storage.projects.set_env(project.id, [EnvVar("A", "1")]).env_vars == (EnvVar("A", "1"),)


def test_variables_beside_rubbish_are_kept_and_secret_when_in_doubt(storage: SqliteAdminStorage, path: Path) -> None:
    make_project(storage)
    rows = (
        '[{"key": "A", "encrypted_value": "x"}, {"key": 1}, {"key": "B", "encrypted_value": "y", "is_secret": false}]'
    )
    run_sql(path, f"UPDATE projects SET env_vars = '{rows}'")
    [project] = storage.projects.list()
    assert project.env_vars == (EnvVar("A", "x", True), EnvVar("B", "y", False))


def test_a_state_of_a_newer_version_is_named(storage: SqliteAdminStorage, path: Path) -> None:
    make_deployment(storage)
    run_sql(path, "UPDATE deployments SET status = 'hibernating'")
    with pytest.raises(StorageError, match="hibernating") as caught:
        storage.deployments.list()
    assert "newer" in caught.value.hint


def test_rows_deleted_by_hand_take_along_what_hangs_on_them(storage: SqliteAdminStorage, path: Path) -> None:
    deployment = make_deployment(storage)
    build = make_build(storage, deployment)
    storage.deployments.update(deployment.id, current_build_id=build.id)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("DELETE FROM builds")
    assert storage.deployments.get(deployment.id).current_build_id is None


def test_updated_at_moves_within_one_microsecond_and_over_a_second(
    storage: SqliteAdminStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    team = make_team(storage)
    still = team.updated_at.replace(microsecond=999_999)
    monkeypatch.setattr("mastra_admin_sdk.adapters.storage.sql.repository.utc_now", lambda: still)
    times = [storage.teams.update(team.id, name=str(number)).updated_at for number in range(3)]
    assert times == [still, still + timedelta(microseconds=1), still + timedelta(microseconds=2)]


@pytest.mark.parametrize("path", ["", ":memory:"], ids=["nothing", "memory"])
def test_a_path_that_is_no_file_is_refused(path: str) -> None:
    with pytest.raises(InvalidInput, match="path of a file"):
        SqliteAdminStorage(path)


def test_a_name_that_looks_like_a_url_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    storage = SqliteAdminStorage("file:odd?mode=memory&x#y %41.db")
    storage.init()
    storage.close()
    assert [file.name for file in tmp_path.iterdir()] == ["file:odd?mode=memory&x#y %41.db"]


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "letter.txt"
    file.write_text("Dear Ana, " * 200)
    storage = SqliteAdminStorage(file)
    with pytest.raises(StorageError, match="not a database"):
        storage.init()
    storage.close()
    assert file.read_text() == "Dear Ana, " * 200


def test_a_folder_that_can_not_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    storage = SqliteAdminStorage(tmp_path / "file" / "admin.db")
    with pytest.raises(StorageError, match=r"file/admin\.db"):
        storage.init()
    storage.close()


def test_a_file_that_exists_is_never_opened_beside_sqlite(storage: SqliteAdminStorage, path: Path) -> None:
    # Closing a descriptor of our own would drop the locks that other connections of this process hold.
    path.chmod(0o640)
    make_team(storage)
    other = SqliteAdminStorage(path)
    assert len(other.teams.list()) == 1
    other.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_secrets_stay_out_of_errors(storage: SqliteAdminStorage, path: Path) -> None:
    project = make_project(storage)
    run_sql(path, "DROP TABLE project_env_versions")
    with pytest.raises(StorageError) as caught:
        storage.projects.set_env(project.id, [EnvVar("KEY", "gAAAAsecret")])
    error: BaseException | None = caught.value
    while error is not None:
        assert "gAAAAsecret" not in f"{error} {error!r}"
        error = error.__cause__
    with pytest.raises(InvalidInput) as refused:
        storage.projects.set_env(project.id, [EnvVar("KEY", ["gAAAAsecret"])])  # type: ignore[arg-type]
    assert "gAAAAsecret" not in str(refused.value)


def test_a_second_object_sees_what_the_first_wrote(storage: SqliteAdminStorage, path: Path) -> None:
    other = SqliteAdminStorage(path)
    other.init()
    team = other.teams.create(Team("A", "a"))
    assert storage.teams.get_by_slug("a") == team
    other.close()
    assert storage.teams.list() == [team]


def test_the_sdk_is_imported_without_sqlalchemy() -> None:
    code = "import sys, mastra_admin_sdk; print([n for n in ('sqlalchemy', 'alembic', 'psycopg2') if n in sys.modules])"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60, env=dict(os.environ)
    )
    assert answer.stdout.strip() == "[]"


def test_opening_a_current_database_needs_no_alembic(storage: SqliteAdminStorage, path: Path) -> None:
    code = (
        "import sys; from mastra_admin_sdk.adapters.storage.sql import SqliteAdminStorage as S;"
        f"s = S({str(path)!r}); s.init(); s.close(); print('alembic' in sys.modules, 'psycopg2' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert answer.stdout.split() == ["False", "False"]
