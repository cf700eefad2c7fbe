"""The tables. On PostgreSQL they live in a schema of their own, which the engine puts before their names."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    UniqueConstraint,
    text,
)

from .columns import CleanText, Json, Unsigned, UtcTime

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

# SQLite numbers rows by itself only in a column that is declared INTEGER.
_SEQUENCE = BigInteger().with_variant(Integer(), "sqlite")


def _text(name: str, *rest: Any, nullable: bool = False, **options: Any) -> Column[str]:
    return Column(name, CleanText(), *rest, nullable=nullable, **options)


def _time(name: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, UtcTime(), nullable=nullable)


def _number(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger(), nullable=nullable)


def _json(name: str) -> Column[Any]:
    return Column(name, Json(), nullable=True)


def _later_text(name: str, default: str) -> Column[str]:
    """A column that came with a later revision: rows that were there before hold its default."""
    return _text(name, server_default=text(f"'{default}'"))


def _later_number(name: str, default: int) -> Column[int]:
    return Column(name, BigInteger(), nullable=False, server_default=text(str(default)))


def _later_flag(name: str) -> Column[bool]:
    return Column(name, Boolean(), nullable=False, server_default=text("false"))


def _parent(name: str, target: str) -> Column[str]:
    return _text(name, ForeignKey(target, ondelete="CASCADE"))


teams = Table(
    "teams",
    metadata,
    _text("id", primary_key=True),
    _text("name"),
    _text("slug"),
    _time("created_at"),
    _time("updated_at"),
    UniqueConstraint("slug"),
    Index(None, "created_at"),
)

projects = Table(
    "projects",
    metadata,
    _text("id", primary_key=True),
    _parent("team_id", "teams.id"),
    _text("name"),
    _text("slug"),
    _text("source_type"),
    _json("source_config"),
    _text("default_branch"),
    _json("env_vars"),
    _number("env_version"),
    _text("webhook_secret", nullable=True),
    _time("created_at"),
    _time("updated_at"),
    UniqueConstraint("team_id", "slug"),
    Index(None, "team_id", "created_at"),
)

deployments = Table(
    "deployments",
    metadata,
    _text("id", primary_key=True),
    _parent("project_id", "projects.id"),
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
    _later_number("replicas", 1),
    _number("memory_mb", nullable=True),
    _number("nice", nullable=True),
    _json("domains"),
    _later_text("tls", "off"),
    _later_flag("watch"),
    _number("keep_builds", nullable=True),
    _number("ttl_seconds", nullable=True),
    _time("expires_at", nullable=True),
    # Numbers of builds are given out once: a deleted build's number doesn't come back.
    Column("last_build_number", BigInteger(), nullable=False, server_default=text("0")),
    _time("created_at"),
    _time("updated_at"),
    UniqueConstraint("project_id", "slug"),
    # Builds point to deployments and back, so these two are added when both tables are there.
    ForeignKeyConstraint(["current_build_id"], ["builds.id"], ondelete="SET NULL", use_alter=True),
    ForeignKeyConstraint(["previous_build_id"], ["builds.id"], ondelete="SET NULL", use_alter=True),
    Index(None, "project_id", "created_at"),
    Index(None, "status"),
    Index(None, "current_build_id"),
    Index(None, "previous_build_id"),
)

_ACTIVE_BUILD = text("status IN ('building', 'deploying')")

builds = Table(
    "builds",
    metadata,
    _text("id", primary_key=True),
    _parent("deployment_id", "deployments.id"),
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
    _text("ref", nullable=True),
    _text("commit", nullable=True),
    _text("actor", nullable=True),
    _later_flag("fresh"),
    _text("cache_key", nullable=True),
    _json("stats"),
    _text("source_hash", nullable=True),
    _text("artifact_build_id", nullable=True),
    _json("artifact"),
    _json("env_snapshot"),
    _text("env_version", nullable=True),
    _text("worker_id", nullable=True),
    _number("generation"),
    _time("heartbeat_at", nullable=True),
    Column("cancel_requested", Boolean(), nullable=False),
    _time("created_at"),
    UniqueConstraint("deployment_id", "number"),
    Index("uq_builds_active", "deployment_id", unique=True, sqlite_where=_ACTIVE_BUILD, postgresql_where=_ACTIVE_BUILD),
    Index(None, "status", "priority", "queued_at"),
    Index(None, "cache_key"),
    Index(None, "artifact_build_id"),
    Index(None, "created_at"),
)

_ALIVE_PROCESS = text("status <> 'exited'")

processes = Table(
    "processes",
    metadata,
    _text("id", primary_key=True),
    _parent("deployment_id", "deployments.id"),
    _parent("build_id", "builds.id"),
    _text("host"),
    _number("port"),
    _text("status"),
    _number("pid", nullable=True),
    _number("start_ticks", nullable=True),
    _number("shim_pid", nullable=True),
    _number("shim_start_ticks", nullable=True),
    _text("boot_id", nullable=True),
    _text("log_path", nullable=True),
    _later_number("replica", 0),
    _number("restarts"),
    _json("stats"),
    _number("exit_code", nullable=True),
    _number("exit_signal", nullable=True),
    _text("exit_reason", nullable=True),
    _json("trace_status"),
    _time("started_at"),
    _time("exited_at", nullable=True),
    _time("created_at"),
    Index(
        "uq_processes_address",
        "host",
        "port",
        unique=True,
        sqlite_where=_ALIVE_PROCESS,
        postgresql_where=_ALIVE_PROCESS,
    ),
    Index(None, "deployment_id", "created_at"),
    Index(None, "build_id"),
    Index(None, "status"),
)

routes = Table(
    "routes",
    metadata,
    _text("id", primary_key=True),
    _text("host"),
    _text("target_host"),
    _number("target_port"),
    _parent("deployment_id", "deployments.id"),
    _json("more_targets"),
    _later_text("tls", "off"),
    _time("created_at"),
    UniqueConstraint("host"),
    Index(None, "deployment_id", "created_at"),
)

schedules = Table(
    "schedules",
    metadata,
    _text("id", primary_key=True),
    _parent("deployment_id", "deployments.id"),
    _text("cron"),
    _text("timezone"),
    Column("enabled", Boolean(), nullable=False),
    _time("next_at", nullable=True),
    _time("last_fired_at", nullable=True),
    _text("last_build_id", nullable=True),
    _text("last_error", nullable=True),
    _time("created_at"),
    Index(None, "deployment_id", "created_at"),
    Index(None, "next_at"),
)

events = Table(
    "events",
    metadata,
    # Two events may carry the same time; the sequence keeps their order.
    Column("sequence", _SEQUENCE, primary_key=True, autoincrement=True),
    _text("id"),
    _text("actor"),
    _text("action"),
    _text("object_type"),
    _text("object_id"),
    _json("details"),
    _time("time"),
    UniqueConstraint("id"),
    Index(None, "time", "sequence"),
    Index(None, "object_type", "object_id", "time"),
    Index(None, "object_id", "time"),
)

leases = Table(
    "leases",
    metadata,
    _text("name", primary_key=True),
    # Empty after a release: the row stays, so that a generation is never given out twice.
    _text("owner", nullable=True),
    _number("generation"),
    _time("expires_at"),
)

offsets = Table(
    "offsets",
    metadata,
    _text("path", primary_key=True),
    _number("position"),
    Column("inode", Unsigned(), nullable=False),
    Column("done", Boolean(), nullable=False),
    _time("updated_at"),
)

project_env_versions = Table(
    "project_env_versions",
    metadata,
    _text("owner_id", ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True),
    Column("version", BigInteger(), primary_key=True, autoincrement=False),
    _json("variables"),
    _time("created_at"),
)

deployment_env_versions = Table(
    "deployment_env_versions",
    metadata,
    _text("owner_id", ForeignKey("deployments.id", ondelete="CASCADE"), primary_key=True),
    Column("version", BigInteger(), primary_key=True, autoincrement=False),
    _json("variables"),
    _time("created_at"),
)
