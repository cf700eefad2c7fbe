"""The tables. On PostgreSQL they live in a schema of their own, which the engine puts before their names."""

from __future__ import annotations

from .base import metadata
from .core import (
    builds,
    deployment_env_versions,
    deployments,
    events,
    idempotency_keys,
    leases,
    offsets,
    processes,
    project_env_versions,
    projects,
    routes,
    schedules,
    teams,
)
from .observing import alert_messages, alert_rules, alert_states, dataset_items, datasets, members, tokens

__all__ = [
    "alert_messages",
    "alert_rules",
    "alert_states",
    "builds",
    "dataset_items",
    "datasets",
    "deployment_env_versions",
    "deployments",
    "events",
    "idempotency_keys",
    "leases",
    "members",
    "metadata",
    "offsets",
    "processes",
    "project_env_versions",
    "projects",
    "routes",
    "schedules",
    "teams",
    "tokens",
]
