"""The tables that migrations make are those that the code uses, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from fixtures.storage_workers import Target, open_target
from sqlalchemy import Connection, Engine, MetaData, create_engine, inspect, text

from mastra_admin_sdk.adapters.storage.sql import SqliteAdminStorage, migrate, tables
from mastra_admin_sdk.errors import StorageError
from mastra_admin_sdk.models import Team

SCRIPTS = Path(migrate.__file__).with_name("migrations")


@pytest.fixture(params=["sqlite", "postgres"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    if request.param == "sqlite":
        return {"path": str(tmp_path / "100% mine" / "admin.db")}
    return {"url": request.getfixturevalue("postgres_url"), "schema": request.getfixturevalue("postgres_schema")}


@pytest.fixture
def engine(target: Target) -> Iterator[Engine]:
    """An engine of the test's own, to look at what a storage made."""
    storage = open_target(target)
    storage.init()
    storage.close()
    made = create_engine(f"sqlite:///{target['path']}" if "path" in target else target["url"])
    yield made
    made.dispose()


def test_migrated_tables_equal_the_metadata(engine: Engine, target: Target) -> None:
    schema = target.get("schema")
    wanted = MetaData(naming_convention=tables.metadata.naming_convention)
    for table in tables.metadata.tables.values():
        table.to_metadata(wanted, schema=schema)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=_make_options(wanted, schema))
        assert compare_metadata(context, wanted) == []


def _make_options(wanted: MetaData, schema: str | None) -> dict[str, Any]:
    return {
        "target_metadata": wanted,
        "include_schemas": schema is not None,
        "include_name": lambda name, kind, _: kind != "schema" or name == schema,
        "include_object": lambda _, name, kind, *__: (kind, name) != ("table", migrate.VERSION_TABLE),
        "compare_type": True,
        "compare_server_default": True,
    }


def test_names_of_indexes_and_keys_are_the_same_on_both(engine: Engine, target: Target) -> None:
    inspector = inspect(engine)
    for table in tables.metadata.sorted_tables:
        found = {index["name"] for index in inspector.get_indexes(table.name, schema=target.get("schema"))}
        assert {index.name for index in table.indexes} <= found
        keys = {key["name"] for key in inspector.get_foreign_keys(table.name, schema=target.get("schema"))}
        assert {key.name for key in table.foreign_key_constraints} == keys


def test_partial_indexes_are_partial(engine: Engine, target: Target) -> None:
    inspector = inspect(engine)
    for table, name in (("processes", "uq_processes_address"), ("builds", "uq_builds_active")):
        [index] = [i for i in inspector.get_indexes(table, schema=target.get("schema")) if i["name"] == name]
        assert index["unique"]
        assert any("status" in str(option) for option in index["dialect_options"].values())


def test_the_newest_revision_is_the_one_the_code_expects(engine: Engine, target: Target) -> None:
    assert ScriptDirectory(str(SCRIPTS)).get_current_head() == migrate.HEAD
    name = f'"{target["schema"]}".{migrate.VERSION_TABLE}' if "schema" in target else migrate.VERSION_TABLE
    with engine.connect() as connection:
        assert connection.execute(text(f"SELECT version_num FROM {name}")).scalars().all() == [migrate.HEAD]


def test_migrations_go_down_and_up_again(engine: Engine, target: Target) -> None:
    schema = target.get("schema")
    with engine.connect().execution_options(schema_translate_map={None: schema}) as connection:
        with connection.begin():
            _run_alembic(connection, schema, "downgrade", "base")
        assert set(inspect(connection).get_table_names(schema=schema)) == {migrate.VERSION_TABLE}
        connection.rollback()
        with connection.begin():
            _run_alembic(connection, schema, "upgrade", "head")
        assert set(tables.metadata.tables) < set(inspect(connection).get_table_names(schema=schema))


def test_names_that_two_tokens_have_are_told_apart(engine: Engine, target: Target) -> None:
    schema = target.get("schema")
    place = f'"{schema}".tokens' if schema else "tokens"
    columns = "id, name, digest, expires_at, revoked_at, created_at"
    rows = [
        ("old", "ci", "1", None, None, "2026-01-01 00:00:00.000000"),
        ("new", "ci", "2", None, None, "2026-01-02 00:00:00.000000"),
        ("over", "ci", "3", "2026-01-04 00:00:00.000000", None, "2026-01-03 00:00:00.000000"),
        ("gone", "ci", "4", None, "2026-01-04 00:00:00.000000", "2026-01-03 00:00:00.000000"),
    ]
    with engine.connect().execution_options(schema_translate_map={None: schema}) as connection, connection.begin():
        _run_alembic(connection, schema, "downgrade", "0004")
        for row in rows:
            marks = ", ".join(f":v{number}" for number in range(len(row)))
            values = {f"v{number}": value for number, value in enumerate(row)}
            connection.execute(text(f"INSERT INTO {place} ({columns}) VALUES ({marks})"), values)
        _run_alembic(connection, schema, "upgrade", "head")
        found = connection.execute(text(f"SELECT id, name, revoked_at IS NULL FROM {place}")).all()
    assert {row[0]: (row[1], bool(row[2])) for row in found} == {
        "old": ("ci old", True),
        "new": ("ci", True),
        "over": ("ci", False),
        "gone": ("ci", False),
    }


def _run_alembic(connection: Connection, schema: str | None, direction: str, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.attributes.update(connection=connection, schema=schema)
    getattr(command, direction)(config, revision)


def test_a_database_of_a_newer_version_is_refused_unchanged(engine: Engine, target: Target) -> None:
    name = f'"{target["schema"]}".{migrate.VERSION_TABLE}' if "schema" in target else migrate.VERSION_TABLE
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {name} SET version_num = '9999'"))
    storage = open_target(target)
    with pytest.raises(StorageError, match="newer") as caught:
        storage.init()
    assert "9999" in str(caught.value)
    storage.close()
    with engine.connect() as connection:
        assert connection.execute(text(f"SELECT version_num FROM {name}")).scalar() == "9999"


def test_a_migration_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("power cut")

    storage = SqliteAdminStorage(tmp_path / "admin.db")
    with monkeypatch.context() as patch:
        patch.setattr("alembic.op.create_index", fail)
        with pytest.raises(RuntimeError, match="power cut"):
            storage.init()
    storage.init()
    assert storage.teams.create(Team("A", "a")).slug == "a"
    storage.close()


def test_tables_are_asked_for_before_they_are_there(target: Target) -> None:
    storage = open_target(target)
    with pytest.raises(StorageError, match=r"init\(\)"):
        storage.teams.list()
    storage.init()
    assert storage.teams.list() == []
    storage.close()
