"""Alerts, datasets, members and tokens."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Double, ForeignKey, Index, Table, UniqueConstraint, text

from .base import SEQUENCE, json_column, metadata, number_column, parent_column, text_column, time_column

alert_rules = Table(
    "alert_rules",
    metadata,
    text_column("id", primary_key=True),
    text_column("name"),
    text_column("kind"),
    Column("threshold", Double(), nullable=False),
    number_column("window_seconds"),
    text_column("project_id", ForeignKey("projects.id", ondelete="CASCADE"), nullable=True),
    text_column("deployment_id", ForeignKey("deployments.id", ondelete="CASCADE"), nullable=True),
    json_column("options"),
    text_column("webhook_url", nullable=True),
    text_column("webhook_secret", nullable=True),
    Column("enabled", Boolean(), nullable=False),
    time_column("created_at"),
    time_column("updated_at"),
    UniqueConstraint("name"),
    Index(None, "created_at", "id"),
    Index(None, "project_id"),
    Index(None, "deployment_id"),
)

alert_states = Table(
    "alert_states",
    metadata,
    text_column("id", primary_key=True),
    parent_column("rule_id", "alert_rules.id"),
    text_column("subject"),
    text_column("status"),
    time_column("since"),
    Column("value", Double(), nullable=True),
    time_column("evaluated_at", nullable=True),
    time_column("last_notified_at", nullable=True),
    number_column("notifications"),
    number_column("generation"),
    time_column("created_at"),
    time_column("updated_at"),
    UniqueConstraint("rule_id", "subject"),
    Index(None, "status"),
)

alert_messages = Table(
    "alert_messages",
    metadata,
    # Of one subject what came first is sent first, also when two carry the same time.
    Column("sequence", SEQUENCE, primary_key=True, autoincrement=True),
    text_column("id"),
    parent_column("rule_id", "alert_rules.id"),
    text_column("event"),
    text_column("subject"),
    Column("value", Double(), nullable=True),
    json_column("payload"),
    text_column("status"),
    number_column("attempts"),
    time_column("next_attempt_at"),
    time_column("delivered_at", nullable=True),
    text_column("error", nullable=True),
    time_column("created_at"),
    UniqueConstraint("id"),
    Index(None, "rule_id", "created_at", "sequence"),
    Index(None, "status", "next_attempt_at"),
    Index(None, "created_at", "sequence"),
)

datasets = Table(
    "datasets",
    metadata,
    text_column("id", primary_key=True),
    text_column("name"),
    text_column("description"),
    time_column("created_at"),
    time_column("updated_at"),
    UniqueConstraint("name"),
    Index(None, "created_at", "id"),
)

dataset_items = Table(
    "dataset_items",
    metadata,
    # The order in which they were added.
    Column("sequence", SEQUENCE, primary_key=True, autoincrement=True),
    text_column("id"),
    parent_column("dataset_id", "datasets.id"),
    json_column("input"),
    json_column("expected"),
    json_column("metadata"),
    text_column("target", nullable=True),
    text_column("source_trace_id", nullable=True),
    text_column("source_span_id", nullable=True),
    time_column("created_at"),
    time_column("updated_at"),
    UniqueConstraint("id"),
    Index(None, "dataset_id", "sequence"),
)

members = Table(
    "members",
    metadata,
    text_column("id", primary_key=True),
    parent_column("team_id", "teams.id"),
    text_column("email"),
    text_column("role"),
    time_column("created_at"),
    time_column("updated_at"),
    UniqueConstraint("team_id", "email"),
    Index(None, "team_id", "created_at", "id"),
    Index(None, "created_at", "id"),
)

_IN_FORCE = text("revoked_at IS NULL")

tokens = Table(
    "tokens",
    metadata,
    text_column("id", primary_key=True),
    text_column("name"),
    text_column("digest"),
    json_column("scopes"),
    text_column("team_id", ForeignKey("teams.id", ondelete="CASCADE"), nullable=True),
    text_column("project_id", ForeignKey("projects.id", ondelete="CASCADE"), nullable=True),
    text_column("member_id", ForeignKey("members.id", ondelete="CASCADE"), nullable=True),
    time_column("last_used_at", nullable=True),
    time_column("expires_at", nullable=True),
    time_column("revoked_at", nullable=True),
    time_column("created_at"),
    UniqueConstraint("digest"),
    Index("uq_tokens_name", "name", unique=True, sqlite_where=_IN_FORCE, postgresql_where=_IN_FORCE),
    Index(None, "created_at", "id"),
    Index(None, "member_id"),
    Index(None, "team_id"),
    Index(None, "project_id"),
)
