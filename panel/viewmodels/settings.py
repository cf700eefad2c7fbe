"""What is set, from where, and how to change it: for the page ``/settings``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mastra_admin_sdk.settings import SETTINGS, Settings

TABS: Mapping[str, str] = {
    "about": "About",
    "members": "Members",
    "tokens": "Tokens",
    "retention": "Retention",
    "domain": "Domain",
    "policy": "Policy and prices",
    "doctor": "Doctor",
    "background": "Background",
    "all": "All settings",
}
OF_EVERYBODY = frozenset({"members", "tokens"})
"""Tabs for who is bound to a team, too."""

GROUPS: Mapping[str, tuple[str, ...]] = {
    "retention": (
        *("keep_builds", "log_days", "preview_hours", "cache_max_mb", "min_free_mb", "log_max_bytes", "log_keep"),
        *("telemetry_days", "telemetry_days_spans", "telemetry_days_logs", "telemetry_days_metrics"),
        *("telemetry_days_scores", "telemetry_days_feedback", "telemetry_days_rejects"),
    ),
    "domain": ("base_domain", "router_port", "router_https_port", "router_bind", "router_tls"),
    "policy": (
        *("telemetry_sample", "telemetry_sample_errors", "telemetry_redact_fields", "telemetry_redact_patterns"),
        "prices",
    ),
    "background": (
        *("build_concurrency", "health_interval", "health_failures", "telemetry_poll_seconds", "alert_interval"),
        *("git_poll_seconds", "watch_debounce", "engine_memory_mb", "engine_idle_seconds"),
    ),
}
_KNOWN = {setting.name: setting for setting in SETTINGS}


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting as people read it."""

    name: str
    value: str
    is_empty: bool
    source: str
    env: str
    help: str
    line: str
    is_set: bool


def list_settings(settings: Settings, names: Sequence[str] | None = None) -> Sequence[SettingRow]:
    """Return settings with their values in force, in the order given, or all."""
    return [_describe(settings, name) for name in (names if names is not None else _KNOWN)]


def list_prices(settings: Settings) -> Sequence[dict[str, Any]]:
    """Return the table of prices, as it stands in the settings."""
    return [
        {"model": model, "input": entry.get("input", 0), "output": entry.get("output", 0)}
        for model, entry in settings["prices"].items()
        if isinstance(entry, Mapping)
    ]


def _describe(settings: Settings, name: str) -> SettingRow:
    setting, value = _KNOWN[name], settings[name]
    is_empty = value in ("", [], {}, None)
    shown = "set" if setting.secret and not is_empty else _write(value)
    return SettingRow(
        name=name,
        value=shown,
        is_empty=is_empty,
        source=settings.origin(name),
        env=setting.env,
        help=setting.help,
        line=f"{name} = {_write_toml(setting.type, setting.default if setting.secret else value)}",
        is_set=settings.origin(name) != "default",
    )


def _write(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return f"{len(value)} entries" if value else "none"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) if value != "" else "not set"


def _write_toml(kind: type, value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(_quote(item) for item in value) + "]"
    return _quote(value) if isinstance(value, str) else "…" if kind is dict else str(value)


def _quote(text: Any) -> str:
    escaped = str(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
