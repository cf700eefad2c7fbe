"""What watches and what is learned from: alerts, datasets, tokens."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

JSON = sa.Text().with_variant(postgresql.JSONB(), "postgresql")
TIME = sa.DateTime(timezone=True)
SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables."""
    _create_alerts()
    _create_datasets()
    _create_tokens()
    for table, columns in _list_indexes():
        op.create_index(f"ix_{table}_{'_'.join(columns)}", table, columns)


def downgrade() -> None:
    """Drop them."""
    for name in ("tokens", "dataset_items", "datasets", "alert_messages", "alert_states", "alert_rules"):
        op.drop_table(name)


def _create_alerts() -> None:
    op.create_table(
        "alert_rules",
        _text("id"),
        _text("name"),
        _text("kind"),
        sa.Column("threshold", sa.Double(), nullable=False),
        _number("window_seconds"),
        _text("project_id", nullable=True),
        _text("deployment_id", nullable=True),
        _json("options"),
        _text("webhook_url", nullable=True),
        _text("webhook_secret", nullable=True),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        *_times("created_at", "updated_at"),
        sa.PrimaryKeyConstraint("id", name="pk_alert_rules"),
        sa.UniqueConstraint("name", name="uq_alert_rules_name"),
        _point("alert_rules", "project_id", "projects.id"),
        _point("alert_rules", "deployment_id", "deployments.id"),
    )
    op.create_table(
        "alert_states",
        _text("id"),
        _text("rule_id"),
        _text("subject"),
        _text("status"),
        _time("since"),
        sa.Column("value", sa.Double(), nullable=True),
        _time("evaluated_at", nullable=True),
        _time("last_notified_at", nullable=True),
        _number("notifications"),
        _number("generation"),
        *_times("created_at", "updated_at"),
        sa.PrimaryKeyConstraint("id", name="pk_alert_states"),
        sa.UniqueConstraint("rule_id", "subject", name="uq_alert_states_rule_id_subject"),
        _point("alert_states", "rule_id", "alert_rules.id"),
    )
    op.create_table(
        "alert_messages",
        sa.Column("sequence", SEQUENCE, autoincrement=True, nullable=False),
        _text("id"),
        _text("rule_id"),
        _text("event"),
        _text("subject"),
        sa.Column("value", sa.Double(), nullable=True),
        _json("payload"),
        _text("status"),
        _number("attempts"),
        _time("next_attempt_at"),
        _time("delivered_at", nullable=True),
        _text("error", nullable=True),
        _time("created_at"),
        sa.PrimaryKeyConstraint("sequence", name="pk_alert_messages"),
        sa.UniqueConstraint("id", name="uq_alert_messages_id"),
        _point("alert_messages", "rule_id", "alert_rules.id"),
    )


def _create_datasets() -> None:
    op.create_table(
        "datasets",
        _text("id"),
        _text("name"),
        _text("description"),
        *_times("created_at", "updated_at"),
        sa.PrimaryKeyConstraint("id", name="pk_datasets"),
        sa.UniqueConstraint("name", name="uq_datasets_name"),
    )
    op.create_table(
        "dataset_items",
        sa.Column("sequence", SEQUENCE, autoincrement=True, nullable=False),
        _text("id"),
        _text("dataset_id"),
        _json("input"),
        _json("expected"),
        _json("metadata"),
        _text("target", nullable=True),
        _text("source_trace_id", nullable=True),
        _text("source_span_id", nullable=True),
        *_times("created_at", "updated_at"),
        sa.PrimaryKeyConstraint("sequence", name="pk_dataset_items"),
        sa.UniqueConstraint("id", name="uq_dataset_items_id"),
        _point("dataset_items", "dataset_id", "datasets.id"),
    )


def _create_tokens() -> None:
    op.create_table(
        "tokens",
        _text("id"),
        _text("name"),
        _text("digest"),
        _json("scopes"),
        _text("team_id", nullable=True),
        _text("project_id", nullable=True),
        _time("last_used_at", nullable=True),
        _time("expires_at", nullable=True),
        _time("revoked_at", nullable=True),
        _time("created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
        sa.UniqueConstraint("digest", name="uq_tokens_digest"),
        _point("tokens", "team_id", "teams.id"),
        _point("tokens", "project_id", "projects.id"),
    )


def _list_indexes() -> list[tuple[str, list[str]]]:
    return [
        ("alert_rules", ["created_at"]),
        ("alert_rules", ["project_id"]),
        ("alert_rules", ["deployment_id"]),
        ("alert_states", ["status"]),
        ("alert_messages", ["rule_id", "created_at"]),
        ("alert_messages", ["status", "next_attempt_at"]),
        ("alert_messages", ["created_at"]),
        ("datasets", ["created_at"]),
        ("dataset_items", ["dataset_id", "sequence"]),
        ("tokens", ["created_at"]),
        ("tokens", ["team_id"]),
        ("tokens", ["project_id"]),
    ]


def _text(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _number(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def _json(name: str) -> sa.Column[Any]:
    return sa.Column(name, JSON, nullable=True)


def _time(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, TIME, nullable=nullable)


def _times(*names: str) -> list[sa.Column[Any]]:
    return [_time(name) for name in names]


def _point(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [target], name=f"fk_{table}_{column}", ondelete="CASCADE")
