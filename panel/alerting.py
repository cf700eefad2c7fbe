"""Alert rules within what whoever asks may see, as the API shows them: for its views, and for the page.

Whoever is bound to a team sees rules for its projects and deployments alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mastra_admin_sdk.errors import NotFound
from mastra_admin_sdk.models import AlertRule

from .api.schemas.alerts import Alert, AlertState, Message, MessageList
from .context import current_panel
from .lookup import visible_projects
from .principals import current_principal


def visible_rules() -> list[AlertRule]:
    """Return the rules that whoever asks may see, newest first."""
    rules = list(current_panel().admin.alerts.list())
    if not current_principal().is_bound:
        return rules
    projects = {project.id for project in visible_projects()}
    return [rule for rule in rules if _find_project_id(rule) in projects]


def find_rule(reference: str) -> AlertRule:
    """Return a rule by its id, its beginning or its name, if whoever asks may see it."""
    if not current_principal().is_bound:
        return current_panel().admin.alerts.get(reference)
    found = [rule for rule in visible_rules() if reference in (rule.id, rule.name)]
    if not found:
        raise NotFound(f"There is no alert {reference[:100]!r}.")
    return found[0]


def read_alerts() -> list[Alert]:
    """Return the rules that whoever asks may see, newest first, as the API shows them."""
    firing = _count_firing()
    return [describe_alert(rule, firing) for rule in visible_rules()]


def read_states() -> list[AlertState]:
    """Return what these rules say of each of their deployments, what fires first."""
    seen = {rule.id for rule in visible_rules()}
    rows = [_clean(row) for row in current_panel().admin.alerts.states().to_dict("records")]
    return [_make_state(row) for row in rows if row["alert_id"] in seen]


def read_messages(reference: str | None = None, *, limit: int) -> MessageList:
    """Return the messages of one of these rules, or of all, newest first."""
    rule = find_rule(reference) if reference is not None else None
    seen = {item.id for item in visible_rules()}
    frame = current_panel().admin.alerts.history(rule, limit=limit)
    rows = [_clean(row) for row in frame.to_dict("records")]
    messages = [_make_message(row) for row in rows if row["alert_id"] in seen]
    return MessageList(messages=messages, truncated=bool(frame.attrs["truncated"]))


def describe_alert(rule: AlertRule, firing: Mapping[str, int] | None = None) -> Alert:
    """Return a rule as the API shows it.

    Parameters:
        firing: for how many deployments each rule fires, by its id; it is looked up unless given.
    """
    firing = _count_firing() if firing is None else firing
    row = current_panel().admin.alerts.describe(rule)
    return Alert(
        id=rule.id,
        name=rule.name,
        kind=rule.kind,
        threshold=rule.threshold,
        window_seconds=rule.window_seconds,
        project=row["project"],
        deployment=row["deployment"],
        project_id=rule.project_id,
        deployment_id=rule.deployment_id,
        enabled=rule.enabled,
        webhook=row["webhook"],
        firing=firing.get(rule.id, 0),
        options=row["options"],
        created_at=rule.created_at,
        updated_at=rule.updated_at,
    )


def _find_project_id(rule: AlertRule) -> str | None:
    if rule.deployment_id is None:
        return rule.project_id
    try:
        return current_panel().admin.storage.deployments.get(rule.deployment_id).project_id
    except NotFound:  # it was deleted, and the rule goes with it
        return None


def _count_firing() -> dict[str, int]:
    frame = current_panel().admin.alerts.states(firing=True)
    return {str(rule): int(count) for rule, count in frame["alert_id"].value_counts().items()}


def _make_state(row: Mapping[str, Any]) -> AlertState:
    return AlertState(**{name: row[name] for name in AlertState.model_fields})


def _make_message(row: Mapping[str, Any]) -> Message:
    renamed = {**row, "id": row["message_id"]}
    return Message(**{name: renamed[name] for name in Message.model_fields})


def _clean(row: Mapping[Any, Any]) -> dict[str, Any]:
    """A row of a DataFrame, without what pandas has for "nothing"."""
    return {str(name): None if value is None or value != value else value for name, value in row.items()}
