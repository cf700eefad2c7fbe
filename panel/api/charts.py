"""``/api/charts``: what agents did and what builds took, ready to be drawn."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from mastra_admin_sdk.services.charts.service import ChartService

from ..context import current_panel
from ..lookup import find_deployment, find_project, find_trace, list_scope, telemetry_scope
from ..openapi import endpoint
from .schemas.charts import BuildChartQuery, ChartItem, LatencyChartQuery, TimeChartQuery

blueprint = Blueprint("api_charts", __name__)


@blueprint.get("/charts/latency")
@endpoint(conditional=True, fails=[404])
def show_latency(query: LatencyChartQuery) -> ChartItem:
    """Chart how long requests took.

    Their median, 95th and 99th percentile, in milliseconds; with `by`, one percentile of each group.
    """
    return ChartItem.of(_charts().latency(**_read(query)))


@blueprint.get("/charts/requests")
@endpoint(conditional=True, fails=[404])
def show_requests(query: TimeChartQuery) -> ChartItem:
    """Chart how many requests there were, those that failed apart."""
    return ChartItem.of(_charts().requests(**_read(query)))


@blueprint.get("/charts/errors")
@endpoint(conditional=True, fails=[404])
def show_errors(query: TimeChartQuery) -> ChartItem:
    """Chart which share of the requests failed."""
    return ChartItem.of(_charts().errors(**_read(query)))


@blueprint.get("/charts/tokens")
@endpoint(conditional=True, fails=[404])
def show_tokens(query: TimeChartQuery) -> ChartItem:
    """Chart tokens that went in and came out."""
    return ChartItem.of(_charts().tokens(**_read(query)))


@blueprint.get("/charts/cost")
@endpoint(conditional=True, fails=[404])
def show_cost(query: TimeChartQuery) -> ChartItem:
    """Chart what the tokens cost, by model unless said otherwise."""
    return ChartItem.of(_charts().cost(**_read(query)))


@blueprint.get("/charts/builds")
@endpoint(conditional=True, fails=[404])
def show_builds(query: BuildChartQuery) -> ChartItem:
    """Chart the seconds that the phases of the last builds took."""
    owner: dict[str, Any] = dict(list_scope())
    if query.project is not None:
        owner = {"project": find_project(query.project)}
    if query.deployment is not None:
        owner = {"deployment": find_deployment(query.deployment).record}
    return ChartItem.of(_charts().builds(**owner, limit=query.limit))


@blueprint.get("/charts/traces/<trace_id>")
@endpoint(conditional=True, fails=[422])
def show_trace(trace_id: str) -> ChartItem:
    """Chart a trace: a bar a span, at its time."""
    return ChartItem.of(_charts().trace(find_trace(trace_id)))


def _charts() -> ChartService:
    return current_panel().admin.charts


def _read(query: TimeChartQuery) -> dict[str, Any]:
    return {**query.filters(), **telemetry_scope(query.project, list(query.deployment) or None, query.build)}
