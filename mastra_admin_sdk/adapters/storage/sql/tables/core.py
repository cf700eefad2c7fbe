"""Teams, projects, deployments, builds, servers, and what is noted of them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Table,
    UniqueConstraint,
    text,
)

from mastra_admin_sdk.adapters.storage.sql.columns import Unsigned

from .base import (
    SEQUENCE,
    json_column,
    later_flag_column,
    later_number_column,
    later_text_column,
    metadata,
    number_column,
    parent_column,
    text_column,
    time_column,
)

teams = Table(
    "teams",
    metadata,
    text_column("id", primary_key=True),
    text_column("name"),
    text_column("slug"),
    time_column("created_at"),
    time_column("updated_at"),
    UniqueConstraint("slug"),
    Index(None, "created_at", "id"),
)

projects = Table(
    "projects",
    metadata,
    text_column("id", primary_key=True),
    parent_column("team_id", "teams.id"),
    text_column("name"),
    text_column("slug"),
    text_column("source_type"),
    json_column("source_config"),
    text_column("default_branch"),
    json_column("env_vars"),
    number_column("env_version"),
    text_column("webhook_secret", nullable=True),
    time_column("created_at"),
    time_column("updated_at"),
    UniqueConstraint("team_id", "slug"),
    Index(None, "created_at", "id"),
    Index(None, "team_id", "created_at", "id"),
)

deployments = Table(
    "deployments",
    metadata,
    text_column("id", primary_key=True),
    parent_column("project_id", "projects.id"),
    text_column("branch"),
    text_column("slug"),
    text_column("type"),
    text_column("status"),
    text_column("desired_state"),
    text_column("strategy"),
    text_column("current_build_id", nullable=True),
    text_column("previous_build_id", nullable=True),
    text_column("public_url", nullable=True),
    json_column("env_overrides"),
    number_column("env_version"),
    text_column("status_reason", nullable=True),
    later_number_column("replicas", 1),
    number_column("memory_mb", nullable=True),
    number_column("nice", nullable=True),
    json_column("domains"),
    later_text_column("tls", "off"),
    later_flag_column("watch"),
    number_column("keep_builds", nullable=True),
    number_column("ttl_seconds", nullable=True),
    time_column("expires_at", nullable=True),
    # Numbers of builds are given out once: a deleted build's number doesn't come back.
    Column("last_build_number", BigInteger(), nullable=False, server_default=text("0")),
    time_column("created_at"),
    time_column("updated_at"),
    UniqueConstraint("project_id", "slug"),
    # Builds point to deployments and back, so these two are added when both tables are there.
    ForeignKeyConstraint(["current_build_id"], ["builds.id"], ondelete="SET NULL", use_alter=True),
    ForeignKeyConstraint(["previous_build_id"], ["builds.id"], ondelete="SET NULL", use_alter=True),
    Index(None, "created_at", "id"),
    Index(None, "project_id", "created_at", "id"),
    Index(None, "status"),
    Index(None, "current_build_id"),
    Index(None, "previous_build_id"),
)

_ACTIVE_BUILD = text("status IN ('building', 'deploying')")

builds = Table(
    "builds",
    metadata,
    text_column("id", primary_key=True),
    parent_column("deployment_id", "deployments.id"),
    number_column("number"),
    text_column("kind"),
    text_column("trigger"),
    text_column("status"),
    number_column("priority"),
    text_column("log_path", nullable=True),
    time_column("queued_at"),
    time_column("started_at", nullable=True),
    time_column("completed_at", nullable=True),
    json_column("phases"),
    text_column("error_message", nullable=True),
    json_column("error"),
    json_column("notes"),
    text_column("ref", nullable=True),
    text_column("commit", nullable=True),
    text_column("actor", nullable=True),
    later_flag_column("fresh"),
    text_column("cache_key", nullable=True),
    json_column("stats"),
    text_column("source_hash", nullable=True),
    text_column("artifact_build_id", nullable=True),
    json_column("artifact"),
    json_column("env_snapshot"),
    text_column("env_version", nullable=True),
    text_column("worker_id", nullable=True),
    number_column("generation"),
    time_column("heartbeat_at", nullable=True),
    Column("cancel_requested", Boolean(), nullable=False),
    time_column("created_at"),
    UniqueConstraint("deployment_id", "number"),
    Index("uq_builds_active", "deployment_id", unique=True, sqlite_where=_ACTIVE_BUILD, postgresql_where=_ACTIVE_BUILD),
    Index(None, "status", "priority", "queued_at"),
    Index(None, "cache_key"),
    Index(None, "artifact_build_id"),
    Index(None, "created_at", "number", "id"),
    Index(None, "deployment_id", "created_at", "number", "id"),
    Index(None, "status", "created_at", "number", "id"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    text_column("digest", primary_key=True),
    text_column("fingerprint"),
    text_column("build_id", ForeignKey("builds.id", ondelete="SET NULL"), nullable=True),
    time_column("expires_at"),
    time_column("created_at"),
    Index(None, "expires_at"),
    Index(None, "build_id"),
)

_ALIVE_PROCESS = text("status <> 'exited'")

processes = Table(
    "processes",
    metadata,
    text_column("id", primary_key=True),
    parent_column("deployment_id", "deployments.id"),
    parent_column("build_id", "builds.id"),
    text_column("host"),
    number_column("port"),
    text_column("status"),
    number_column("pid", nullable=True),
    number_column("start_ticks", nullable=True),
    number_column("shim_pid", nullable=True),
    number_column("shim_start_ticks", nullable=True),
    text_column("boot_id", nullable=True),
    text_column("log_path", nullable=True),
    later_number_column("replica", 0),
    number_column("restarts"),
    json_column("stats"),
    number_column("exit_code", nullable=True),
    number_column("exit_signal", nullable=True),
    text_column("exit_reason", nullable=True),
    json_column("trace_status"),
    time_column("started_at"),
    time_column("exited_at", nullable=True),
    time_column("created_at"),
    Index(
        "uq_processes_address",
        "host",
        "port",
        unique=True,
        sqlite_where=_ALIVE_PROCESS,
        postgresql_where=_ALIVE_PROCESS,
    ),
    Index(None, "created_at", "id"),
    Index(None, "deployment_id", "created_at", "id"),
    Index(None, "build_id"),
    Index(None, "status"),
)

routes = Table(
    "routes",
    metadata,
    text_column("id", primary_key=True),
    text_column("host"),
    text_column("target_host"),
    number_column("target_port"),
    parent_column("deployment_id", "deployments.id"),
    json_column("more_targets"),
    later_text_column("tls", "off"),
    time_column("created_at"),
    UniqueConstraint("host"),
    Index(None, "deployment_id", "created_at"),
)

schedules = Table(
    "schedules",
    metadata,
    text_column("id", primary_key=True),
    parent_column("deployment_id", "deployments.id"),
    text_column("cron"),
    text_column("timezone"),
    Column("enabled", Boolean(), nullable=False),
    time_column("next_at", nullable=True),
    time_column("last_fired_at", nullable=True),
    text_column("last_build_id", nullable=True),
    text_column("last_error", nullable=True),
    time_column("created_at"),
    Index(None, "created_at", "id"),
    Index(None, "deployment_id", "created_at", "id"),
    Index(None, "next_at"),
)

events = Table(
    "events",
    metadata,
    # Two events may carry the same time; the sequence keeps their order.
    Column("sequence", SEQUENCE, primary_key=True, autoincrement=True),
    text_column("id"),
    text_column("actor"),
    text_column("action"),
    text_column("object_type"),
    text_column("object_id"),
    json_column("details"),
    time_column("time"),
    UniqueConstraint("id"),
    Index(None, "time", "sequence"),
    Index(None, "object_type", "object_id", "time", "sequence"),
    Index(None, "object_id", "time", "sequence"),
    Index(None, "action", "time", "sequence"),
    Index(None, "actor", "time", "sequence"),
)

leases = Table(
    "leases",
    metadata,
    text_column("name", primary_key=True),
    # Empty after a release: the row stays, so that a generation is never given out twice.
    text_column("owner", nullable=True),
    number_column("generation"),
    time_column("expires_at"),
)

offsets = Table(
    "offsets",
    metadata,
    text_column("path", primary_key=True),
    number_column("position"),
    Column("inode", Unsigned(), nullable=False),
    later_number_column("head", 0),
    Column("done", Boolean(), nullable=False),
    time_column("updated_at"),
)

project_env_versions = Table(
    "project_env_versions",
    metadata,
    text_column("owner_id", ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True),
    Column("version", BigInteger(), primary_key=True, autoincrement=False),
    json_column("variables"),
    time_column("created_at"),
)

deployment_env_versions = Table(
    "deployment_env_versions",
    metadata,
    text_column("owner_id", ForeignKey("deployments.id", ondelete="CASCADE"), primary_key=True),
    Column("version", BigInteger(), primary_key=True, autoincrement=False),
    json_column("variables"),
    time_column("created_at"),
)
