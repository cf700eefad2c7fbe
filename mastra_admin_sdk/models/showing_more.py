"""What records beside those of `entities` show of themselves: alerts, datasets, members, tokens, what sources found."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mastra_admin_sdk.display.shown import Card
from mastra_admin_sdk.display.text import format_bytes, format_duration
from mastra_admin_sdk.display.values import Code, hide_login

from .showing import show_id, show_text, show_time

if TYPE_CHECKING:
    from .alerts import AlertMessage, AlertRule, AlertState
    from .datasets import Dataset, DatasetItem
    from .members import Member
    from .tokens import Token
    from .work import LogLine, Removal, SkippedFolder, SourceProject


def describe_rule(rule: AlertRule) -> Card:
    """Return what is shown of an alert's rule; of its webhook only that there is one."""
    return Card(
        "Alert",
        rule.name,
        "enabled" if rule.enabled else "disabled",
        facts=(
            ("watches", str(rule.kind)),
            ("threshold", f"{rule.threshold:g}"),
            ("window", format_duration(rule.window_seconds)),
            ("webhook", "yes" if rule.webhook_url else None),
            ("created", show_time(rule.created_at)),
            ("id", show_id(rule.id)),
        ),
        note=f"{rule.kind} ≥ {rule.threshold:g} in {format_duration(rule.window_seconds)}",
        tries=("admin.alerts.states()", f'admin.alerts.history("{rule.name}")'),
    )


def describe_alert_state(state: AlertState) -> Card:
    """Return what a rule says of one subject."""
    return Card(
        "AlertState",
        show_id(state.subject) or "home",
        str(state.status),
        facts=(
            ("value", None if state.value is None else f"{state.value:g}"),
            ("since", show_time(state.since)),
            ("evaluated", show_time(state.evaluated_at)),
            ("told", state.notifications),
        ),
    )


def describe_alert_message(message: AlertMessage) -> Card:
    """Return what is shown of a message that went out."""
    return Card(
        "AlertMessage",
        str(message.event),
        str(message.status),
        facts=(
            ("text", show_text(message.payload.get("text"))),
            ("attempts", message.attempts),
            ("delivered", show_time(message.delivered_at)),
            ("error", message.error),
        ),
    )


def describe_dataset(dataset: Dataset) -> Card:
    """Return what is shown of a dataset."""
    return Card(
        "Dataset",
        dataset.name,
        facts=(
            ("description", dataset.description),
            ("created", show_time(dataset.created_at)),
            ("changed", show_time(dataset.updated_at)),
            ("id", show_id(dataset.id)),
        ),
    )


def describe_item(item: DatasetItem) -> Card:
    """Return what is shown of an item of a dataset."""
    return Card(
        "DatasetItem",
        show_id(item.id) or "",
        facts=(
            ("target", item.target),
            ("input", show_text(item.input)),
            ("expected", show_text(item.expected)),
            ("trace", show_id(item.source_trace_id)),
            ("created", show_time(item.created_at)),
        ),
        note=show_text(item.input) or "",
    )


def describe_member(member: Member) -> Card:
    """Return what is shown of a member of a team."""
    return Card(
        "Member",
        member.email,
        facts=(("role", str(member.role)), ("since", show_time(member.created_at)), ("id", show_id(member.id))),
        note=str(member.role),
    )


def describe_token(token: Token) -> Card:
    """Return what is shown of a token; its secret is kept nowhere, and its digest isn't shown."""
    scopes = ", ".join(map(str, token.scopes))
    return Card(
        "Token",
        token.name,
        name_token_state(token),
        facts=(
            ("scopes", scopes),
            ("created", show_time(token.created_at)),
            ("last used", show_time(token.last_used_at)),
            ("expires", show_time(token.expires_at)),
            ("revoked", show_time(token.revoked_at)),
            ("id", show_id(token.id)),
        ),
        note=scopes,
    )


def name_token_state(token: Token) -> str:
    """Return ``active``, ``expired`` or ``revoked``, as it is now."""
    if token.revoked_at is not None:
        return "revoked"
    return "expired" if token.expires_at is not None and token.expires_at <= datetime.now(UTC) else "active"


def describe_source(project: SourceProject) -> Card:
    """Return what is shown of a project that a source found."""
    revision = " ".join(each for each in (project.git_branch or "", show_id(project.git_commit) or "") if each)
    return Card(
        "SourceProject",
        project.name,
        facts=(
            ("version", project.version),
            ("Mastra", project.mastra_version),
            ("packages", str(project.package_manager)),
            ("git", f"{revision}{' (changed)' if project.git_dirty else ''}" if revision else None),
            ("env files", ", ".join(project.env_files)),
            ("path", hide_login(project.path)),
        ),
        note=hide_login(project.path),
        tries=(f'admin.projects.create("<team>", source="{project.name}")',),
    )


def describe_skipped(folder: SkippedFolder) -> Card:
    """Return what is shown of a folder that a scan passed over."""
    return Card("SkippedFolder", folder.path, facts=(("reason", folder.reason),), note=f"({folder.reason})")


def describe_removal(removal: Removal) -> Card:
    """Return what is shown of something that was removed."""
    size = format_bytes(removal.bytes)
    return Card(
        "Removal",
        removal.what,
        facts=(("size", size), ("reason", removal.reason), ("path", Code(removal.path))),
        note=f"{size} ({removal.reason})",
    )


def describe_line(line: LogLine) -> Card:
    """Return what is shown of a line of a log."""
    return Card(
        "LogLine",
        str(line.number),
        facts=(("time", show_time(line.time)), ("stream", line.stream), ("text", Code(line.text))),
        note=line.text,
    )
