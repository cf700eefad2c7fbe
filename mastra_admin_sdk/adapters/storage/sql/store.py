"""The two databases that records can be kept in: a SQLite file, or a schema of a PostgreSQL server."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError

from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.ports.storage import AdminStorage
from mastra_admin_sdk.redaction import Redactor

from .alerts import SqlAlertMessages, SqlAlertRules, SqlAlertStates
from .builds import SqlBuilds
from .datasets import SqlDatasetItems, SqlDatasets
from .deployments import SqlDeployments
from .engine import Database, bind_schema, make_postgres_engine, make_sqlite_engine
from .events import SqlEvents
from .keys import SqlIdempotencyKeys
from .leases import SqlLeases, SqlOffsets
from .members import SqlMembers
from .migrate import migrate
from .processes import SqlProcesses, SqlRoutes
from .schedules import SqlSchedules
from .teams import SqlProjects, SqlTeams
from .tokens import SqlTokens

_PASSWORD_HINT = "A password with characters such as @ : / # has to be percent-encoded."  # noqa: S105


class SqlAdminStorage(AdminStorage):
    """All repositories over one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.teams = SqlTeams(database)
        self.projects = SqlProjects(database)
        self.deployments = SqlDeployments(database)
        self.builds = SqlBuilds(database)
        self.idempotency_keys = SqlIdempotencyKeys(database)
        self.processes = SqlProcesses(database)
        self.routes = SqlRoutes(database)
        self.schedules = SqlSchedules(database)
        self.events = SqlEvents(database)
        self.leases = SqlLeases(database)
        self.offsets = SqlOffsets(database)
        self.alert_rules = SqlAlertRules(database)
        self.alert_states = SqlAlertStates(database)
        self.alert_messages = SqlAlertMessages(database)
        self.datasets = SqlDatasets(database)
        self.dataset_items = SqlDatasetItems(database)
        self.members = SqlMembers(database)
        self.tokens = SqlTokens(database)

    def init(self) -> None:
        migrate(self._database)

    def close(self) -> None:
        self._database.close()

    def describe(self) -> str:
        return self._database.words

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.describe()})"


class SqliteAdminStorage(SqlAdminStorage):
    """Records in a SQLite file: the embedded default.

    Parameters:
        path: the file; `init` makes it (mode 0600), and its folder, when it isn't there. Not on a network file system.
    """

    def __init__(self, path: str | Path) -> None:
        if str(path) in {"", ":memory:"}:
            raise InvalidInput(
                f"SqliteAdminStorage needs the path of a file, not {str(path)!r}.",
                hint="A database in memory couldn't be shared by threads and processes.",
            )
        file = Path(path).expanduser().absolute()
        super().__init__(Database(make_sqlite_engine(file), f"SQLite {file}"))


class PostgresAdminStorage(SqlAdminStorage):
    """Records in a schema of a PostgreSQL database.

    Parameters:
        url: SQLAlchemy URL, such as ``postgresql+psycopg2://user:password@host/database``.
        engine: instead of ``url``, an engine of the caller's, who also closes it.
        schema: the schema of the tables; `init` creates it.
        pool_size: most connections at a time; with ``engine`` its own pool counts.

    Raises:
        InvalidInput: neither ``url`` nor ``engine`` is given, or both, or it isn't PostgreSQL's.
    """

    def __init__(
        self,
        url: str | URL | None = None,
        *,
        engine: Engine | None = None,
        schema: str = "mastra_admin",
        pool_size: int = 20,
    ) -> None:
        if (url is None or url == "") == (engine is None):
            raise InvalidInput(
                "PostgresAdminStorage needs either url= or engine=, and not both.",
                hint='For example PostgresAdminStorage("postgresql+psycopg2://user:password@host/database").',
            )
        _check_schema(schema)
        if pool_size < 1:
            raise InvalidInput(f"pool_size has to be 1 or more, not {pool_size}.")
        used = make_postgres_engine(_parse_url(url), pool_size) if url else _check_engine(engine)
        address = used.url
        super().__init__(
            Database(
                bind_schema(used, schema),
                _describe(address, schema),
                schema=schema,
                owned=engine is None,
                redactor=Redactor(_list_passwords(address)),
            )
        )


def _check_schema(schema: str) -> None:
    if not schema or "\0" in schema or schema.startswith("pg_") or len(schema.encode()) > 63:
        raise InvalidInput(
            f"{schema!r} can't be the name of a PostgreSQL schema.",
            hint="Use 1 to 63 bytes that don't begin with pg_.",
        )


def _parse_url(url: str | URL) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # Without the cause: it may quote a part of the password.
        raise InvalidInput("The database URL can't be read.", hint=_PASSWORD_HINT) from None
    if "@" in f"{parsed.host}{parsed.database}":
        raise InvalidInput("The database URL has an @ in its host or database name.", hint=_PASSWORD_HINT)
    backend = parsed.get_backend_name() if parsed.drivername != "postgres" else "postgresql"
    if backend != "postgresql":
        raise InvalidInput(
            f"PostgresAdminStorage can't use a {parsed.drivername} URL.",
            hint="Use postgresql+psycopg2://…; for SQLite use SqliteAdminStorage(path).",
        )
    # Without a driver in its name SQLAlchemy chooses by its own version; ours comes with psycopg2.
    return parsed if "+" in parsed.drivername else parsed.set(drivername="postgresql+psycopg2")


def _check_engine(engine: Engine | None) -> Engine:
    if not isinstance(engine, Engine) or engine.dialect.name != "postgresql":
        raise InvalidInput(
            f"PostgresAdminStorage needs a synchronous SQLAlchemy engine for PostgreSQL, not {type(engine).__name__}.",
            hint="Make one with sqlalchemy.create_engine('postgresql+psycopg2://…').",
        )
    return engine


def _describe(url: URL, schema: str) -> str:
    host = url.host or str(url.query.get("host", "")) or "local socket"
    port = f":{url.port}" if url.port else ""
    return f"PostgreSQL {host}{port}/{url.database or ''}, schema {schema}"


def _list_passwords(url: URL) -> list[str]:
    values = [url.password, url.query.get("password"), url.query.get("sslpassword")]
    return [str(value) for value in values if value]
