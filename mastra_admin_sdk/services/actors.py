"""Who does something, and from where: what the audit log says of each event."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum


class Origin(StrEnum):
    """Where an action came from."""

    SDK = "sdk"
    CLI = "cli"
    PANEL = "panel"
    BACKGROUND = "background"
    WEBHOOK = "webhook"
    SCHEDULE = "schedule"
    WATCH = "watch"


@dataclass(frozen=True, slots=True)
class Acting:
    """Who acts in this thread instead of whom `MastraAdmin` was made for; ``None`` leaves it to that."""

    actor: str | None = None
    origin: str | None = None


_current: ContextVar[Acting | None] = ContextVar("mastra_admin_acting", default=None)


def who_acts() -> Acting:
    """Return who acts in this thread."""
    return _current.get() or Acting()


@contextmanager
def acting(*, actor: str | None = None, origin: Origin | str | None = None) -> Iterator[None]:
    """Let what is done in the ``with`` block, in this thread, be recorded under another name or origin."""
    outer = who_acts()
    token = _current.set(Acting(actor or outer.actor, origin or outer.origin))
    try:
        yield
    finally:
        _current.reset(token)
