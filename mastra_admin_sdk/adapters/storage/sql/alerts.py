"""Alert rules, their states, and messages to webhooks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, exists, insert, select, update

from mastra_admin_sdk.errors import MastraAdminError, StaleState
from mastra_admin_sdk.models import AlertMessage, AlertRule, AlertState, AlertStatus, Cursor, DeliveryStatus
from mastra_admin_sdk.ports.storage import AlertMessageRepository, AlertRuleRepository, AlertStateRepository

from . import tables
from .repository import Row, SqlRepository
from .rows import Codec, encode_statuses
from .upsert import make_insert_if_new

_message_codec = Codec(AlertMessage, frozen=("id", "rule_id", "created_at"))


class SqlAlertRules(SqlRepository[AlertRule], AlertRuleRepository):
    """Alert rules."""

    table = tables.alert_rules
    codec = Codec(AlertRule, frozen=("id", "created_at", "updated_at"))

    def create(self, rule: AlertRule) -> AlertRule:
        return self._insert(rule, conflict=_describe_conflict(rule.name), missing=_NO_SUBJECT)

    def get(self, rule_id: str) -> AlertRule:
        return self._get_by_id(rule_id)

    def get_by_name(self, name: str) -> AlertRule:
        return self._get(f"the name {name!r}", self.table.c.name == name)

    def list(
        self, *, enabled: bool | None = None, limit: int | None = None, after: Cursor | None = None
    ) -> Sequence[AlertRule]:
        statement = self._select_newest_first(after)
        return self._fetch(statement if enabled is None else statement.where(self.table.c.enabled.is_(enabled)), limit)

    def update(self, rule_id: str, **changes: Any) -> AlertRule:
        return self._update(rule_id, changes, conflict=_describe_conflict(changes.get("name")), missing=_NO_SUBJECT)

    def delete(self, rule_id: str) -> None:
        self._delete(rule_id)


_NO_SUBJECT = "An alert rule needs a project or deployment that exists, or none."


def _describe_conflict(name: str | None) -> str:
    return f"There is an alert rule with the name {name!r} already."


class SqlAlertStates(SqlRepository[AlertState], AlertStateRepository):
    """States of alert rules."""

    table = tables.alert_states
    codec = Codec(AlertState, frozen=("id", "rule_id", "subject", "generation", "created_at", "updated_at"))

    def ensure(self, rule_id: str, subject: str) -> AlertState:
        columns = self.table.c
        wanted = select(self.table).where(columns.rule_id == rule_id, columns.subject == subject)
        row = self._database.read(lambda c: c.execute(wanted).mappings().one_or_none())
        if row is None:
            new = self.codec.encode(AlertState(rule_id, subject))
            addition = make_insert_if_new(self._database, self.table, new, keys=["rule_id", "subject"])

            def work(connection: Connection) -> Row:
                connection.execute(addition)
                return connection.execute(wanted).mappings().one()

            row = self._database.write(work, missing=f"There is no alert rule with the id {rule_id!r}.")
        return self.codec.decode(row)

    def list(
        self, rule_id: str | None = None, *, statuses: Iterable[AlertStatus] | None = None
    ) -> Sequence[AlertState]:
        statement = self._select_newest_first()
        if rule_id is not None:
            statement = statement.where(self.table.c.rule_id == rule_id)
        if statuses is not None:
            statement = statement.where(self.table.c.status.in_(encode_statuses(AlertStatus, statuses)))
        return self._fetch(statement)

    def change(self, state: AlertState, *, messages: Iterable[AlertMessage] = (), **changes: Any) -> AlertState:
        columns = self.table.c
        values = self.codec.encode_changes(changes) | self._touch() | {"generation": state.generation + 1}
        statement = update(self.table).where(columns.id == state.id, columns.generation == state.generation)
        queued = [_message_codec.encode(message) for message in messages]

        def work(connection: Connection) -> Row:
            row = self._change(connection, state.id, statement.values(values), _explain_stale)
            for message in queued:
                connection.execute(insert(tables.alert_messages).values(message))
            return row

        conflict = "There is an alert message with that id already."
        return self.codec.decode(self._database.write(work, conflict=conflict, missing="A message needs its rule."))

    def delete(self, state_id: str) -> None:
        self._delete(state_id)


def _explain_stale(row: Row) -> MastraAdminError:
    return StaleState(
        f"The state of the alert rule {row['rule_id']} was changed by somebody else: it is {row['status']}.",
        hint="Read it again.",
    )


class SqlAlertMessages(SqlRepository[AlertMessage], AlertMessageRepository):
    """Messages to webhooks."""

    table = tables.alert_messages
    codec = _message_codec
    ties = ("sequence",)

    def create(self, message: AlertMessage) -> AlertMessage:
        return self._insert(
            message,
            conflict=f"There is an alert message with the id {message.id!r} already.",
            missing=f"There is no alert rule with the id {message.rule_id!r}.",
        )

    def get(self, message_id: str) -> AlertMessage:
        return self._get_by_id(message_id)

    def list(
        self,
        rule_id: str | None = None,
        *,
        statuses: Iterable[DeliveryStatus] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        after: Cursor | None = None,
    ) -> Sequence[AlertMessage]:
        columns = self.table.c
        statement = self._select_newest_first(after)
        if rule_id is not None:
            statement = statement.where(columns.rule_id == rule_id)
        if statuses is not None:
            statement = statement.where(columns.status.in_(encode_statuses(DeliveryStatus, statuses)))
        if since is not None:
            statement = statement.where(columns.created_at >= since)
        if until is not None:
            statement = statement.where(columns.created_at < until)
        return self._fetch(statement, limit)

    def list_due(self, at: datetime, *, limit: int) -> Sequence[AlertMessage]:
        columns, former = self.table.c, self.table.alias("former")
        earlier = exists().where(
            former.c.rule_id == columns.rule_id,
            former.c.subject == columns.subject,
            former.c.status == DeliveryStatus.QUEUED.value,
            former.c.sequence < columns.sequence,
        )
        statement = select(self.table).where(
            columns.status == DeliveryStatus.QUEUED.value, columns.next_attempt_at <= at, ~earlier
        )
        return self._fetch(statement.order_by(columns.sequence), limit)

    def claim(self, message: AlertMessage, *, until: datetime) -> AlertMessage:
        columns = self.table.c
        only = [columns.status == DeliveryStatus.QUEUED.value, columns.attempts == message.attempts]
        changes = {"attempts": message.attempts + 1, "next_attempt_at": until}
        return self._update(message.id, changes, only=only, refusal=_explain_claimed)

    def update(self, message_id: str, **changes: Any) -> AlertMessage:
        return self._update(message_id, changes)

    def prune(self, before: datetime) -> int:
        columns = self.table.c
        statement = delete(self.table).where(columns.created_at < before, columns.status != DeliveryStatus.QUEUED.value)
        return self._database.write(lambda c: c.execute(statement).rowcount)


def _explain_claimed(row: Row) -> MastraAdminError:
    return StaleState(f"The alert message {row['id']} was taken by somebody else: it is {row['status']}.")
