"""Alert rules, what they last saw, and the messages to be sent."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from mastra_admin_sdk.models import AlertMessage, AlertRule, AlertState, AlertStatus, Cursor, DeliveryStatus


class AlertRuleRepository(ABC):
    """Alert rules. Those of a project or deployment go with it."""

    @abstractmethod
    def create(self, rule: AlertRule) -> AlertRule:
        """Store a new rule; `Conflict` when its name is taken, `NotFound` without its project or deployment."""

    @abstractmethod
    def get(self, rule_id: str) -> AlertRule:
        """Return a rule or raise `NotFound`."""

    @abstractmethod
    def get_by_name(self, name: str) -> AlertRule:
        """Return a rule or raise `NotFound`."""

    @abstractmethod
    def list(
        self, *, enabled: bool | None = None, limit: int | None = None, after: Cursor | None = None
    ) -> Sequence[AlertRule]:
        """Return all rules, or those that are switched on or off."""

    @abstractmethod
    def update(self, rule_id: str, **changes: Any) -> AlertRule:
        """Change fields of a rule."""

    @abstractmethod
    def delete(self, rule_id: str) -> None:
        """Remove a rule with its states and messages."""


class AlertStateRepository(ABC):
    """What each rule last saw of each of its subjects."""

    @abstractmethod
    def ensure(self, rule_id: str, subject: str) -> AlertState:
        """Return the state of a rule and subject, a new ``ok`` one if there is none; `NotFound` without the rule."""

    @abstractmethod
    def list(
        self, rule_id: str | None = None, *, statuses: Iterable[AlertStatus] | None = None
    ) -> Sequence[AlertState]:
        """Return states, of one rule or all."""

    @abstractmethod
    def change(self, state: AlertState, *, messages: Iterable[AlertMessage] = (), **changes: Any) -> AlertState:
        """Change fields, raise the generation by one, and queue messages, in one transaction.

        Only while the generation is still that of the argument; else `StaleState`: another process changed it, and
        neither the state nor the messages are stored.
        """

    @abstractmethod
    def delete(self, state_id: str) -> None:
        """Remove a state."""


class AlertMessageRepository(ABC):
    """Messages to webhooks: a queue, and afterwards the history."""

    @abstractmethod
    def create(self, message: AlertMessage) -> AlertMessage:
        """Store a message by itself; those that tell of a change come with `AlertStateRepository.change`."""

    @abstractmethod
    def get(self, message_id: str) -> AlertMessage:
        """Return a message or raise `NotFound`."""

    @abstractmethod
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
        """Return messages, of one rule or all, created at ``since`` or later and before ``until``."""

    @abstractmethod
    def list_due(self, at: datetime, *, limit: int) -> Sequence[AlertMessage]:
        """Return queued messages whose next try is due, oldest first.

        Of one rule and subject only the oldest that is queued: what it tells comes before what later ones do.
        """

    @abstractmethod
    def claim(self, message: AlertMessage, *, until: datetime) -> AlertMessage:
        """Take a message to send it: one more attempt, and nobody else's turn before ``until``.

        Only while it is queued and has the attempts of the argument; else `StaleState`.
        """

    @abstractmethod
    def update(self, message_id: str, **changes: Any) -> AlertMessage:
        """Change fields of a message, such as its status after a try."""

    @abstractmethod
    def prune(self, before: datetime) -> int:
        """Remove messages created before a time that aren't queued any more, and return how many."""
