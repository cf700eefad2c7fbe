"""Projects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import Field

from mastra_admin_sdk import models
from mastra_admin_sdk.services.projects.sources import name_source
from mastra_admin_sdk.services.triggers.webhooks import Webhook as SdkWebhook

from .base import Answer, Body, Moment, Name, Page, PageQuery, Reference, Text

Path = Annotated[str, Field(min_length=1, max_length=4000, pattern=r"^[^\x00]*$")]
"""A folder, or a repository's URL."""


class Project(Answer):
    """One Mastra app of a team, tied to its source."""

    id: str
    team_id: str
    name: str = Field(examples=["Weather agent"])
    slug: str = Field(examples=["weather-agent"])
    source_type: models.SourceType
    source_path: str | None = Field(description="The folder; of a repository the folder in it.")
    source: str = Field(description="Where its code comes from, for people: a folder, or a repository.")
    default_branch: str
    env_version: int = Field(description="Version of its variables; each change makes one.")
    has_webhook: bool
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, project: models.Project) -> Self:
        """Return a project as the API shows it; no variable and no secret is in it."""
        return cls(
            id=project.id,
            team_id=project.team_id,
            name=project.name,
            slug=project.slug,
            source_type=project.source_type,
            source_path=project.source_config.get("path"),
            source=name_source(project),
            default_branch=project.default_branch,
            env_version=project.env_version,
            has_webhook=project.webhook_secret is not None,
            created_at=project.created_at,
            updated_at=project.updated_at,
        )


class ProjectItem(Answer):
    """One project."""

    project: Project

    @classmethod
    def of(cls, project: models.Project) -> Self:
        """Return the answer for one project."""
        return cls(project=Project.of(project))


class ProjectPage(Page):
    """A page of projects."""

    projects: Sequence[Project]


class ProjectQuery(PageQuery):
    """Which projects."""

    team: Reference | None = Field(None, description="Of a team: its id or slug.")


class SourceChoice(Body):
    """Where a project's code comes from: either ``source`` or ``git``."""

    source: Path | None = Field(
        None,
        description="A Mastra project in a folder: its name or id of `/api/sources/projects`, or its path; or a "
        "repository's URL, `<url>[#[<ref>][:<folder>]]`.",
        examples=["weather-agent"],
    )
    git: Path | None = Field(None, description="A repository, also one that lies in a folder of this machine.")
    path: Path | None = Field(None, description="Folder of the project in the repository.", examples=["packages/app"])
    submodules: bool = Field(False, description="Fetch the repository's submodules with it.")


class NewProject(SourceChoice):
    """A project to create."""

    team: Reference = Field(description="Who owns it: id or slug.", examples=["search"])
    name: Name | None = Field(None, description="For people; the source's own unless given.")
    slug: Name | None = Field(None, description="Part of every address; made from the name unless given.")
    default_branch: Name | None = Field(None, description="Deployed unless a branch is named.")
    env: dict[str, Text] = Field(default_factory=dict, description="Variables; kept as secrets.", max_length=1000)


class ProjectChange(Body):
    """What of a project can be changed; its slug, and with it every address, stays."""

    name: Name | None = Field(None, description="For people; null or absent: as it is.")
    default_branch: Name | None = Field(
        None, description="Deployed unless a branch is named; null or absent: as it is."
    )


class Webhook(Answer):
    """What a repository's webhook needs: the path at this panel, and the secret, which is told this once."""

    project_id: str
    path: str = Field(examples=["/hooks/0b6e…"])
    secret: str

    @classmethod
    def of(cls, webhook: SdkWebhook) -> Self:
        """Return a webhook as the API shows it, once."""
        return cls(project_id=webhook.project_id, path=webhook.path, secret=webhook.secret)


class WebhookItem(Answer):
    """One webhook."""

    webhook: Webhook
