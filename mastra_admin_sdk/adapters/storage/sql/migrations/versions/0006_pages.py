"""Lists in pages: indexes that order what has the same time; keys of requests that are sent again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)

REPLACED = (
    ("teams", ("created_at",), ("created_at", "id")),
    ("projects", ("team_id", "created_at"), ("team_id", "created_at", "id")),
    ("deployments", ("project_id", "created_at"), ("project_id", "created_at", "id")),
    ("builds", ("created_at",), ("created_at", "number", "id")),
    ("processes", ("deployment_id", "created_at"), ("deployment_id", "created_at", "id")),
    ("schedules", ("deployment_id", "created_at"), ("deployment_id", "created_at", "id")),
    ("events", ("object_type", "object_id", "time"), ("object_type", "object_id", "time", "sequence")),
    ("events", ("object_id", "time"), ("object_id", "time", "sequence")),
    ("alert_rules", ("created_at",), ("created_at", "id")),
    ("alert_messages", ("rule_id", "created_at"), ("rule_id", "created_at", "sequence")),
    ("alert_messages", ("created_at",), ("created_at", "sequence")),
    ("datasets", ("created_at",), ("created_at", "id")),
    ("tokens", ("created_at",), ("created_at", "id")),
)
ADDED = (
    ("projects", ("created_at", "id")),
    ("deployments", ("created_at", "id")),
    ("builds", ("deployment_id", "created_at", "number", "id")),
    ("builds", ("status", "created_at", "number", "id")),
    ("processes", ("created_at", "id")),
    ("schedules", ("created_at", "id")),
    ("events", ("action", "time", "sequence")),
    ("events", ("actor", "time", "sequence")),
)


def upgrade() -> None:
    """Replace and add indexes, create the table."""
    for table, old, new in REPLACED:
        op.drop_index(_name(table, old), table)
        op.create_index(_name(table, new), table, list(new))
    for table, columns in ADDED:
        op.create_index(_name(table, columns), table, list(columns))
    op.create_table(
        "idempotency_keys",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("build_id", sa.Text(), nullable=True),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_idempotency_keys"),
        sa.ForeignKeyConstraint(["build_id"], ["builds.id"], name="fk_idempotency_keys_build_id", ondelete="SET NULL"),
    )
    for column in ("expires_at", "build_id"):
        op.create_index(_name("idempotency_keys", (column,)), "idempotency_keys", [column])


def downgrade() -> None:
    """Go back to what was there before."""
    op.drop_table("idempotency_keys")
    for table, columns in ADDED:
        op.drop_index(_name(table, columns), table)
    for table, old, new in REPLACED:
        op.drop_index(_name(table, new), table)
        op.create_index(_name(table, old), table, list(old))


def _name(table: str, columns: tuple[str, ...]) -> str:
    return f"ix_{table}_{'_'.join(columns)}"
