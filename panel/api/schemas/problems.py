"""Errors: one shape for all of them."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from .base import Answer


class Problem(Answer):
    """What went wrong and what to do about it."""

    code: str = Field(description="A name for programs.", examples=["not_found", "invalid_input", "conflict"])
    message: str = Field(description="What was attempted, on what, and what happened.")
    hint: str = Field(description="What to do next; empty when nothing sensible can be said.")
    details: dict[str, Any] = Field(
        description="Facts that prove it; `fields` says of each field of the request what is wrong with it."
    )


class ProblemItem(Answer):
    """The answer to a request that failed."""

    error: Problem
