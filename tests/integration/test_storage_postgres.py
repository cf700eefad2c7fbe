"""What only PostgreSQL has: schemas, a server's clock, callers' engines, passwords, rights."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, timedelta

import psycopg2
import pytest
from fixtures.storage import make_build, make_deployment, make_project, make_team
from sqlalchemy import create_engine, event, text

from mastra_admin_sdk.adapters.storage.sql import PostgresAdminStorage, leases
from mastra_admin_sdk.errors import InvalidInput, LeaseLost, StorageError
from mastra_admin_sdk.models import Offset, Team, utc_now


@pytest.fixture
def storage(postgres_url: str, postgres_schema: str) -> Iterator[PostgresAdminStorage]:
    made = PostgresAdminStorage(postgres_url, schema=postgres_schema)
    made.init()
    yield made
    made.close()


def run_sql(url: str, statement: str) -> None:
    connection = psycopg2.connect(url.replace("+psycopg2", ""))
    with connection, connection.cursor() as cursor:
        cursor.execute(statement)
    connection.close()


def test_a_callers_engine_is_neither_changed_nor_closed(postgres_url: str, postgres_schema: str) -> None:
    engine = create_engine(postgres_url, pool_size=2, isolation_level="AUTOCOMMIT")
    before = dict(engine.get_execution_options())
    storage = PostgresAdminStorage(engine=engine, schema=postgres_schema)
    storage.init()
    with pytest.raises(LeaseLost):
        storage.offsets.save([Offset("a", 1)], leases.Lease("x", "y", 1, utc_now()))
    make_team(storage)
    storage.close()
    with pytest.raises(StorageError):
        storage.teams.list()

    assert dict(engine.get_execution_options()) == before
    with engine.connect() as connection:
        assert connection.connection.dbapi_connection.autocommit
        assert connection.execute(text("SELECT current_schema()")).scalar() == "public"
    engine.dispose()


def test_transactions_hold_on_an_autocommit_engine(postgres_url: str, postgres_schema: str) -> None:
    engine = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    storage = PostgresAdminStorage(engine=engine, schema=postgres_schema)
    storage.init()
    project = make_project(storage)
    run_sql(postgres_url, f'ALTER TABLE "{postgres_schema}".projects ADD CHECK (env_version < 1)')
    with pytest.raises(InvalidInput):
        storage.projects.set_env(project.id, [])
    assert storage.projects.list_env_versions(project.id) == []
    storage.close()
    engine.dispose()


def test_schemas_are_worlds_of_their_own(
    storage: PostgresAdminStorage, postgres_url: str, postgres_schema: str
) -> None:
    other = PostgresAdminStorage(postgres_url, schema=postgres_schema + ' "x" ;--')
    other.init()
    try:
        make_team(storage, "search")
        assert other.teams.list() == []
        assert storage.leases.acquire("ingester", "one", 60)
        assert other.leases.acquire("ingester", "two", 60)
    finally:
        other.close()
        quoted = postgres_schema + ' ""x"" ;--'
        run_sql(postgres_url, f'DROP SCHEMA "{quoted}" CASCADE')


def test_init_needs_no_right_to_create_schemas_when_it_is_there(postgres_url: str, postgres_schema: str) -> None:
    role = postgres_schema.replace("test", "role")
    run_sql(postgres_url, f'CREATE ROLE "{role}" LOGIN')
    run_sql(postgres_url, f'CREATE SCHEMA "{postgres_schema}" AUTHORIZATION "{role}"')
    storage = PostgresAdminStorage(postgres_url.replace("postgres@", f"{role}@"), schema=postgres_schema)
    try:
        storage.init()
        assert storage.teams.create(Team("A", "a")).slug == "a"
        forbidden = PostgresAdminStorage(postgres_url.replace("postgres@", f"{role}@"), schema=postgres_schema + "_no")
        with pytest.raises(StorageError, match="permission denied"):
            forbidden.init()
        forbidden.close()
    finally:
        storage.close()
        run_sql(postgres_url, f'DROP OWNED BY "{role}" CASCADE; DROP ROLE "{role}"')


def test_columns_are_jsonb_and_real_timestamps(postgres_url: str, storage: PostgresAdminStorage) -> None:
    schema = storage.describe().rpartition(" ")[2]
    with psycopg2.connect(postgres_url.replace("+psycopg2", "")) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name, data_type FROM information_schema.columns"
            " WHERE table_schema = %s AND table_name = 'projects'",
            [schema],
        )
        types = dict(cursor.fetchall())
    connection.close()
    assert types["env_vars"] == types["source_config"] == "jsonb"
    assert types["created_at"] == types["updated_at"] == "timestamp with time zone"


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("NULL", id="null"),
        pytest.param("'null'", id="json-null"),
        pytest.param("'\"text\"'", id="text"),
        pytest.param("'7'", id="number"),
        pytest.param("'[1, null, {\"key\": 1}]'", id="list-of-rubbish"),
        pytest.param("'{\"a\": [1]}'", id="object"),
    ],
)
def test_rubbish_in_json_columns_reads_as_empty(storage: PostgresAdminStorage, postgres_url: str, value: str) -> None:
    schema = storage.describe().rpartition(" ")[2]
    deployment = make_deployment(storage)
    run_sql(postgres_url, f'UPDATE "{schema}".deployments SET env_overrides = {value}')
    run_sql(postgres_url, f'UPDATE "{schema}".projects SET env_vars = {value}, source_config = {value}')
    assert storage.deployments.get(deployment.id).env_overrides == ()
    project = storage.projects.get(deployment.project_id)
    assert project.env_vars == ()
    assert project.source_config == ({"a": [1]} if "a" in value else {})
    storage.projects.set_env(project.id, [])
    assert storage.projects.list_env_versions(project.id) == [(0, ())]


def test_times_come_back_as_utc_from_a_server_elsewhere(storage: PostgresAdminStorage) -> None:
    team = make_team(storage)
    [found] = storage.teams.list()
    assert found.created_at == team.created_at
    assert found.created_at.tzinfo is UTC


def test_leases_go_by_the_servers_clock(storage: PostgresAdminStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    # Our clock is a day ahead: the lease would have ended long ago if it were asked.
    ahead = utc_now() + timedelta(days=1)
    for module in ("engine", "leases", "repository"):
        monkeypatch.setattr(f"mastra_admin_sdk.adapters.storage.sql.{module}.utc_now", lambda: ahead)
    lease = storage.leases.acquire("ingester", "one", 60)
    assert lease is not None
    assert lease.expires_at < ahead - timedelta(hours=23)
    assert storage.leases.acquire("ingester", "two", 60) is None


def test_a_save_waits_for_a_take_over_and_is_refused(
    storage: PostgresAdminStorage, postgres_url: str, postgres_schema: str
) -> None:
    lease = storage.leases.acquire("ingester", "one", 60)
    assert lease is not None
    answers: list[BaseException | None] = []

    def save() -> None:
        try:
            storage.offsets.save([Offset("file", 1)], lease)
            answers.append(None)
        except LeaseLost as exc:
            answers.append(exc)

    connection = psycopg2.connect(postgres_url.replace("+psycopg2", ""))
    with connection, connection.cursor() as cursor:
        cursor.execute(f"UPDATE \"{postgres_schema}\".leases SET owner = 'two', generation = 2")
        thread = threading.Thread(target=save)
        thread.start()
        _wait_for_waiter(postgres_url, connection.info.backend_pid, thread)
        assert answers == []
    connection.close()
    thread.join(30)
    assert isinstance(answers[0], LeaseLost)
    assert storage.offsets.list() == []


def _wait_for_waiter(url: str, blocker: int, thread: threading.Thread) -> None:
    connection = psycopg2.connect(url.replace("+psycopg2", ""))
    deadline = time.monotonic() + 30
    with connection, connection.cursor() as cursor:
        while thread.is_alive() and time.monotonic() < deadline:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE %s = ANY(pg_blocking_pids(pid))", [blocker])
            if cursor.fetchone() == (1,):
                break
    connection.close()


def test_work_goes_on_after_the_server_dropped_the_connections(
    storage: PostgresAdminStorage, postgres_url: str
) -> None:
    make_team(storage)
    run_sql(
        postgres_url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        f" WHERE application_name = 'mastra-admin' AND query LIKE '%{storage.describe().rpartition(' ')[2]}%'",
    )
    assert len(storage.teams.list()) == 1


def test_work_that_lost_a_deadlock_is_done_again(
    storage: PostgresAdminStorage, postgres_url: str, postgres_schema: str
) -> None:
    deployment = make_deployment(storage)
    build = make_build(storage, deployment)
    storage.deployments.update(deployment.id, current_build_id=build.id)
    connection = psycopg2.connect(postgres_url.replace("+psycopg2", ""))
    with connection, connection.cursor() as cursor:
        # Whoever looks for the deadlock first is the victim: not this connection.
        cursor.execute("SET deadlock_timeout = '60s'")
        cursor.execute(f'UPDATE "{postgres_schema}".deployments SET branch = branch')
        thread = threading.Thread(target=storage.builds.delete, args=(build.id,))
        thread.start()
        _wait_for_waiter(postgres_url, connection.info.backend_pid, thread)
        cursor.execute(f'UPDATE "{postgres_schema}".builds SET priority = priority')
    connection.close()
    thread.join(30)
    assert storage.builds.list() == []
    assert storage.deployments.get(deployment.id).current_build_id is None


def test_a_server_that_is_not_there_gives_an_error_without_the_password() -> None:
    storage = PostgresAdminStorage("postgresql://ana:s3cr3t-pw@127.0.0.1:1/db?connect_timeout=2")
    with pytest.raises(StorageError, match=r"127\.0\.0\.1:1/db") as caught:
        storage.init()
    assert "s3cr3t" not in f"{caught.value} {caught.value!r} {storage!r} {storage.describe()}"
    assert caught.value.__cause__ is not None
    storage.close()


def test_a_pool_gives_no_more_connections_than_asked(postgres_url: str, postgres_schema: str) -> None:
    storage = PostgresAdminStorage(postgres_url, schema=postgres_schema, pool_size=2)
    storage.init()
    opened: list[object] = []
    event.listen(storage._database.engine, "connect", lambda *args: opened.append(args))
    threads = [threading.Thread(target=storage.teams.list) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(opened) <= 2
    storage.close()
