"""What alert rules and health look at: records, what servers reported last, and what the store says of traces.

One object is made for each pass; what several rules need is read once. Nothing here starts the engine for nothing: when
no telemetry was stored lately, there is no trace to count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from mastra_admin_sdk.errors import NotFound
from mastra_admin_sdk.host import boot_id
from mastra_admin_sdk.models import (
    AlertKind,
    AlertRule,
    BuildStatus,
    Deployment,
    DeploymentStatus,
    DesiredState,
    Process,
    ProcessStatus,
)
from mastra_admin_sdk.services.deployments.servers import ALIVE
from mastra_admin_sdk.services.parts import Parts
from mastra_admin_sdk.services.telemetry.ingestion import Ingester
from mastra_admin_sdk.services.telemetry.lag import Lag

from .decisions import Reading
from .options import AlertOptions, read_options

MEGABYTE = 1024 * 1024
CRASHED = "server_ended"
_MARGIN = timedelta(minutes=1)
_MOST_REJECTS = 10_000


@dataclass(frozen=True, slots=True)
class Activity:
    """Traces of a deployment that ended in a window: how many, how many failed, milliseconds at percentiles."""

    traces: int = 0
    errors: int = 0
    percentiles: Mapping[int, float] | None = None

    @property
    def error_rate(self) -> float | None:
        """Share of traces that failed; ``None`` when there were none."""
        return self.errors / self.traces if self.traces else None


class Measures:
    """Figures of one moment.

    Parameters:
        parts: where they are read.
        ingester: knows how far the store is behind.
        now: the moment.
    """

    def __init__(self, parts: Parts, ingester: Ingester, now: datetime) -> None:
        self._parts, self._ingester, self._now = parts, ingester, now
        self._activities: dict[float, Mapping[str, Activity]] = {}
        self._crashes: dict[float, Counter[str]] = {}
        self._builds: dict[float, Counter[str]] = {}

    def read(self, rule: AlertRule) -> Mapping[str, Reading]:
        """Return what a rule measures, by subject: the id of a deployment, or empty for the home.

        Raises:
            ObservabilityError: the store of the traces is away.
        """
        if rule.kind is AlertKind.LAG:
            return {"": self._read_lag()}
        if rule.kind is AlertKind.REJECTS:
            return {"": self._read_rejects(rule.window_seconds)}
        readers: Mapping[AlertKind, Callable[[Deployment, AlertRule], Reading]] = {
            AlertKind.ERROR_RATE: self._read_error_rate,
            AlertKind.LATENCY: self._read_latency,
            AlertKind.CRASH: self._read_crashes,
            AlertKind.DOWN: self._read_down,
            AlertKind.MEMORY: self._read_memory,
            AlertKind.BUILD: self._read_builds,
        }
        return {item.id: readers[rule.kind](item, rule) for item in self.deployments if _is_in_scope(item, rule)}

    @cached_property
    def deployments(self) -> Sequence[Deployment]:
        """All deployments."""
        return self._parts.storage.deployments.list()

    @cached_property
    def lag(self) -> Lag:
        """How far the store is behind the files."""
        return self._ingester.measure_lag()

    def activity(self, seconds: float) -> Mapping[str, Activity]:
        """Return what happened in the last seconds, by the id of the deployment; one without traces is not in it."""
        if seconds not in self._activities:
            since = self._now - timedelta(seconds=seconds)
            self._activities[seconds] = {} if self._is_quiet(since) else self._ask(since)
        return self._activities[seconds]

    def servers(self, deployment: Deployment) -> Sequence[Process]:
        """Return the servers of a deployment's current build that haven't ended, as they were last looked at."""
        return self._processes.get(deployment.id, ())

    # --- of a deployment ----------------------------------------------------------------------------------------------

    def _read_error_rate(self, deployment: Deployment, rule: AlertRule) -> Reading:
        found, options = self._find_activity(deployment, rule), read_options(rule.options)
        if found.traces < options.min_count or found.error_rate is None:
            return _too_few(found, options, rule)
        words = f"{found.errors:,} of {found.traces:,} traces failed {_last(rule)} ({found.error_rate * 100:.3g} %)"
        return Reading(found.error_rate, words)

    def _read_latency(self, deployment: Deployment, rule: AlertRule) -> Reading:
        found, options = self._find_activity(deployment, rule), read_options(rule.options)
        value = (found.percentiles or {}).get(options.percentile)
        if found.traces < options.min_count or value is None:
            return _too_few(found, options, rule)
        return Reading(value, f"p{options.percentile} of {found.traces:,} traces was {value:,.0f} ms {_last(rule)}")

    def _read_crashes(self, deployment: Deployment, rule: AlertRule) -> Reading:
        seconds = rule.window_seconds
        if seconds not in self._crashes:
            events = self._parts.storage.events.list(
                action=CRASHED, since=self._now - timedelta(seconds=seconds), limit=None
            )
            self._crashes[seconds] = Counter(event.object_id for event in events if self._is_crash(event.details))
        count = self._crashes[seconds][deployment.id]
        return Reading(float(count), f"{_count(count, 'server')} ended without being asked to {_last(rule)}")

    def _read_down(self, deployment: Deployment, rule: AlertRule) -> Reading:  # noqa: ARG002 - as all readers
        if deployment.desired_state is not DesiredState.RUNNING or not _has_served(deployment):
            return Reading(0.0, "it is not meant to run")
        healthy = sum(is_healthy(process) for process in self.servers(deployment))
        missing = max(0, deployment.replicas - healthy)
        return Reading(float(missing), f"{missing} of {_count(deployment.replicas, 'server')} don't answer")

    def _read_memory(self, deployment: Deployment, rule: AlertRule) -> Reading:  # noqa: ARG002 - as all readers
        known = [process.stats["memory_bytes"] for process in self.servers(deployment) if _has_memory(process)]
        if not known:
            return Reading(None, "no server was measured")
        held = sum(known) / MEGABYTE
        return Reading(held, f"{_count(len(known), 'server')} hold {held:,.0f} MB")

    def _read_builds(self, deployment: Deployment, rule: AlertRule) -> Reading:
        seconds = rule.window_seconds
        if seconds not in self._builds:
            since = self._now - timedelta(seconds=seconds)
            failed = self._parts.storage.builds.list(statuses=[BuildStatus.FAILED], since=since - timedelta(days=1))
            recent = [build for build in failed if build.completed_at and build.completed_at >= since]
            self._builds[seconds] = Counter(build.deployment_id for build in recent)
        count = self._builds[seconds][deployment.id]
        return Reading(float(count), f"{_count(count, 'build')} failed {_last(rule)}")

    # --- of the home --------------------------------------------------------------------------------------------------

    def _read_lag(self) -> Reading:
        lag = self.lag
        words = f"telemetry waits since {lag.seconds:,.0f} s ({lag.bytes:,} bytes in {_count(lag.files, 'file')})"
        return Reading(lag.seconds, words)

    def _read_rejects(self, seconds: float) -> Reading:
        since = self._now - timedelta(seconds=seconds)
        if self._is_quiet(since):
            return Reading(0.0, "no line of telemetry was refused")
        self._parts.observability.init()
        count = int((self._parts.observability.rejects(_MOST_REJECTS)["time"] >= since).sum())
        return Reading(float(count), f"{_count(count, 'line')} of telemetry were refused in the last {seconds:,.0f} s")

    # --- where it comes from ------------------------------------------------------------------------------------------

    @cached_property
    def _processes(self) -> Mapping[str, Sequence[Process]]:
        current = {item.id: item.current_build_id for item in self.deployments}
        newest: dict[str, dict[int, Process]] = {}
        for process in self._parts.storage.processes.list(statuses=ALIVE):
            if process.build_id == current.get(process.deployment_id):
                newest.setdefault(process.deployment_id, {}).setdefault(process.replica, process)
        return {owner: [found[replica] for replica in sorted(found)] for owner, found in newest.items()}

    @cached_property
    def _stored_at(self) -> datetime | None:
        """When telemetry was stored last; ``None`` when it isn't known here, as of a server that others write to."""
        if self._parts.observability.status().get("engine") != "embedded":
            return None
        offsets = self._parts.storage.offsets.list()
        return max((offset.updated_at for offset in offsets), default=datetime.min.replace(tzinfo=self._now.tzinfo))

    def _is_quiet(self, since: datetime) -> bool:
        return self._stored_at is not None and self._stored_at < since - _MARGIN

    def _ask(self, since: datetime) -> Mapping[str, Activity]:
        self._parts.observability.init()
        frame = self._parts.observability.activity(since, self._now)
        rows = frame.to_dict("records")
        return {str(row["deployment_id"]): _make_activity(row) for row in rows}

    def _find_activity(self, deployment: Deployment, rule: AlertRule) -> Activity:
        return self.activity(rule.window_seconds).get(deployment.id, Activity())

    def _is_crash(self, details: Mapping[str, Any]) -> bool:
        """False for servers that ended with the machine: that says nothing about the app."""
        try:
            process = self._parts.storage.processes.get(str(details.get("process")))
        except NotFound:  # deleted with its build
            return True
        return process.boot_id in (None, boot_id())


def is_healthy(process: Process) -> bool:
    """True when a server runs and answered when it was last looked at."""
    return process.status is ProcessStatus.RUNNING and process.stats.get("healthy") is not False


def _is_in_scope(deployment: Deployment, rule: AlertRule) -> bool:
    if rule.deployment_id is not None:
        return deployment.id == rule.deployment_id
    return rule.project_id in (None, deployment.project_id)


def _has_served(deployment: Deployment) -> bool:
    return deployment.current_build_id is not None and deployment.status is not DeploymentStatus.BUILDING


def _has_memory(process: Process) -> bool:
    return isinstance(process.stats.get("memory_bytes"), int)


def _make_activity(row: Mapping[Any, Any]) -> Activity:
    percentiles = {percent: float(row[f"p{percent}_ms"]) for percent in (50, 90, 95, 99)}
    return Activity(int(row["traces"]), int(row["errors"]), percentiles)


def _too_few(found: Activity, options: AlertOptions, rule: AlertRule) -> Reading:
    return Reading(None, f"{_count(found.traces, 'trace')} ended {_last(rule)}, fewer than {options.min_count}")


def _last(rule: AlertRule) -> str:
    seconds = rule.window_seconds
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length and seconds % length == 0:
            return f"in the last {seconds // length} {unit}"
    return f"in the last {seconds:,} seconds"


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
