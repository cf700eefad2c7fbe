"""The first tables."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

JSON = sa.Text().with_variant(postgresql.JSONB(), "postgresql")
TIME = sa.DateTime(timezone=True)
SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create all tables."""
    _create_teams_and_projects()
    _create_deployments()
    _create_builds()
    if op.get_bind().dialect.name != "sqlite":
        for name, columns, _, options in _list_build_keys():
            op.create_foreign_key(name, "deployments", "builds", columns, ["id"], **options)
    _create_processes_and_routes()
    _create_ledgers()
    _create_env_versions()


def downgrade() -> None:
    """Drop all tables."""
    if op.get_bind().dialect.name != "sqlite":
        for name, *_ in _list_build_keys():
            op.drop_constraint(name, "deployments", type_="foreignkey")
    for name in (
        "deployment_env_versions",
        "project_env_versions",
        "offsets",
        "leases",
        "events",
        "routes",
        "processes",
        "builds",
        "deployments",
        "projects",
        "teams",
    ):
        op.drop_table(name)


def _text(name: str, nullable: bool = False, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=nullable, **options)


def _number(name: str, nullable: bool = False, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable, **options)


def _time(name: str, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, TIME, nullable=nullable)


def _json(name: str) -> sa.Column[Any]:
    return sa.Column(name, JSON, nullable=True)


def _primary_key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=f"pk_{table}")


def _parent_key(table: str, column: str, parent: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{parent}.id"], name=f"fk_{table}_{column}", ondelete="CASCADE")


def _index(table: str, *columns: str) -> None:
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, [*columns])


def _list_build_keys() -> list[tuple[str, list[str], list[str], dict[str, Any]]]:
    return [
        (f"fk_deployments_{column}", [column], ["builds.id"], {"ondelete": "SET NULL"})
        for column in ("current_build_id", "previous_build_id")
    ]


def _create_teams_and_projects() -> None:
    op.create_table(
        "teams",
        _text("id"),
        _text("name"),
        _text("slug"),
        _time("created_at"),
        _time("updated_at"),
        _primary_key("teams", "id"),
        sa.UniqueConstraint("slug", name="uq_teams_slug"),
    )
    _index("teams", "created_at")
    op.create_table(
        "projects",
        _text("id"),
        _text("team_id"),
        _text("name"),
        _text("slug"),
        _text("source_type"),
        _json("source_config"),
        _text("default_branch"),
        _json("env_vars"),
        _number("env_version"),
        _time("created_at"),
        _time("updated_at"),
        _primary_key("projects", "id"),
        _parent_key("projects", "team_id", "teams"),
        sa.UniqueConstraint("team_id", "slug", name="uq_projects_team_id_slug"),
    )
    _index("projects", "team_id", "created_at")


def _create_deployments() -> None:
    # SQLite can't add a foreign key later, but takes one to a table that isn't there yet.
    early = _list_build_keys() if op.get_bind().dialect.name == "sqlite" else []
    op.create_table(
        "deployments",
        _text("id"),
        _text("project_id"),
        _text("branch"),
        _text("slug"),
        _text("type"),
        _text("status"),
        _text("desired_state"),
        _text("strategy"),
        _text("current_build_id", nullable=True),
        _text("previous_build_id", nullable=True),
        _text("public_url", nullable=True),
        _json("env_overrides"),
        _number("env_version"),
        _text("status_reason", nullable=True),
        _number("last_build_number", server_default=sa.text("0")),
        _time("created_at"),
        _time("updated_at"),
        _primary_key("deployments", "id"),
        _parent_key("deployments", "project_id", "projects"),
        *(sa.ForeignKeyConstraint(columns, targets, name=name, **options) for name, columns, targets, options in early),
        sa.UniqueConstraint("project_id", "slug", name="uq_deployments_project_id_slug"),
    )
    _index("deployments", "project_id", "created_at")
    _index("deployments", "status")
    _index("deployments", "current_build_id")
    _index("deployments", "previous_build_id")


def _create_builds() -> None:
    op.create_table(
        "builds",
        _text("id"),
        _text("deployment_id"),
        _number("number"),
        _text("kind"),
        _text("trigger"),
        _text("status"),
        _number("priority"),
        _text("log_path", nullable=True),
        _time("queued_at"),
        _time("started_at", nullable=True),
        _time("completed_at", nullable=True),
        _json("phases"),
        _text("error_message", nullable=True),
        _json("error"),
        _json("notes"),
        _text("commit", nullable=True),
        _text("source_hash", nullable=True),
        _text("artifact_build_id", nullable=True),
        _json("artifact"),
        _json("env_snapshot"),
        _text("env_version", nullable=True),
        _text("worker_id", nullable=True),
        _number("generation"),
        _time("heartbeat_at", nullable=True),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        _time("created_at"),
        _primary_key("builds", "id"),
        _parent_key("builds", "deployment_id", "deployments"),
        sa.UniqueConstraint("deployment_id", "number", name="uq_builds_deployment_id_number"),
    )
    _unique_index_where("uq_builds_active", "builds", ["deployment_id"], "status IN ('building', 'deploying')")
    _index("builds", "status", "priority", "queued_at")
    _index("builds", "created_at")


def _create_processes_and_routes() -> None:
    op.create_table(
        "processes",
        _text("id"),
        _text("deployment_id"),
        _text("build_id"),
        _text("host"),
        _number("port"),
        _text("status"),
        _number("pid", nullable=True),
        _number("start_ticks", nullable=True),
        _number("shim_pid", nullable=True),
        _number("shim_start_ticks", nullable=True),
        _text("boot_id", nullable=True),
        _text("log_path", nullable=True),
        _number("restarts"),
        _number("exit_code", nullable=True),
        _number("exit_signal", nullable=True),
        _text("exit_reason", nullable=True),
        _json("trace_status"),
        _time("started_at"),
        _time("exited_at", nullable=True),
        _time("created_at"),
        _primary_key("processes", "id"),
        _parent_key("processes", "deployment_id", "deployments"),
        _parent_key("processes", "build_id", "builds"),
    )
    _unique_index_where("uq_processes_address", "processes", ["host", "port"], "status <> 'exited'")
    _index("processes", "deployment_id", "created_at")
    _index("processes", "build_id")
    _index("processes", "status")
    op.create_table(
        "routes",
        _text("id"),
        _text("host"),
        _text("target_host"),
        _number("target_port"),
        _text("deployment_id"),
        _time("created_at"),
        _primary_key("routes", "id"),
        _parent_key("routes", "deployment_id", "deployments"),
        sa.UniqueConstraint("host", name="uq_routes_host"),
    )
    _index("routes", "deployment_id", "created_at")


def _create_ledgers() -> None:
    op.create_table(
        "events",
        sa.Column("sequence", SEQUENCE, autoincrement=True, nullable=False),
        _text("id"),
        _text("actor"),
        _text("action"),
        _text("object_type"),
        _text("object_id"),
        _json("details"),
        _time("time"),
        _primary_key("events", "sequence"),
        sa.UniqueConstraint("id", name="uq_events_id"),
    )
    _index("events", "time", "sequence")
    _index("events", "object_type", "object_id", "time")
    _index("events", "object_id", "time")
    op.create_table(
        "leases",
        _text("name"),
        _text("owner", nullable=True),
        _number("generation"),
        _time("expires_at"),
        _primary_key("leases", "name"),
    )
    op.create_table(
        "offsets",
        _text("path"),
        _number("position"),
        _number("inode"),
        sa.Column("done", sa.Boolean(), nullable=False),
        _time("updated_at"),
        _primary_key("offsets", "path"),
    )


def _create_env_versions() -> None:
    for table, parent in (("project_env_versions", "projects"), ("deployment_env_versions", "deployments")):
        op.create_table(
            table,
            _text("owner_id"),
            _number("version", autoincrement=False),
            _json("variables"),
            _time("created_at"),
            _primary_key(table, "owner_id", "version"),
            _parent_key(table, "owner_id", parent),
        )


def _unique_index_where(name: str, table: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, unique=True, sqlite_where=where, postgresql_where=where)
