"""``/usage``: requests, latency, errors, tokens and cost, as charts and as a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Response, request, url_for

from ..context import current_panel
from ..lookup import telemetry_scope, visible_projects
from ..rendering import render_page
from ..viewmodels.usage import LONGEST_TABLE, RANGES, SPLITS, describe_usage

blueprint = Blueprint("usage", __name__)

_FILTERS = ("project", "deployment", "agent", "model", "since", "until", "timezone")
_PLAIN = ("agent", "model")
_DEFAULT = "24h"
_CHARTS = ("latency", "requests", "errors", "tokens", "cost")
_LONG = ("7d", "30d", "90d", "all")


@blueprint.get("/usage")
def show() -> Response:
    """Show what was used since ``?since=``, by ``?by=``, of a project, a deployment, an agent or a model."""
    given = {name: value for name in _FILTERS if (value := request.args.get(name, "").strip())}
    by = request.args.get("by") or None
    by = by if by in SPLITS else None
    filters = _make_filters(given)
    charts, timezone = current_panel().admin.charts, given.get("timezone", "UTC")
    table_by = by or "model"
    totals, frame = charts.summaries(by=table_by, timezone=timezone, **filters)
    rows = describe_usage(frame.head(LONGEST_TABLE), table_by, timezone=timezone, link=_make_link(table_by, given))
    return render_page(
        "usage.html",
        given={**given, "since": given.get("since", _DEFAULT)},
        by=by,
        ranges=RANGES,
        splits=SPLITS,
        table_by=table_by,
        tabs=[(label, _link(given, by=name), name == table_by) for name, label in SPLITS.items()],
        projects=[{"id": item.id, "slug": item.slug, "name": item.name} for item in visible_projects()],
        totals=describe_usage(totals, None)[0],
        rows=rows,
        left_out=max(len(frame) - LONGEST_TABLE, 0),
        subject=frame.attrs["subject"],
        unpriced=totals.attrs["unpriced"] or frame.attrs["unpriced"],
        charts={name: _find_chart(name, by, given) for name in _CHARTS},
        every=300 if given.get("since") in _LONG else 60,
    )


def _make_filters(given: Mapping[str, str]) -> dict[str, Any]:
    scope = telemetry_scope(given.get("project"), given.get("deployment"))
    times = {name: given[name] for name in ("since", "until") if name in given}
    return {**scope, "since": _DEFAULT, **times, **{name: given[name] for name in _PLAIN if name in given}}


def _find_chart(name: str, by: str | None, given: Mapping[str, str]) -> str:
    split = {"by": by} if by and by != "day" else {}
    query: dict[str, Any] = {"since": _DEFAULT, **given, **split}
    return url_for(f"api_charts.show_{name}", **query)


def _make_link(by: str, given: Mapping[str, str]) -> Callable[[str], str | None]:
    """A group leads to the same page of it alone; deployments have a page of their own, too."""
    return lambda key: _link({**given, by: key}, by="agent" if by == "model" else "model")


def _link(given: Mapping[str, str], **more: str) -> str:
    query: dict[str, Any] = {**given, **more}
    return url_for("pages.usage.show", **query)
