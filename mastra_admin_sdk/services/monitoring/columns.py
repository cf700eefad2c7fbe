"""Columns and dtypes of health and of alerts: fixed, also when they are empty."""

from __future__ import annotations

from collections.abc import Mapping

from mastra_admin_sdk.services.history.columns import TIME

HEALTH_COLUMNS: Mapping[str, str] = {
    "team": "category",
    "project": "category",
    "deployment": "category",
    "deployment_id": "object",
    "type": "category",
    "status": "category",
    "desired_state": "category",
    "servers": "int64",
    "healthy": "int64",
    "restarts": "int64",
    "memory_mb": "float64",
    "cpu": "float64",
    "traces": "Int64",
    "error_rate": "float64",
    "p95_ms": "float64",
    "requests": "Int64",
    "build": "Int64",
    "last_build": "Int64",
    "last_build_status": "category",
    "last_build_at": TIME,
    "lag_s": "float64",
    "dropped": "int64",
    "alerts": "int64",
    "url": "object",
    "reason": "object",
}
"""Columns and dtypes of ``admin.health()``.

``servers`` run, ``healthy`` of them answered just now; ``restarts`` is how often they were started again, ``memory_mb``
(of 1024² bytes) and ``cpu`` (cores in use since they were last looked at, on average) are of all of them together.
``traces``, ``error_rate`` (0 to 1) and ``p95_ms`` (milliseconds) are of traces that ended in the window, missing when
the store can't be asked; ``requests`` are under way now. ``build`` is the number of the build that serves,
``last_build`` that of the newest. ``lag_s`` are the seconds that the oldest telemetry of it waits to be stored,
``dropped`` the lines that its servers dropped. ``alerts`` are those that fire."""

ALERT_COLUMNS: Mapping[str, str] = {
    "alert_id": "object",
    "name": "object",
    "kind": "category",
    "threshold": "float64",
    "window_s": "int64",
    "project": "object",
    "deployment": "object",
    "enabled": "bool",
    "webhook": "bool",
    "firing": "int64",
    "options": "object",
    "created_at": TIME,
    "updated_at": TIME,
}
"""Columns and dtypes of ``admin.alerts.frame()``: ``webhook`` says whether there is one, ``firing`` for how many
subjects it fires."""

STATE_COLUMNS: Mapping[str, str] = {
    "alert": "object",
    "kind": "category",
    "deployment": "object",
    "status": "category",
    "since": TIME,
    "value": "float64",
    "threshold": "float64",
    "evaluated_at": TIME,
    "notifications": "int64",
    "last_notified_at": TIME,
    "undelivered": "int64",
    "last_error": "object",
    "alert_id": "object",
    "deployment_id": "object",
}
"""Columns and dtypes of ``admin.alerts.states()``. ``value`` is in the unit of the kind, missing when there was nothing
to measure; ``deployment`` is ``None`` for what concerns the home. ``undelivered`` messages wait for their webhook,
``last_error`` says why."""

MESSAGE_COLUMNS: Mapping[str, str] = {
    "time": TIME,
    "alert": "object",
    "event": "category",
    "deployment": "object",
    "value": "float64",
    "text": "object",
    "status": "category",
    "attempts": "int64",
    "delivered_at": TIME,
    "next_attempt_at": TIME,
    "error": "object",
    "message_id": "object",
    "alert_id": "object",
}
"""Columns and dtypes of ``admin.alerts.history()``; ``next_attempt_at`` is missing once nothing is sent any more."""
