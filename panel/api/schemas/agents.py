"""Agents of a deployment, and what they answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

from pydantic import Field

from .base import Answer, Body, Count, Name, Text

MOST_SECONDS = 300


class Agent(Answer):
    """An agent that the serving build has."""

    id: str = Field(examples=["weather"])
    name: str
    description: str
    model: str = Field(description="Its provider and model; empty when its server doesn't say.")
    tools: Sequence[str]


class AgentPage(Answer):
    """The agents of a deployment, as its server listed them when it went live."""

    agents: Sequence[Agent]


class Message(Body):
    """One turn of a conversation."""

    role: Literal["user", "assistant", "system"]
    content: Text


class Memory(Body):
    """Which conversation it belongs to, for agents that remember."""

    thread: Name
    resource: Name


class Generation(Body):
    """What an agent is asked."""

    messages: Text | Sequence[Message] = Field(
        description="A question, or the turns of a conversation.", examples=["What is the weather in Paris?"]
    )
    memory: Memory | None = None
    timeout: int = Field(120, ge=1, le=MOST_SECONDS, description="Seconds to wait for the answer.")


class Generated(Answer):
    """What an agent answered."""

    text: str
    trace_id: str | None = Field(description="The trace of what it did; null when it isn't traced.")
    finish_reason: str | None
    input_tokens: Count | None
    output_tokens: Count | None
    seconds: float = Field(description="How long it took, seen from the panel.")

    @classmethod
    def of(cls, answer: Mapping[str, Any], seconds: float) -> Self:
        """Return what Mastra's API answered; what isn't there, or isn't what it should be, is null."""
        usage = answer.get("usage")
        usage = usage if isinstance(usage, Mapping) else {}
        return cls(
            text=str(answer.get("text") or ""),
            trace_id=_read_text(answer.get("traceId")),
            finish_reason=_read_text(answer.get("finishReason")),
            input_tokens=_read_count(usage.get("inputTokens", usage.get("promptTokens"))),
            output_tokens=_read_count(usage.get("outputTokens", usage.get("completionTokens"))),
            seconds=round(seconds, 3),
        )


class GeneratedItem(Answer):
    """The answer of an agent."""

    answer: Generated


def _read_text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _read_count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else None
