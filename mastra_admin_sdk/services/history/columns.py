"""Columns and dtypes of the DataFrames that history comes in: fixed, also when they are empty."""

from __future__ import annotations

from collections.abc import Mapping

from mastra_admin_sdk.models import PHASES

TIME = "datetime64[ns, UTC]"

BUILD_COLUMNS: Mapping[str, str] = {
    "build_id": "object",
    "team": "category",
    "project": "category",
    "deployment": "category",
    "number": "int64",
    "kind": "category",
    "trigger": "category",
    "status": "category",
    "actor": "category",
    "ref": "object",
    "commit": "object",
    "queued_at": TIME,
    "started_at": TIME,
    "completed_at": TIME,
    "wait_s": "float64",
    **{f"{phase}_s": "float64" for phase in PHASES},
    "total_s": "float64",
    "dependencies_cache": "category",
    "output_cache": "category",
    "artifact_cache": "category",
    "source_files": "Int64",
    "source_bytes": "Int64",
    "artifact_bytes": "Int64",
    "peak_memory_bytes": "Int64",
    "env_version": "object",
    "artifact_build": "object",
    "error": "object",
}
"""Columns and dtypes of builds. Times are UTC, ``…_s`` are seconds: ``wait_s`` in the queue, one for each phase,
``total_s`` from start to end. Caches are ``hit``, ``miss`` or ``off``, or all three ``reused`` when the artifact of an
unchanged source was run again; ``artifact_build`` is the id of the build whose artifact it ran. What isn't known, or
hasn't happened, is null."""

EVENT_COLUMNS: Mapping[str, str] = {
    "time": TIME,
    "actor": "category",
    "action": "category",
    "object_type": "category",
    "object": "object",
    "origin": "category",
    "host": "category",
    "pid": "Int64",
    "object_id": "object",
    "details": "object",
}
"""Columns and dtypes of the audit log. ``object`` is a readable name such as ``search/weather-agent/main#3``;
``origin`` is ``sdk``, ``cli``, ``panel``, ``background``, ``webhook``, ``schedule`` or ``watch``."""

DEPLOYMENT_COLUMNS: Mapping[str, str] = {
    "deployment_id": "object",
    "team": "category",
    "project": "category",
    "deployment": "category",
    "branch": "object",
    "type": "category",
    "status": "category",
    "desired_state": "category",
    "strategy": "category",
    "build": "Int64",
    "commit": "object",
    "replicas": "int64",
    "url": "object",
    "reason": "object",
    "expires_at": TIME,
    "created_at": TIME,
    "updated_at": TIME,
}
"""Columns and dtypes of deployments; ``build`` is the number of the one that serves."""

PROJECT_COLUMNS: Mapping[str, str] = {
    "project_id": "object",
    "team": "category",
    "project": "category",
    "name": "object",
    "source_type": "category",
    "source": "object",
    "default_branch": "object",
    "deployments": "int64",
    "env_version": "int64",
    "created_at": TIME,
    "updated_at": TIME,
}
"""Columns and dtypes of projects; ``source`` is a folder or the address of a repository."""

TEAM_COLUMNS: Mapping[str, str] = {
    "team_id": "object",
    "team": "category",
    "name": "object",
    "projects": "int64",
    "created_at": TIME,
    "updated_at": TIME,
}
"""Columns and dtypes of teams."""
