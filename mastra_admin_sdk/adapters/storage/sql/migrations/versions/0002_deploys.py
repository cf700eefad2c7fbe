"""What deploys can be told: limits, replicas, domains, schedules, and figures on record."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

JSON = sa.Text().with_variant(postgresql.JSONB(), "postgresql")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the columns and the table."""
    for table, columns in _list_columns().items():
        for column in columns:
            op.add_column(table, column, schema=_find_schema())
    for name in ("cache_key", "artifact_build_id"):
        op.create_index(f"ix_builds_{name}", "builds", [name])
    op.create_table(
        "schedules",
        _text("id", nullable=False),
        _text("deployment_id", nullable=False),
        _text("cron", nullable=False),
        _text("timezone", nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("next_at", TIME, nullable=True),
        sa.Column("last_fired_at", TIME, nullable=True),
        _text("last_build_id"),
        _text("last_error"),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_schedules"),
        sa.ForeignKeyConstraint(
            ["deployment_id"], ["deployments.id"], name="fk_schedules_deployment_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_schedules_deployment_id_created_at", "schedules", ["deployment_id", "created_at"])
    op.create_index("ix_schedules_next_at", "schedules", ["next_at"])


def downgrade() -> None:
    """Remove them again."""
    op.drop_table("schedules")
    for name in ("cache_key", "artifact_build_id"):
        op.drop_index(f"ix_builds_{name}", table_name="builds")
    for table, columns in _list_columns().items():
        for added in columns:
            op.drop_column(table, added.name, schema=_find_schema())


def _find_schema() -> str | None:
    # Alembic writes these statements itself: the connection's map of schemas doesn't reach them.
    schema: str | None = context.config.attributes["schema"]
    return schema


def _list_columns() -> dict[str, list[sa.Column[Any]]]:
    return {
        "projects": [_text("webhook_secret")],
        "deployments": [
            _number("replicas", default=1),
            _number("memory_mb"),
            _number("nice"),
            sa.Column("domains", JSON, nullable=True),
            _text("tls", nullable=False, server_default=sa.text("'off'")),
            _flag("watch"),
            _number("keep_builds"),
            _number("ttl_seconds"),
            sa.Column("expires_at", TIME, nullable=True),
        ],
        "builds": [
            _text("ref"),
            _text("actor"),
            _flag("fresh"),
            _text("cache_key"),
            sa.Column("stats", JSON, nullable=True),
        ],
        "processes": [_number("replica", default=0), sa.Column("stats", JSON, nullable=True)],
        "routes": [
            sa.Column("more_targets", JSON, nullable=True),
            _text("tls", nullable=False, server_default=sa.text("'off'")),
        ],
    }


def _text(name: str, *, nullable: bool = True, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=nullable, **options)


def _number(name: str, default: int | None = None) -> sa.Column[Any]:
    if default is None:
        return sa.Column(name, sa.BigInteger(), nullable=True)
    return sa.Column(name, sa.BigInteger(), nullable=False, server_default=sa.text(str(default)))


def _flag(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.text("false"))
