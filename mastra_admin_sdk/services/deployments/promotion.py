"""Promotion: what one deployment serves is started on another one of its project, without being built again."""

from __future__ import annotations

from collections.abc import Sequence

from mastra_admin_sdk.errors import InvalidInput, NotFound
from mastra_admin_sdk.models import Build, Deployment, DeploymentType
from mastra_admin_sdk.services.builds.artifacts import is_startable
from mastra_admin_sdk.services.parts import Parts
from mastra_admin_sdk.services.references import DeploymentRef, Resolver, name_deployment


def find_promoted_build(parts: Parts, source: Deployment) -> Build:
    """Return the build that a deployment serves.

    Raises:
        InvalidInput: it never served one, or the artifact of that is gone.
    """
    if source.current_build_id is None:
        name = name_deployment(parts.storage, source)
        raise InvalidInput(f"{name} serves no build that could be promoted.", hint="Deploy it first.")
    build = parts.storage.builds.get(source.current_build_id)
    if not is_startable(parts, build):
        name = name_deployment(parts.storage, source)
        raise InvalidInput(
            f"Build #{build.number} of {name} can't be promoted: its artifact is gone.",
            hint="Deploy it again.",
        )
    return build


def find_promotion_target(
    parts: Parts, resolver: Resolver, source: Deployment, to: DeploymentRef | DeploymentType
) -> Deployment | DeploymentType:
    """Return the deployment that is meant; a type when the project has none of it yet.

    Parameters:
        to: a slug of the project, a type (then its deployment on the default branch, else the only one of that type),
            or any other reference to a deployment.

    Raises:
        NotFound: nothing goes by that.
        InvalidInput: it is the source itself, or belongs to another project, or several have that type.
    """
    siblings = parts.storage.deployments.list(source.project_id)
    found = next((item for item in siblings if item.slug == to), None)
    if found is None and to in tuple(DeploymentType):
        found = _choose_by_type(parts, siblings, source, DeploymentType(str(to)))
        if found is None:
            return DeploymentType(str(to))
    return check_target(parts, source, found or _resolve(resolver, to))


def _resolve(resolver: Resolver, to: DeploymentRef) -> Deployment:
    try:
        return resolver.deployment(to)
    except NotFound as exc:
        types = ", ".join(DeploymentType)
        raise NotFound(exc.message, hint=f"{exc.hint} A type makes one: {types}.", evidence=exc.evidence) from exc


def _choose_by_type(
    parts: Parts, siblings: Sequence[Deployment], source: Deployment, type: DeploymentType
) -> Deployment | None:
    of_type = [item for item in siblings if item.type is type and item.id != source.id]
    default = parts.storage.projects.get(source.project_id).default_branch
    chosen = [item for item in of_type if item.branch == default] or of_type
    if len(chosen) > 1:
        names = ", ".join(sorted(item.slug for item in chosen))
        raise InvalidInput(f"There are {len(chosen)} {type} deployments: {names}.", hint="Name one of them.")
    return chosen[0] if chosen else None


def check_target(parts: Parts, source: Deployment, target: Deployment) -> Deployment:
    """Return the target if what ``source`` serves can be promoted to it, else raise `InvalidInput`."""
    name = name_deployment(parts.storage, source)
    if target.project_id != source.project_id:
        raise InvalidInput(
            f"{name} can't be promoted to {name_deployment(parts.storage, target)}: that is another project's.",
            hint="Only deployments of one project run the same artifacts.",
        )
    if target.id == source.id:
        raise InvalidInput(f"{name} can't be promoted to itself.", hint="Name another deployment.")
    return target
