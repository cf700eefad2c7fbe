"""The one table of settings, and how their values are found.

Precedence, first wins:

1. an argument of `MastraAdmin` or `load_settings` (the command line passes its options here),
2. the environment variable named in the table,
3. ``settings.toml`` in the home folder,
4. the default in the table.

Only this module reads the environment; everything below gets values.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import SettingError


class Lines(list[str]):
    """Texts that may hold any character but a line end: a list, or text with one of them on each line."""

    def __init__(self, given: Any = ()) -> None:
        many = given if isinstance(given, list | tuple) else str(given).splitlines()
        super().__init__(text for item in many if (text := str(item).strip()))


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table."""

    name: str
    type: type
    default: Any
    help: str
    secret: bool = False
    least: float | None = None

    @property
    def env(self) -> str:
        """The environment variable that sets it."""
        return f"MASTRA_ADMIN_{self.name.upper()}"


SETTINGS: tuple[Setting, ...] = (
    Setting("home", str, "", "Folder that holds everything; empty: the platform's data folder of this user."),
    Setting(
        "database_url", str, "", "SQLAlchemy URL of a PostgreSQL database; empty: SQLite in the home.", secret=True
    ),
    Setting("database_schema", str, "mastra_admin", "Schema that holds the tables on PostgreSQL."),
    Setting("secret_key", str, "", "Fernet key for environment variables; empty: secret.key in the home.", secret=True),
    Setting("source_paths", list, [], "Folders to search for Mastra projects; empty: the current folder."),
    Setting("source_include", list, ["*"], "Folder names that a search looks into."),
    Setting(
        "source_exclude",
        list,
        ["node_modules", ".git", "dist", ".next", ".mastra"],
        "Folder names that a search passes over and a copy leaves out; a build may need a sibling's dist.",
    ),
    Setting("source_max_depth", int, 3, "How many folders deep a search goes.", least=0),
    Setting("node", str, "", "Path of a Node program to use; empty: the system's if it fits, else the wheel's."),
    Setting("server_ports", str, "4100-4199", "Range of loopback ports for servers."),
    Setting("build_concurrency", int, 1, "How many builds may run at once.", least=1),
    Setting("build_supersede", bool, True, "Whether a newer deploy replaces older queued ones of its deployment."),
    Setting("build_cache", bool, True, "Whether builds use installed dependencies and artifacts of earlier ones."),
    Setting("cache_max_mb", int, 20_000, "Size in MB that the build cache is cut back to.", least=0),
    Setting("build_memory_mb", int, 0, "Memory in MB that a build's commands may hold; 0: no limit.", least=0),
    Setting("build_nice", int, 10, "How much the commands of a build yield the CPU to others, 0 to 19.", least=0),
    Setting("copy_timeout", float, 600.0, "Seconds that copying or fetching a source may take.", least=1),
    Setting("install_timeout", float, 900.0, "Seconds that installing dependencies may take.", least=1),
    Setting("build_timeout", float, 900.0, "Seconds that `mastra build` may take.", least=1),
    Setting("health_timeout", float, 60.0, "Seconds until a new server must answer its health check.", least=1),
    Setting("drain_timeout", float, 60.0, "Seconds that a replaced server gets to finish its requests.", least=0),
    Setting("health_interval", float, 10.0, "Seconds between two health checks of a running server.", least=0.1),
    Setting("health_failures", int, 3, "Failed health checks in a row after which a server is replaced.", least=2),
    Setting("server_memory_mb", int, 0, "Memory in MB that a server may hold; 0: no limit.", least=0),
    Setting("server_nice", int, 0, "How much servers yield the CPU to others, 0 to 19.", least=0),
    Setting("keep_builds", int, 5, "How many artifacts are kept of each deployment, besides those in use.", least=0),
    Setting("log_days", int, 30, "Days that logs of builds and of servers that ended are kept.", least=1),
    Setting("preview_hours", float, 72.0, "Hours after its last deploy at which a preview is removed.", least=0.001),
    Setting("watch_debounce", float, 2.0, "Seconds that a watched source has to be quiet before a deploy.", least=0),
    Setting(
        "git_credentials",
        str,
        "",
        "What git says to hosts: https://user:token@host, several separated by blanks; empty: git's own helpers.",
        secret=True,
    ),
    Setting("git_poll_seconds", float, 60.0, "Seconds between two looks at a watched repository.", least=1),
    Setting("min_free_mb", int, 1024, "Free disk space in MB below which no build starts.", least=0),
    Setting("log_max_bytes", int, 10 * 1024 * 1024, "Size at which a server's log file is rotated.", least=1024),
    Setting("log_keep", int, 5, "How many rotated log files are kept for each server.", least=0),
    Setting("router_port", int, 8080, "Port of the reverse proxy.", least=1),
    Setting("router_https_port", int, 8443, "Port of the reverse proxy for hosts with a certificate.", least=1),
    Setting("router_bind", str, "127.0.0.1", "Address that the reverse proxy listens on."),
    Setting("base_domain", str, "localhost", "Domain under which every deployment gets its address."),
    Setting("router_tls", str, "", "off, internal or auto; must be said when the router listens beyond loopback."),
    Setting("panel_port", int, 3001, "Port of the panel; 0: any that is free.", least=0),
    Setting("panel_bind", str, "127.0.0.1", "Address that the panel listens on."),
    Setting(
        "panel_cors_origins",
        Lines,
        Lines(),
        "Origins whose pages may use the panel's API with a token, one on each line, as https://host:port.",
    ),
    Setting("clickhouse_url", str, "", "clickhouse:// URL of a server; empty: the embedded engine.", secret=True),
    Setting("engine_memory_mb", int, 1500, "Memory that the embedded engine may use, in MB.", least=256),
    Setting(
        "engine_idle_seconds", float, 600.0, "Seconds without clients after which the embedded engine stops.", least=1
    ),
    Setting("clickhouse_cluster", str, "", "Cluster of the ClickHouse server; empty: the server is one machine."),
    Setting("clickhouse_replicated", bool, True, "Whether the ClickHouse cluster has replicas, which takes Keeper."),
    Setting("telemetry_days", int, 90, "Days that telemetry is kept, where the settings below don't differ.", least=1),
    Setting("telemetry_days_spans", int, 0, "Days that spans are kept; 0: telemetry_days.", least=0),
    Setting("telemetry_days_logs", int, 0, "Days that log lines are kept; 0: telemetry_days.", least=0),
    Setting("telemetry_days_metrics", int, 0, "Days that metrics are kept; 0: telemetry_days.", least=0),
    Setting("telemetry_days_scores", int, 0, "Days that scores are kept; 0: telemetry_days.", least=0),
    Setting("telemetry_days_feedback", int, 0, "Days that feedback is kept; 0: telemetry_days.", least=0),
    Setting("telemetry_days_rejects", int, 0, "Days that rejected lines are kept; 0: telemetry_days.", least=0),
    Setting(
        "prices",
        dict,
        {},
        "US dollars per million tokens by model: {model: {input: 0.15, output: 0.6}}; empty: no cost is told.",
    ),
    Setting("telemetry_poll_seconds", float, 0.5, "Seconds between two looks at the telemetry files.", least=0.05),
    Setting("collector_body_mb", int, 64, "Size in MB of the largest request with telemetry, unpacked.", least=1),
    Setting("alert_interval", float, 15.0, "Seconds between two looks at the alerts.", least=0.1),
    Setting("alert_hosts", list, [], "Hosts that alerts may be sent to, such as *.example.com; empty: any."),
    Setting("telemetry_sample", Lines, Lines(), "Share of traces that is stored, 0 to 1; project=share for one."),
    Setting("telemetry_sample_errors", bool, False, "Whether traces with errors are stored beside the sampled ones."),
    Setting("telemetry_redact_fields", Lines, Lines(), "Names of fields whose values are never stored."),
    Setting("telemetry_redact_patterns", Lines, Lines(), "Regular expressions; what they match is never stored."),
)
"""Every setting there is. The command line, the documentation and `Settings` are made from it."""

_BY_NAME: Mapping[str, Setting] = {setting.name: setting for setting in SETTINGS}


class Settings(Mapping[str, Any]):
    """The values in force: ``settings["router_port"]`` or ``settings.router_port``. Its repr hides secrets."""

    def __init__(
        self, values: Mapping[str, Any], origins: Mapping[str, str], environment: Mapping[str, str] | None = None
    ) -> None:
        self._values = dict(values)
        self._origins = dict(origins)
        self._environment = dict(environment or {})

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment the settings were read from; runners pick PATH, proxies and the like out of it."""
        return self._environment

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Any:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_values"][name]
        except KeyError:
            raise AttributeError(f"There is no setting {name!r}; see mastra_admin_sdk.settings.SETTINGS.") from None

    def origin(self, name: str) -> str:
        """Return where a value came from: ``argument``, ``environment``, ``settings.toml`` or ``default``."""
        return self._origins[name]

    def __repr__(self) -> str:
        shown = {
            name: "***" if _BY_NAME[name].secret and value else value
            for name, value in self._values.items()
            if self._origins[name] != "default"
        }
        return f"Settings({shown})"


def load_settings(arguments: Mapping[str, Any] | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Find the value of every setting.

    Parameters:
        arguments: values given by the caller; ``None`` values count as not given.
        environment: what to read instead of ``os.environ``.

    Raises:
        SettingError: a name is unknown or a value has the wrong kind; the message says which and from where.
    """
    environment = os.environ if environment is None else environment
    given = {name: value for name, value in (arguments or {}).items() if value is not None}
    _refuse_unknown(given, "an argument")
    home = str(given.get("home") or environment.get("MASTRA_ADMIN_HOME") or default_home())
    stored = _read_toml(Path(home).expanduser() / "settings.toml")
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for setting in SETTINGS:
        raw, origin = _find(setting, given, environment, stored)
        values[setting.name] = _convert(setting, raw, origin)
        origins[setting.name] = origin
    values["home"] = os.path.realpath(Path(home).expanduser())
    return Settings(values, origins, environment)


def default_home() -> str:
    """Return the home folder used when none is named: the platform's data folder of this user."""
    import platformdirs

    return platformdirs.user_data_dir("mastra-admin", appauthor=False)


def _find(
    setting: Setting, given: Mapping[str, Any], environment: Mapping[str, str], stored: Mapping[str, Any]
) -> tuple[Any, str]:
    if setting.name in given:
        return given[setting.name], "argument"
    if environment.get(setting.env):
        return environment[setting.env], "environment"
    if setting.name in stored:
        return stored[setting.name], "settings.toml"
    return setting.default, "default"


def _convert(setting: Setting, raw: Any, origin: str) -> Any:
    try:
        if setting.type is list:
            parts = raw.split(os.pathsep) if isinstance(raw, str) else [raw] if isinstance(raw, Path) else list(raw)
            return [str(part) for part in parts if str(part)]
        if setting.type is bool:
            return _convert_flag(raw)
        if setting.type is dict:
            return dict(json.loads(raw) if isinstance(raw, str) else raw)
        if isinstance(raw, bool):
            raise ValueError
        value = setting.type(raw)
        if setting.least is not None and not value >= setting.least:
            raise ValueError
        return value
    except (TypeError, ValueError, OverflowError) as exc:
        shown = "that value" if setting.secret else repr(raw)
        least = "" if setting.least is None else f" of at least {setting.least}"
        raise SettingError(
            f"The setting {setting.name} can't be {shown} (from {origin}): it takes a {setting.type.__name__}{least}.",
            hint=f"{setting.help} Set it with {setting.env} or in settings.toml.",
        ) from exc


def _convert_flag(raw: Any) -> bool:
    if isinstance(raw, bool):
        return raw
    words = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    if str(raw).strip().lower() not in words:
        raise ValueError
    return words[str(raw).strip().lower()]


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise SettingError(f"The settings file {path} can't be read: {exc}.", hint="Mend or remove it.") from exc
    _refuse_unknown(values, str(path))
    return values


def _refuse_unknown(values: Mapping[str, Any], where: str) -> None:
    import difflib

    for name in values:
        if name not in _BY_NAME:
            near = difflib.get_close_matches(name, _BY_NAME, n=1)
            raise SettingError(
                f"There is no setting {name!r} ({where}).",
                hint=f"Did you mean {near[0]!r}?" if near else f"Settings: {', '.join(_BY_NAME)}.",
            )
