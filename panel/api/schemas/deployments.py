"""Deployments: what they are, how they run, and what can be asked of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Self

from pydantic import Field

from mastra_admin_sdk import models
from mastra_admin_sdk.services.overview import DeploymentView

from .base import Answer, Body, Count, Moment, Name, Page, PageQuery, Reference
from .builds import Build
from .processes import Server

TimeToLive = Annotated[str, Field(min_length=1, max_length=20, pattern=r"^[^\x00]*$", examples=["3d"])]
"""How long a preview lives, as people write it."""


class Deployment(Answer):
    """A project on a branch."""

    id: str
    project_id: str
    branch: str
    slug: str
    type: models.DeploymentType
    status: models.DeploymentStatus
    status_reason: str | None = Field(description="Why its status is what it is, in a sentence.")
    desired_state: models.DesiredState
    strategy: models.Strategy
    replicas: int
    memory_mb: int | None = Field(description="MB that each server may hold; 0: no limit; null: the setting's.")
    nice: int | None = Field(description="How much its servers yield the CPU; null: the setting's.")
    url: str | None = Field(description="Its address; null before its first build succeeded.")
    domains: Sequence[str]
    tls: models.Tls
    watch: bool = Field(description="Deployed whenever its source changes.")
    keep_builds: int | None = Field(description="How many artifacts are kept; null: the setting's.")
    ttl_seconds: int | None
    expires_at: Moment | None = Field(description="When it is removed, if it is a preview.")
    env_version: int
    current_build_id: str | None
    previous_build_id: str | None
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, deployment: models.Deployment) -> Self:
        """Return a deployment as it is on record; no variable is in it."""
        return cls(**_describe(deployment))


class DeploymentStanding(Deployment):
    """A deployment with its builds and servers, as they were just seen."""

    local_url: str | None = Field(description="The address of its first server itself, on this machine.")
    studio_url: str | None = Field(description="The app's own Mastra Studio.")
    build: Build | None = Field(description="The build that serves it.")
    active_build: Build | None = Field(description="The build that is worked on, or is next.")
    process: Server | None = Field(description="The first of its servers.")
    servers: Sequence[Server] = Field(description="Those of its current build, one a replica.")
    answers: bool | None = Field(description="Whether one of its servers just answered; null when it has none.")
    watch_error: str | None = Field(description="Why its source, which is watched, can't be read.")

    @classmethod
    def look(cls, view: DeploymentView) -> Self:
        """Return a deployment as it was just seen."""
        servers = [Server.look(server) for server in view.servers]
        return cls(
            **_describe(view.deployment),
            local_url=servers[0].local_url if servers else None,
            studio_url=view.studio_url,
            build=Build.of(view.build) if view.build else None,
            active_build=Build.of(view.active_build) if view.active_build else None,
            process=servers[0] if servers else None,
            servers=servers,
            answers=view.answers,
            watch_error=view.watch_error,
        )


class DeploymentItem(Answer):
    """One deployment, as it was just seen."""

    deployment: DeploymentStanding

    @classmethod
    def look(cls, view: DeploymentView) -> Self:
        """Return the answer for one deployment."""
        return cls(deployment=DeploymentStanding.look(view))


class DeploymentPage(Page):
    """A page of deployments, as they are on record."""

    deployments: Sequence[Deployment]


class DeploymentQuery(PageQuery):
    """Which deployments."""

    project: Reference | None = Field(None, description="Of a project: its id or slug.")
    team: Reference | None = Field(None, description="Of a team: its id or slug.")
    status: models.DeploymentStatus | None = Field(None, description="Only those with this status.")


class NewDeployment(Body):
    """A project to deploy: the deployment of that branch and type is made if there is none."""

    project: Reference = Field(description="Id or slug of the project.", examples=["weather-agent"])
    branch: Name | None = Field(None, description="The project's default branch unless given.")
    type: models.DeploymentType = Field(models.DeploymentType.PRODUCTION)
    ref: Name | None = Field(None, description="Tag, commit or branch of the repository to build this time.")
    strategy: models.Strategy | None = Field(None, description="As it was unless given.")
    replicas: int | None = Field(None, ge=1, le=12, description="As it was unless given; at first 1.")
    ttl: TimeToLive | None = Field(
        None, description="When a preview is removed after its last deploy: `90m`, `72h`, `3d`, `never`."
    )
    priority: int = Field(0, ge=-1000, le=1000, description="Builds of a higher one begin first.")
    fresh: bool = Field(False, description="Build from nothing: no cache is used.")


class Redeploy(Body):
    """How to deploy again."""

    ref: Name | None = Field(None, description="Tag, commit or branch of the repository to build this time.")
    fresh: bool = Field(False, description="Build from nothing: no cache is used.")


class Rollback(Body):
    """Where to go back to."""

    to: Reference | Annotated[int, Field(ge=1, le=2**31)] | None = Field(
        None, description="A build's id or number; the one that served before unless given."
    )


class Promotion(Body):
    """Where to promote to."""

    to: Reference = Field(description="Another deployment of the project, or a type.", examples=["production"])


class DeploymentChange(Body):
    """How a deployment runs. What is absent stays as it is.

    Replicas and domains apply to the running servers at once, the limits from their next start on. Fields are applied
    one after the other; one that can't be applied ends it.
    """

    strategy: models.Strategy | None = Field(None, description="How a new server takes over, from the next deploy on.")
    replicas: int | None = Field(None, ge=1, le=12, description="How many servers share its address.")
    memory_mb: Count | None = Field(None, description="MB that each server may hold; 0: no limit; null: the setting's.")
    nice: int | None = Field(None, ge=0, le=19, description="How much its servers yield the CPU; null: the setting's.")
    domains: tuple[Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[^\x00]*$")], ...] | None = Field(
        None, max_length=100, description="Hosts of its own; those before are replaced.", examples=[["a.example.com"]]
    )
    tls: models.Tls | None = Field(None, description="Where the certificates of its domains come from.")
    watch: bool | None = Field(None, description="Deploy it whenever its source changes.")
    keep_builds: Annotated[int, Field(ge=0, le=10**6)] | None = Field(
        None, description="How many artifacts are kept; null: the setting's."
    )
    ttl: TimeToLive | None = Field(
        None, description="When a preview is removed after its last deploy: `90m`, `3d`, `never`; null: the setting's."
    )


def _describe(deployment: models.Deployment) -> dict[str, Any]:
    return {
        "id": deployment.id,
        "project_id": deployment.project_id,
        "branch": deployment.branch,
        "slug": deployment.slug,
        "type": deployment.type,
        "status": deployment.status,
        "status_reason": deployment.status_reason,
        "desired_state": deployment.desired_state,
        "strategy": deployment.strategy,
        "replicas": deployment.replicas,
        "memory_mb": deployment.memory_mb,
        "nice": deployment.nice,
        "url": deployment.public_url,
        "domains": list(deployment.domains),
        "tls": deployment.tls,
        "watch": deployment.watch,
        "keep_builds": deployment.keep_builds,
        "ttl_seconds": deployment.ttl_seconds,
        "expires_at": deployment.expires_at,
        "env_version": deployment.env_version,
        "current_build_id": deployment.current_build_id,
        "previous_build_id": deployment.previous_build_id,
        "created_at": deployment.created_at,
        "updated_at": deployment.updated_at,
    }
