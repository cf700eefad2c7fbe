"""Environment variables. Values of secret ones come in and never go out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Self

from pydantic import Field

from mastra_admin_sdk import models

from .base import Answer, Body, Moment, Name, Query

Value = Annotated[str, Field(max_length=200_000, pattern=r"^[^\x00]*$")]
"""The value of a variable."""


class Variable(Answer):
    """One variable."""

    key: str = Field(examples=["OPENAI_API_KEY"])
    value: str | None = Field(description="Null for a secret: it is never told.")
    is_secret: bool


class Environment(Answer):
    """The variables of a project, or the overrides of a deployment."""

    version: int = Field(description="Each change makes one.")
    variables: Sequence[Variable]

    @classmethod
    def of(cls, version: int, own: Iterable[models.EnvVar], shown: Mapping[str, str]) -> Self:
        """Return variables by name; ``shown`` are values as the SDK shows them, none of them secret."""
        variables = [
            Variable(key=item.key, value=None if item.is_secret else shown.get(item.key, ""), is_secret=item.is_secret)
            for item in sorted(own, key=lambda item: item.key)
        ]
        return cls(version=version, variables=variables)


class EnvironmentItem(Answer):
    """Variables."""

    env: Environment


class EnvironmentChange(Body):
    """Variables to set, or to remove."""

    variables: dict[str, Value | None] = Field(
        max_length=1000, description="Values by name; null removes one.", examples=[{"LOG_LEVEL": "debug"}]
    )
    secret: bool = Field(True, description="Secret values are hidden everywhere, and kept from the build.")


class EnvironmentVersion(Answer):
    """What the variables were from a time on, by name; no values."""

    version: str = Field(examples=["3", "3.1"])
    changed_at: Moment | None
    actor: str | None
    changed: str = Field(description="Whose variables were changed: `project` or `deployment`.")
    keys: Sequence[str]


class EnvironmentVersionList(Answer):
    """All versions, newest first."""

    versions: Sequence[EnvironmentVersion]


class EnvironmentDiffQuery(Query):
    """Which versions to compare."""

    before: Name = Field(description="Such as `2`, or of a deployment `2.1`.")
    after: Name = Field(description="Such as `3`, or of a deployment `3.1`.")


class VariableChange(Answer):
    """A variable that two versions differ in."""

    key: str
    change: str = Field(description="`added`, `removed` or `changed`.")
    is_secret: bool


class EnvironmentDiff(Answer):
    """What two versions differ in; never a value."""

    changes: Sequence[VariableChange]
