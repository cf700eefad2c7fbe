"""Builds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from pydantic import Field

from mastra_admin_sdk import models
from mastra_admin_sdk.services.builds.diffs import BuildDiff

from .base import Answer, Moment, Page, PageQuery, Query, Reference, When
from .problems import Problem


class Build(Answer):
    """One attempt to put a source live, numbered in its deployment."""

    id: str
    deployment_id: str
    number: int
    kind: models.BuildKind
    trigger: models.BuildTrigger
    status: models.BuildStatus
    is_final: bool = Field(description="It has ended, whichever way.")
    cancel_requested: bool
    phases: dict[str, float] = Field(description="Seconds by phase, in their order; one that runs reads 0.")
    seconds: float | None = Field(description="From its start to its end; null until then.")
    error: Problem | None
    notes: Sequence[str]
    actor: str | None = Field(description="Who asked for it.")
    ref: str | None = Field(description="What was asked for of a repository.")
    commit: str | None
    fresh: bool = Field(description="Made from nothing: no cache was used.")
    env_version: str | None = Field(description="Version of the variables it ran with, such as 3.1.")
    artifact_build_id: str | None = Field(description="The build whose artifact it runs.")
    queued_at: Moment
    started_at: Moment | None
    completed_at: Moment | None

    @classmethod
    def of(cls, build: models.Build) -> Self:
        """Return a build as the API shows it; the environment it ran with is not in it."""
        return cls(
            id=build.id,
            deployment_id=build.deployment_id,
            number=build.number,
            kind=build.kind,
            trigger=build.trigger,
            status=build.status,
            is_final=build.is_final,
            cancel_requested=build.cancel_requested,
            phases=dict(build.phases),
            seconds=_count_seconds(build),
            error=_read_error(build),
            notes=list(build.notes),
            actor=build.actor,
            ref=build.ref,
            commit=build.commit,
            fresh=build.fresh,
            env_version=build.env_version,
            artifact_build_id=build.artifact_build_id,
            queued_at=build.queued_at,
            started_at=build.started_at,
            completed_at=build.completed_at,
        )


class BuildItem(Answer):
    """One build."""

    build: Build

    @classmethod
    def of(cls, build: models.Build) -> Self:
        """Return the answer for one build."""
        return cls(build=Build.of(build))


class BuildPage(Page):
    """A page of builds."""

    builds: Sequence[Build]


class BuildList(Answer):
    """Builds, all there are."""

    builds: Sequence[Build]


class BuildQuery(PageQuery):
    """Which builds."""

    deployment: Reference | None = Field(None, description="Of a deployment: its id, or `team/project/slug`.")
    project: Reference | None = Field(None, description="Of a project: its id or slug.")
    team: Reference | None = Field(None, description="Of a team: its id or slug.")
    status: models.BuildStatus | None = Field(None, description="Only those with this status.")
    since: When | None = Field(None, description="Only those queued at or after this time.")


class Artifact(Answer):
    """What a build made, or runs of another."""

    build_id: str = Field(description="The build that made it.")
    node_version: str | None
    mastra_version: str | None
    observability: str | None = Field(description="Version of the tracing package that it runs with.")
    studio: str | None = Field(description="Path of the app's own Studio.")
    packages: dict[str, str] = Field(description="Installed versions of what package.json names.")
    stats: dict[str, Any] = Field(description="Bytes, files, peak memory, and what came out of the cache.")
    source_hash: str | None = Field(description="Stands for all files that it was made of.")
    inventory: dict[str, Any] = Field(description="Agents, tools and workflows that its server said it has.")
    expected_seconds: dict[str, float] = Field(description="Seconds that each phase is likely to take.")

    @classmethod
    def of(
        cls, build: models.Build, owner: models.Build, inventory: Mapping[str, Any], expected: Mapping[str, float]
    ) -> Self:
        """Return the facts of what ``build`` runs, which ``owner`` made."""
        made = owner.artifact
        return cls(
            build_id=owner.id,
            node_version=made.get("node_version"),
            mastra_version=made.get("mastra_version"),
            observability=made.get("observability"),
            studio=made.get("studio"),
            packages=dict(made.get("packages") or {}),
            stats={**owner.stats, **build.stats},
            source_hash=build.source_hash or owner.source_hash,
            inventory=dict(inventory),
            expected_seconds=dict(expected),
        )


class ArtifactItem(Answer):
    """The artifact of a build."""

    artifact: Artifact


class DiffQuery(Query):
    """What to compare with."""

    to: Reference | None = Field(None, description="Id of another build; the last that succeeded before unless given.")


class DiffSide(Answer):
    """One of two builds."""

    build: str = Field(description="`team/project/slug #number`.")
    id: str
    commit: str | None
    env_version: str | None
    node: str | None


class ChangedFile(Answer):
    """A source file that differs."""

    path: str
    change: str = Field(description="`added`, `removed` or `changed`.")


class ChangedPackage(Answer):
    """An installed package that differs."""

    name: str
    change: str
    before: str | None
    after: str | None
    is_direct: bool = Field(description="package.json names it.")


class ChangedVariable(Answer):
    """A variable that differs; its value is never told."""

    key: str
    change: str
    is_secret: bool


class ChangedThing(Answer):
    """An agent, tool or workflow that differs."""

    id: str
    change: str
    fields: Sequence[str] = Field(description="What of it differs.")
    details: Any = Field(description="How it differs.")


class Diff(Answer):
    """What differs between two builds. What can't be compared is in ``missing``, with the reason."""

    before: DiffSide
    after: DiffSide
    files: Sequence[ChangedFile]
    packages: Sequence[ChangedPackage]
    env: Sequence[ChangedVariable]
    agents: Sequence[ChangedThing]
    tools: Sequence[ChangedThing]
    workflows: Sequence[ChangedThing]
    missing: dict[str, str]

    @classmethod
    def of(cls, diff: BuildDiff) -> Self:
        """Return a difference as the API shows it."""
        return cls.model_validate(diff.to_dict())


class DiffItem(Answer):
    """What differs between two builds."""

    diff: Diff


def _count_seconds(build: models.Build) -> float | None:
    if build.started_at and build.completed_at:
        return round((build.completed_at - build.started_at).total_seconds(), 3)
    return None


def _read_error(build: models.Build) -> Problem | None:
    if not build.error_message:
        return None
    stored = dict(build.error)
    return Problem(
        code=stored.get("code") or f"build_{build.status}",
        message=build.error_message,
        hint=stored.get("hint") or "",
        details=stored.get("details") or {},
    )
