"""Which URLs and engines are taken for PostgreSQL, and that a password never shows."""

from __future__ import annotations

import traceback

import pytest
from sqlalchemy import create_engine, make_url

from mastra_admin_sdk.adapters.storage.sql import PostgresAdminStorage
from mastra_admin_sdk.errors import InvalidInput


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("postgresql+psycopg2://ana:pw@db.example.com:5433/mastra", id="with-driver"),
        pytest.param("postgresql://ana:pw@db.example.com:5433/mastra", id="without-driver"),
        pytest.param("postgres://ana:pw@db.example.com:5433/mastra", id="short"),
        pytest.param(make_url("postgresql://ana:pw@db.example.com:5433/mastra"), id="object"),
    ],
)
def test_urls_lead_to_psycopg2(url: str) -> None:
    storage = PostgresAdminStorage(url)
    assert storage._database.engine.dialect.driver == "psycopg2"
    assert storage.describe() == "PostgreSQL db.example.com:5433/mastra, schema mastra_admin"
    storage.close()


def test_a_socket_folder_is_described() -> None:
    storage = PostgresAdminStorage("postgresql://ana:pw@/mastra?host=/run/pg", schema="mine")
    assert repr(storage) == "PostgresAdminStorage(PostgreSQL /run/pg/mastra, schema mine)"
    storage.close()


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("postgresql://ana:s3cr3t@pw@host:1/db", id="at"),
        pytest.param("postgresql://ana:x@s3cr3t/pw@host/db", id="at-and-slash"),
        pytest.param("postgresql://ana:x@host:s3cr3t/db", id="port"),
        pytest.param("s3cr3t", id="no-url"),
        pytest.param("mysql://ana:s3cr3t@host/db", id="another-database"),
        pytest.param("sqlite:////tmp/s3cr3t.db", id="sqlite"),
    ],
)
def test_other_urls_are_refused_without_showing_them(url: str) -> None:
    try:
        storage = PostgresAdminStorage(url)
    except InvalidInput as exc:
        shown = "".join(traceback.format_exception(exc, limit=0))
    else:
        # With @ in the password SQLAlchemy may still find the right host: then nothing of it shows either.
        shown = f"{storage!r}"
        storage.close()
    assert "s3cr3t" not in shown


def test_it_refuses_to_start_with_nothing_or_with_both() -> None:
    engine = create_engine("postgresql+psycopg2://ana@host/db")
    for arguments in ({}, {"url": ""}, {"url": "postgresql://host/db", "engine": engine}):
        with pytest.raises(InvalidInput, match="url= or engine="):
            PostgresAdminStorage(**arguments)


def test_an_engine_of_another_database_is_refused() -> None:
    engine = create_engine("sqlite://")
    with pytest.raises(InvalidInput, match="engine for PostgreSQL"):
        PostgresAdminStorage(engine=engine)
    with pytest.raises(InvalidInput, match="str"):
        PostgresAdminStorage(engine="postgresql://host/db")  # type: ignore[arg-type]
    engine.dispose()


@pytest.mark.parametrize(
    "schema", ["", "pg_mine", "a\0b", "x" * 64, "ü" * 32], ids=["nothing", "reserved", "nul", "long", "long-in-bytes"]
)
def test_a_schema_that_postgres_would_refuse_or_cut_is_refused(schema: str) -> None:
    with pytest.raises(InvalidInput, match="schema"):
        PostgresAdminStorage("postgresql://host/db", schema=schema)


def test_a_pool_holds_at_least_one_connection() -> None:
    with pytest.raises(InvalidInput, match="pool_size"):
        PostgresAdminStorage("postgresql://host/db", pool_size=0)
