"""Where a page of a list ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from mastra_admin_sdk.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a list that is newest first: after the record of this id, which came at this time.

    The record itself needn't be there any more, and what is added meanwhile moves nothing: it comes before the place.
    """

    at: datetime
    id: str

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise InvalidInput("A place in a list needs a time with a time zone.")

    @classmethod
    def of(cls, record: Any) -> Self:
        """Return the place after a record, such as the last one of a page.

        Parameters:
            record: anything that a storage lists: a team, a build, an event (which goes by its ``time``) …

        Example:
            >>> page = admin.events.list(limit=100)
            >>> older = admin.events.list(limit=100, after=Cursor.of(page[-1]))
        """
        return cls(getattr(record, "time", None) or record.created_at, record.id)
