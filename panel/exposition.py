"""Figures in Prometheus's text format. Nothing global is registered: a collector is made for each scrape."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from mastra_admin_sdk import __version__

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from mastra_admin_sdk.services.monitoring.figures import Figures

    from .requests import RequestKind

Labels = dict[str, str]
_OWNER = ("team", "project", "deployment")
_PREFIX = "mastra_admin"


def render_metrics(
    figures: Figures, requests: Mapping[RequestKind, tuple[int, float]], seconds: float, accept: str
) -> tuple[bytes, str]:
    """Return the figures as a client wants them, and the type of that: Prometheus's text, or OpenMetrics.

    Parameters:
        requests: the panel's own: count and seconds by kind.
        seconds: what it took to collect the figures.
        accept: the client's ``Accept`` header.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(FigureCollector(figures, requests, seconds))
    encode, kind = choose_encoder(accept)
    return encode(registry), kind


class FigureCollector(Collector):
    """All metrics of one scrape."""

    def __init__(self, figures: Figures, requests: Mapping[RequestKind, tuple[int, float]], seconds: float) -> None:
        self._figures, self._requests, self._seconds = figures, requests, seconds
        self._owners = {row["deployment_id"]: _name_owner(row) for row in figures.health.values()}

    def describe(self) -> Iterable[Metric]:
        """Return nothing: what there is is told by `collect`."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield every metric, also those that have no values at the moment."""
        yield from self._collect_deployments()
        yield from self._collect_servers()
        yield from self._collect_requests()
        yield from self._collect_traces()
        yield from self._collect_builds()
        yield from self._collect_ingestion()
        yield from self._collect_home()
        yield from self._collect_alerts()
        yield from self._collect_panel()

    def _collect_deployments(self) -> Iterator[Metric]:
        rows = list(self._figures.health.values())
        told: tuple[tuple[str, str, Any], ...] = (
            ("deployment_up", "1 when a server of the deployment answers.", lambda row: row["healthy"] > 0),
            ("deployment_wanted", "1 when it is meant to run.", lambda row: row["desired_state"] == "running"),
            ("servers", "Servers of the deployment.", lambda row: row["servers"]),
            ("servers_healthy", "Servers that answer.", lambda row: row["healthy"]),
            ("requests_in_progress", "Requests that the router has under way.", lambda row: row["requests"]),
            ("deployment_lag_seconds", "Seconds that its telemetry waits to be stored.", lambda row: row["lag_s"]),
        )
        for name, words, read in told:
            samples = [(_name_owner(row), read(row)) for row in rows]
            yield _gauge(name, words, _OWNER, samples)
        status = [({**_name_owner(row), "status": row["status"]}, 1) for row in rows]
        yield _gauge("deployment_status", "1 for the status it has.", (*_OWNER, "status"), status)

    def _collect_servers(self) -> Iterator[Metric]:
        labels = (*_OWNER, "replica")
        servers = [
            ({**self._owners[view.deployment.id], "replica": str(server.process.replica)}, server)
            for view in self._figures.overview.deployments
            for server in view.servers
        ]
        used = [(owner, server.usage) for owner, server in servers if server.usage]
        memory = [(owner, usage.memory_bytes) for owner, usage in used]
        files = [(owner, usage.open_files) for owner, usage in used]
        cpu = [(owner, usage.cpu_seconds) for owner, usage in used]
        restarts = [(owner, server.process.restarts) for owner, server in servers]
        yield _gauge("server_memory_bytes", "Memory of the server and all it started.", labels, memory)
        yield _gauge("server_open_files", "Files that it has open.", labels, files)
        yield _counter("server_cpu_seconds", "Seconds that it spent on the CPU.", labels, cpu)
        yield _counter("server_restarts", "How often it was started again since its build.", labels, restarts)

    def _collect_requests(self) -> Iterator[Metric]:
        labels = (*_OWNER, "status")
        known = [
            ({**self._owners[owner], "status": str(one.status)}, one)
            for owner, found in self._figures.traffic.items()
            for one in found
            if owner in self._owners
        ]
        counts = [(owner, one.requests) for owner, one in known]
        seconds = [(owner, one.seconds) for owner, one in known]
        yield _counter("requests", "Requests that the router answered.", labels, counts)
        yield _counter("requests_seconds", "Seconds that these took, together.", labels, seconds)

    def _collect_traces(self) -> Iterator[Metric]:
        activities = self._figures.activities or {}
        known = [(self._owners[key], found) for key, found in activities.items() if key in self._owners]
        counts = [(owner, found.traces) for owner, found in known]
        errors = [(owner, found.errors) for owner, found in known]
        quantiles = [
            ({**owner, "quantile": str(percent / 100)}, value / 1000)
            for owner, found in known
            for percent, value in (found.percentiles or {}).items()
        ]
        yield _gauge("recent_traces", "Traces that ended in the last 5 minutes.", _OWNER, counts)
        yield _gauge("recent_trace_errors", "Those of them that failed.", _OWNER, errors)
        words = "Seconds that traces of the last 5 minutes took."
        yield _gauge("recent_trace_duration_seconds", words, (*_OWNER, "quantile"), quantiles)

    def _collect_builds(self) -> Iterator[Metric]:
        labels = (*_OWNER, "status")
        known = [
            ({**self._owners[item.deployment_id], "status": item.status.value}, item)
            for item in self._figures.builds
            if item.deployment_id in self._owners
        ]
        counts = [(owner, item.count) for owner, item in known]
        seconds = [(owner, item.seconds) for owner, item in known]
        yield _gauge("builds", "Builds that were queued in the last 24 hours.", labels, counts)
        yield _gauge("builds_seconds", "Seconds that these took, together.", labels, seconds)

    def _collect_ingestion(self) -> Iterator[Metric]:
        lag, status = self._figures.overview.lag, self._figures.overview.ingestion
        told: tuple[tuple[str, str, float], ...] = (
            ("ingestion_lag_seconds", "Seconds that the oldest line of telemetry has waited.", lag.seconds),
            ("ingestion_lag_bytes", "Bytes of telemetry that wait.", lag.bytes),
            ("ingestion_lag_files", "Files with telemetry that waits.", lag.files),
            ("ingestion_ok", "1 when nothing keeps telemetry from being stored.", not status.trouble),
            ("ingestion_rejected_lines", "Lines that the store keeps as rejected.", status.rejected),
            ("ingestion_dropped_lines", "Lines that servers of the last day could not write.", status.dropped),
        )
        for name, words, value in told:
            yield _gauge(name, words, (), [({}, value)])
        yield _counter("ingestion_lines", "Lines that were handed to the store.", (), [({}, status.lines)])
        yield _counter("ingestion_bytes", "Bytes of these.", (), [({}, status.bytes)])

    def _collect_home(self) -> Iterator[Metric]:
        overview = self._figures.overview
        engine = overview.engine
        memory: list[tuple[Labels, Any]] = [({}, engine["memory_bytes"])] if engine.get("memory_bytes") else []
        roles = [({"role": name}, owner is not None) for name, owner in overview.roles.items()]
        yield _gauge("info", "The version that runs.", ("version",), [({"version": __version__}, 1)])
        yield _gauge("router_up", "1 when the router runs.", (), [({}, overview.router_running)])
        yield _gauge("engine_up", "1 when the engine runs, not rests.", (), [({}, bool(engine.get("running")))])
        yield _gauge("engine_memory_bytes", "Memory of the engine.", (), memory)
        yield _gauge("role_held", "1 when some process does the work of the role.", ("role",), roles)

    def _collect_alerts(self) -> Iterator[Metric]:
        firing = [({"alert": name, "kind": kind}, count) for (name, kind), count in self._figures.firing.items()]
        words = "Messages of alerts that wait for their webhook."
        yield _gauge("alert_firing", "For how many subjects the alert fires.", ("alert", "kind"), firing)
        yield _gauge("alert_messages_waiting", words, (), [({}, self._figures.undelivered)])

    def _collect_panel(self) -> Iterator[Metric]:
        words = "Seconds until the panel's answers began."
        family = SummaryMetricFamily(f"{_PREFIX}_panel_request_seconds", words, labels=("method", "route", "status"))
        for kind, (count, total) in self._requests.items():
            family.add_metric((kind.method, kind.route, str(kind.status)), count, total)
        yield family
        yield _gauge("scrape_seconds", "Seconds that it took to collect all this.", (), [({}, self._seconds)])


def _gauge(name: str, words: str, labels: Iterable[str], samples: Iterable[tuple[Labels, Any]]) -> Metric:
    names = tuple(labels)
    return _fill(GaugeMetricFamily(f"{_PREFIX}_{name}", words, labels=names), names, samples)


def _counter(name: str, words: str, labels: Iterable[str], samples: Iterable[tuple[Labels, Any]]) -> Metric:
    names = tuple(labels)
    return _fill(CounterMetricFamily(f"{_PREFIX}_{name}", words, labels=names), names, samples)


def _fill(family: Any, names: tuple[str, ...], samples: Iterable[tuple[Labels, Any]]) -> Metric:
    for labels, value in samples:
        if value is not None:
            family.add_metric([labels[name] for name in names], float(value))
    metric: Metric = family
    return metric


def _name_owner(row: Mapping[str, Any]) -> Labels:
    return {name: str(row[name]) for name in _OWNER}
