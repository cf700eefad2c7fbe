"""``/api/alerts``: rules, their states, and the messages that they sent.

Whoever is bound to a team sees, and makes, rules for its projects and deployments alone.
"""

from __future__ import annotations

from flask import Blueprint, url_for

from mastra_admin_sdk.models import TokenScope

from ..alerting import describe_alert, find_rule, read_alerts, read_messages, read_states
from ..context import current_panel
from ..lookup import find_deployment, find_project
from ..openapi import Located, endpoint
from ..principals import current_principal, needs
from ..problems import Refused
from .schemas.alerts import (
    AlertChange,
    AlertItem,
    AlertList,
    AlertStateList,
    Message,
    MessageItem,
    MessageList,
    MessageQuery,
    NewAlert,
)

blueprint = Blueprint("api_alerts", __name__)

_REMOVABLE = frozenset({"webhook", "secret", "clear"})


@blueprint.get("/alerts")
@endpoint(conditional=True)
def list_alerts() -> AlertList:
    """List the rules, newest first."""
    return AlertList(alerts=read_alerts())


@blueprint.post("/alerts")
@endpoint(status=201, fails=[404, 409])
@needs(TokenScope.ADMIN)
def create_alert(body: NewAlert) -> Located[AlertItem]:
    """Watch something.

    The rule is evaluated while some process does the background work.
    """
    given = body.model_dump(exclude_none=True)
    if body.project is not None:
        given["project"] = find_project(body.project)
    if body.deployment is not None:
        given["deployment"] = find_deployment(body.deployment).record
    if current_principal().is_bound and body.project is None and body.deployment is None:
        raise Refused(
            403,
            "forbidden",
            "A rule for everything concerns all teams, and this token is for one of them.",
            hint="Name a project or a deployment.",
        )
    rule = current_panel().admin.alerts.create(**given)
    return Located(AlertItem(alert=describe_alert(rule)), url_for(".show_alert", alert_id=rule.id))


@blueprint.get("/alerts/states")
@endpoint(conditional=True)
def list_states() -> AlertStateList:
    """List what each rule says of each of its deployments, what fires first."""
    return AlertStateList(states=read_states())


@blueprint.get("/alerts/messages")
@endpoint(conditional=True, fails=[404])
def list_messages(query: MessageQuery) -> MessageList:
    """List the messages of a rule, or of all, newest first. They are kept for 90 days."""
    return read_messages(query.alert, limit=query.limit)


@blueprint.get("/alerts/<alert_id>")
@endpoint(conditional=True, fails=[422])
def show_alert(alert_id: str) -> AlertItem:
    """Show a rule."""
    return AlertItem(alert=describe_alert(find_rule(alert_id)))


@blueprint.patch("/alerts/<alert_id>")
@endpoint(match=show_alert, fails=[409])
@needs(TokenScope.ADMIN)
def update_alert(alert_id: str, body: AlertChange) -> AlertItem:
    """Change a rule, or switch it on or off. Its kind and what it watches stay."""
    rule = find_rule(alert_id)
    changes = {name: value for name, value in body.changes().items() if value is not None or name in _REMOVABLE}
    enabled = changes.pop("enabled", None)
    if changes:
        rule = current_panel().admin.alerts.update(rule, **changes)
    if enabled is not None and enabled is not rule.enabled:
        rule = current_panel().admin.alerts.enable(rule) if enabled else current_panel().admin.alerts.disable(rule)
    return AlertItem(alert=describe_alert(rule))


@blueprint.delete("/alerts/<alert_id>")
@endpoint(status=204, match=show_alert, fails=[422])
@needs(TokenScope.ADMIN)
def delete_alert(alert_id: str) -> None:
    """Delete a rule with its states and messages; nobody is told."""
    current_panel().admin.alerts.delete(find_rule(alert_id))


@blueprint.post("/alerts/<alert_id>/test")
@endpoint(fails=[422])
@needs(TokenScope.ADMIN)
def send_test(alert_id: str) -> MessageItem:
    """Send a message that says that it is a test, and answer what became of it."""
    rule = find_rule(alert_id)
    return MessageItem(message=Message.of(current_panel().admin.alerts.test(rule), rule.name))
