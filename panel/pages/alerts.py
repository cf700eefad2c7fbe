"""``/alerts``: rules, what they say, and what was told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response

from mastra_admin_sdk.models import Deployment

from ..alerting import read_alerts, read_messages, read_states
from ..context import current_panel
from ..lookup import list_scope, visible_projects
from ..principals import can, current_principal
from ..rendering import render_page
from ..viewmodels.alerts import KINDS, describe_message, describe_rule, describe_state

blueprint = Blueprint("alerts", __name__)

_MESSAGES = 50


@blueprint.get("/alerts")
def show() -> Response:
    """Show the rules with their states, and the messages that were sent."""
    states = [describe_state(item.to_json()) for item in read_states()]
    known = {state["alert_id"] for state in states}
    rules = [describe_rule(item.to_json(), is_evaluated=item.id in known) for item in read_alerts()]
    messages = read_messages(limit=_MESSAGES)
    return render_page(
        "alerts.html",
        rules=rules,
        states=[state for state in states if state["status"] != "ok"],
        quiet=sum(state["status"] == "ok" for state in states),
        messages=[describe_message(item.to_json()) for item in messages.messages],
        kinds=list(KINDS.values()) if not current_principal().is_bound else _list_bound_kinds(),
        subjects=_list_subjects() if can("admin") else [],
        is_watched=current_panel().glance.look().document["roles"].get("alerter") is not None,
    )


def _list_bound_kinds() -> list[object]:
    return [kind for kind in KINDS.values() if not kind.is_of_home]


def _list_subjects() -> list[dict[str, object]]:
    """Projects and their deployments, for the list of what can be watched."""
    scope: dict[str, Any] = dict(list_scope())
    records = [live.record for live in current_panel().admin.deployments.list(**scope)]
    return [
        {"id": item.id, "name": item.name, "deployments": _list_slugs(records, item.id)} for item in visible_projects()
    ]


def _list_slugs(deployments: Sequence[Deployment], project_id: str) -> list[dict[str, str]]:
    return [{"id": item.id, "slug": item.slug} for item in deployments if item.project_id == project_id]
