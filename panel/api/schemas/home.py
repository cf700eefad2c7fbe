"""The home: what could be removed, how it does, what is set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from pydantic import Field

from mastra_admin_sdk import models
from mastra_admin_sdk.services.doctor import Check as SdkCheck
from mastra_admin_sdk.services.keeping.removals import Removals

from .base import Answer, Body, Count


class Removal(Answer):
    """Something that was removed, or would be."""

    what: str
    reason: str
    path: str
    bytes: int

    @classmethod
    def of(cls, removal: models.Removal) -> Self:
        """Return a removal as the API shows it."""
        return cls(what=removal.what, reason=removal.reason, path=removal.path, bytes=removal.bytes)


class Collection(Answer):
    """What a collection removed, or would remove."""

    title: str = Field(examples=["Removed 3 things, 1.2 GB"])
    dry_run: bool
    bytes: int = Field(description="What all of it frees.")
    count: Count
    removals: Sequence[Removal] = Field(description="The first 200 of them.")
    problems: Sequence[str] = Field(description="What could not be removed, and why.")

    @classmethod
    def of(cls, found: Removals) -> Self:
        """Return what a collection removed."""
        shown = [Removal.of(item) for item in found[:200]]
        return cls(
            title=found.title,
            dry_run=found.dry_run,
            bytes=found.bytes,
            count=len(found),
            removals=shown,
            problems=found.problems,
        )


class CollectionItem(Answer):
    """One collection."""

    collection: Collection


class CollectionRequest(Body):
    """How to collect."""

    dry_run: bool = Field(True, description="Remove nothing, and say what would be removed.")


class Check(Answer):
    """One check of the doctor."""

    name: str
    ok: bool
    text: str
    hint: str = Field(description="How to mend what isn't ok.")

    @classmethod
    def of(cls, check: SdkCheck) -> Self:
        """Return a check as the API shows it."""
        return cls(name=check.name, ok=check.ok, text=check.text, hint=check.hint)


class CheckList(Answer):
    """All checks."""

    ok: bool = Field(description="Whether nothing has to be mended.")
    checks: Sequence[Check]


class DiskPart(Answer):
    """A part of the home."""

    part: str
    path: str
    bytes: int
    files: Count


class Disk(Answer):
    """How much room the home takes."""

    free: int = Field(description="Bytes that are free on its disk.")
    total: int = Field(description="Bytes that the disk has.")
    bytes: int = Field(description="Bytes that the parts take together.")
    parts: Sequence[DiskPart]


class DiskItem(Answer):
    """The disk."""

    disk: Disk


class SettingValue(Answer):
    """A setting: what it is, and from where."""

    name: str
    value: Any = Field(description="As it is in force; `null` for a secret that is set.")
    default: Any
    source: str = Field(examples=["default", "environment", "settings.toml", "argument"])
    env: str = Field(description="The environment variable that sets it.")
    help: str
    secret: bool


class SettingList(Answer):
    """All settings."""

    settings: Sequence[SettingValue]
