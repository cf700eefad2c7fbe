"""What all models of the API are made of: how they read what comes in, and the types of their fields."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

LARGEST = 2**53 - 1
"""The largest whole number that every reader of JSON takes without rounding it."""
MOST_TEXT = 10_000
"""Characters of a text unless its field says otherwise."""

_NO_NUL = r"^[^\x00]*$"
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d", re.ASCII)


class Answer(BaseModel):
    """What the API answers, or a part of it."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="null")

    def to_json(self) -> dict[str, Any]:
        """Return it as templates and scripts get it: only what JSON knows."""
        return self.model_dump(mode="json")


class Body(BaseModel):
    """What a request brings: strict, so that a number isn't taken for a text, and with no fields but these."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    def changes(self) -> dict[str, Any]:
        """Return the fields that were sent, by name: in a PATCH all others stay as they are."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class Query(Body):
    """The parameters of a query. A parameter that isn't one of the fields is refused."""


def _to_text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


Moment = Annotated[
    datetime,
    PlainSerializer(_to_text, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-23T11:30:05.123+00:00"]}),
]
"""A time in an answer: UTC, to the millisecond."""

Text = Annotated[str, Field(max_length=MOST_TEXT, pattern=_NO_NUL)]
"""A text in a request. No database and no program takes a NUL in one."""

Name = Annotated[str, Field(min_length=1, max_length=200, pattern=_NO_NUL)]
"""A name or slug in a request."""

Reference = Annotated[str, Field(min_length=1, max_length=200, pattern=_NO_NUL)]
"""What names a team, project, deployment, build or process: an id, or what the SDK takes beside it."""

Count = Annotated[int, Field(ge=0, le=LARGEST)]
"""A whole number from 0."""


def _read_time(value: object) -> datetime:
    """Return a time of a request. Left to itself, pydantic would take numbers for seconds since 1970."""
    if not isinstance(value, str) or not _TIME.match(value):
        raise ValueError("It takes a time with its zone, such as 2026-11-23T12:00:00Z.")
    moment = datetime.fromisoformat(value)
    # Databases and DataFrames hold neither the first nor the last of the years that Python does.
    if moment.tzinfo is None or not 1970 <= moment.year <= 2200:
        raise ValueError("It takes a time with its zone, from 1970 to 2200.")
    return moment


When = Annotated[datetime, BeforeValidator(_read_time), WithJsonSchema({"type": "string", "format": "date-time"})]
"""A time in a request: ISO 8601 with its offset."""


class PageQuery(Query):
    """A page of a list, newest first."""

    limit: int = Field(100, ge=1, le=1000, description="How many items at most.")
    cursor: str | None = Field(
        None, min_length=1, max_length=1000, pattern=r"^[A-Za-z0-9_-]+$", description="`next` of the page before."
    )


class Page(Answer):
    """A page of a list; each kind adds its items."""

    next: str | None = Field(description="`cursor` of the next page; null on the last one.")
