"""Alerts, datasets, members and tokens in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from mastra_admin_sdk.errors import InvalidInput, NotFound, StaleState
from mastra_admin_sdk.models import (
    AlertMessage,
    AlertRule,
    AlertState,
    AlertStatus,
    Cursor,
    Dataset,
    DatasetItem,
    DeliveryStatus,
    Deployment,
    Member,
    Project,
    Team,
    Token,
)
from mastra_admin_sdk.ports.storage import (
    AlertMessageRepository,
    AlertRuleRepository,
    AlertStateRepository,
    DatasetItemRepository,
    DatasetRepository,
    MemberRepository,
    TokenRepository,
)

from .memory_tables import Memory, MemoryTable, Rule, list_statuses

QUEUED = DeliveryStatus.QUEUED


class FakeAlertRules(AlertRuleRepository):
    def __init__(self, memory: Memory) -> None:
        self._table = MemoryTable(
            memory,
            AlertRule,
            frozen=("id", "created_at", "updated_at"),
            rules=[Rule(("name",), "There is an alert rule with the name {0.name!r} already.")],
            parents={"project_id": Project, "deployment_id": Deployment},
        )

    def create(self, rule: AlertRule) -> AlertRule:
        return self._table.insert(rule)

    def get(self, rule_id: str) -> AlertRule:
        return self._table.get(rule_id)

    def get_by_name(self, name: str) -> AlertRule:
        return self._table.find(name=name)

    def list(
        self, *, enabled: bool | None = None, limit: int | None = None, after: Cursor | None = None
    ) -> Sequence[AlertRule]:
        return self._table.select(lambda rule: enabled in (None, rule.enabled), limit=limit, after=after)

    def update(self, rule_id: str, **changes: Any) -> AlertRule:
        return self._table.update(rule_id, changes)

    def delete(self, rule_id: str) -> None:
        self._table.delete(rule_id)


class FakeAlertMessages(AlertMessageRepository):
    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._table = MemoryTable(
            memory,
            AlertMessage,
            frozen=("id", "rule_id", "created_at"),
            parents={"rule_id": AlertRule},
            ties=("sequence",),
        )

    def create(self, message: AlertMessage) -> AlertMessage:
        return self._table.insert(message)

    def get(self, message_id: str) -> AlertMessage:
        return self._table.get(message_id)

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
        wanted = list_statuses(DeliveryStatus, DeliveryStatus if statuses is None else statuses)
        return self._table.select(
            lambda message: (
                rule_id in (None, message.rule_id)
                and message.status in wanted
                and (since is None or message.created_at >= since)
                and (until is None or message.created_at < until)
            ),
            limit=limit,
            after=after,
        )

    def list_due(self, at: datetime, *, limit: int) -> Sequence[AlertMessage]:
        with self._memory.locked():
            oldest: dict[tuple[str, str], AlertMessage] = {}
            for message in self._table.records.values():
                if message.status is QUEUED:
                    oldest.setdefault((message.rule_id, message.subject), message)
            return [message for message in oldest.values() if message.next_attempt_at <= at][:limit]

    def claim(self, message: AlertMessage, *, until: datetime) -> AlertMessage:
        def guard(current: AlertMessage) -> None:
            if current.status is not QUEUED or current.attempts != message.attempts:
                raise StaleState(f"The alert message {message.id} was taken by somebody else.")

        changes = {"attempts": message.attempts + 1, "next_attempt_at": until}
        return self._table.update(message.id, changes, guard)

    def update(self, message_id: str, **changes: Any) -> AlertMessage:
        return self._table.update(message_id, changes)

    def prune(self, before: datetime) -> int:
        with self._memory.locked():
            old = [one for one in self.list(until=before) if one.status is not QUEUED]
            for message in old:
                self._table.delete(message.id)
            return len(old)


class FakeAlertStates(AlertStateRepository):
    def __init__(self, memory: Memory, messages: FakeAlertMessages) -> None:
        self._memory, self._messages = memory, messages
        self._table = MemoryTable(
            memory,
            AlertState,
            frozen=("id", "rule_id", "subject", "generation", "created_at", "updated_at"),
            parents={"rule_id": AlertRule},
        )

    def ensure(self, rule_id: str, subject: str) -> AlertState:
        with self._memory.locked():
            try:
                return self._table.find(rule_id=rule_id, subject=subject)
            except NotFound:
                return self._table.insert(AlertState(rule_id, subject))

    def list(
        self, rule_id: str | None = None, *, statuses: Iterable[AlertStatus] | None = None
    ) -> Sequence[AlertState]:
        wanted = list_statuses(AlertStatus, AlertStatus if statuses is None else statuses)
        return self._table.select(lambda state: rule_id in (None, state.rule_id) and state.status in wanted)

    def change(self, state: AlertState, *, messages: Iterable[AlertMessage] = (), **changes: Any) -> AlertState:
        def guard(current: AlertState) -> None:
            if current.generation != state.generation:
                raise StaleState(f"The state of the alert rule {state.rule_id} was changed by somebody else.")

        with self._memory.locked(), self._table.all_or_nothing():
            guard(self._table.get(state.id))
            self._table.update(state.id, changes)
            for message in messages:
                self._messages.create(message)
            return self._table.put(self._table.get(state.id), generation=state.generation + 1)

    def delete(self, state_id: str) -> None:
        self._table.delete(state_id)


class FakeDatasets(DatasetRepository):
    def __init__(self, memory: Memory) -> None:
        rules = [Rule(("name",), "There is a dataset with the name {0.name!r} already.")]
        self._table = MemoryTable(memory, Dataset, frozen=("id", "created_at", "updated_at"), rules=rules)

    def create(self, dataset: Dataset) -> Dataset:
        return self._table.insert(dataset)

    def get(self, dataset_id: str) -> Dataset:
        return self._table.get(dataset_id)

    def get_by_name(self, name: str) -> Dataset:
        return self._table.find(name=name)

    def list(self, *, limit: int | None = None, after: Cursor | None = None) -> Sequence[Dataset]:
        return self._table.select(limit=limit, after=after)

    def update(self, dataset_id: str, **changes: Any) -> Dataset:
        return self._table.update(dataset_id, changes)

    def delete(self, dataset_id: str) -> None:
        self._table.delete(dataset_id)

    def move(self, dataset_id: str) -> None:
        """Move ``updated_at``."""
        self._table.put(self._table.get(dataset_id))


class FakeDatasetItems(DatasetItemRepository):
    def __init__(self, memory: Memory, datasets: FakeDatasets) -> None:
        self._memory, self._datasets = memory, datasets
        self._table = MemoryTable(
            memory,
            DatasetItem,
            frozen=("id", "dataset_id", "created_at", "updated_at"),
            parents={"dataset_id": Dataset},
        )

    def add(self, items: Iterable[DatasetItem]) -> int:
        new = [*items]
        with self._memory.locked(), self._table.all_or_nothing():
            for item in new:
                self._table.insert(item)
            for dataset_id in {item.dataset_id for item in new}:
                self._datasets.move(dataset_id)
        return len(new)

    def get(self, item_id: str) -> DatasetItem:
        return self._table.get(item_id)

    def list(self, dataset_id: str, *, limit: int | None = None, offset: int = 0) -> Sequence[DatasetItem]:
        if offset < 0 or (limit is not None and limit < 0):
            raise InvalidInput("A limit or offset can't be negative.")
        with self._memory.locked():
            items = [item for item in self._table.records.values() if item.dataset_id == dataset_id]
            return items[offset : None if limit is None else offset + limit]

    def count(self, dataset_id: str) -> int:
        return len(self.list(dataset_id))

    def update(self, item_id: str, **changes: Any) -> DatasetItem:
        return self._table.update(item_id, changes)

    def delete(self, item_id: str) -> None:
        self._table.delete(item_id)


class FakeMembers(MemberRepository):
    def __init__(self, memory: Memory) -> None:
        self._table = MemoryTable(
            memory,
            Member,
            frozen=("id", "team_id", "created_at", "updated_at"),
            rules=[Rule(("team_id", "email"), "The team has a member {0.email!r} already.")],
            parents={"team_id": Team},
        )

    def create(self, member: Member) -> Member:
        return self._table.insert(member)

    def get(self, member_id: str) -> Member:
        return self._table.get(member_id)

    def list(
        self,
        team_id: str | None = None,
        *,
        email: str | None = None,
        limit: int | None = None,
        after: Cursor | None = None,
    ) -> Sequence[Member]:
        return self._table.select(
            lambda member: team_id in (None, member.team_id) and email in (None, member.email),
            limit=limit,
            after=after,
        )

    def update(self, member_id: str, **changes: Any) -> Member:
        return self._table.update(member_id, changes)

    def delete(self, member_id: str) -> None:
        self._table.delete(member_id)


class FakeTokens(TokenRepository):
    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._table = MemoryTable(
            memory,
            Token,
            frozen=("id", "digest", "created_at"),
            rules=[
                Rule(("digest",), "There is a token with that digest already."),
                Rule(("name",), "There is a token {0.name!r} already.", lambda token: token.revoked_at is None),
            ],
            parents={"team_id": Team, "project_id": Project, "member_id": Member},
        )

    def create(self, token: Token) -> Token:
        with self._memory.locked():
            for other in self._table.select(lambda one: one.name == token.name and one.revoked_at is None):
                if other.expires_at is not None and other.expires_at <= token.created_at:
                    self._table.put(other, revoked_at=other.expires_at)
            return self._table.insert(token)

    def get(self, token_id: str) -> Token:
        return self._table.get(token_id)

    def get_by_digest(self, digest: str) -> Token:
        return self._table.find(digest=digest)

    def list(
        self,
        *,
        team_id: str | None = None,
        member_id: str | None = None,
        limit: int | None = None,
        after: Cursor | None = None,
    ) -> Sequence[Token]:
        projects = {item.id for item in self._memory.tables[Project].records.values() if item.team_id == team_id}
        return self._table.select(
            lambda token: (
                (team_id in (None, token.team_id) or token.project_id in projects)
                and member_id in (None, token.member_id)
            ),
            limit=limit,
            after=after,
        )

    def update(self, token_id: str, **changes: Any) -> Token:
        return self._table.update(token_id, changes)

    def touch(self, token_id: str, at: datetime) -> None:
        with self._memory.locked():
            for token in self._table.select(lambda one: one.id == token_id):
                if token.last_used_at is None or token.last_used_at < at:
                    self._table.put(token, last_used_at=at)

    def delete(self, token_id: str) -> None:
        self._table.delete(token_id)
