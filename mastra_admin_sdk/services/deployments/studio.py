"""Where the app's own Mastra Studio is, if it was built with one."""

from __future__ import annotations

from mastra_admin_sdk.models import Build, Deployment, Process
from mastra_admin_sdk.services.builds.artifacts import get_owner_id
from mastra_admin_sdk.services.parts import Parts


def find_studio_url(parts: Parts, deployment: Deployment, process: Process | None) -> str | None:
    """Return the address of a deployment's Studio; ``None`` when what it serves was built without.

    Whether there is one was decided by the build; under which path, a server says once it runs.
    """
    if deployment.current_build_id is None or deployment.public_url is None:
        return None
    build = parts.storage.builds.get(deployment.current_build_id)
    owner = build if build.artifact else parts.storage.builds.get(get_owner_id(build))
    return make_studio_url(deployment, owner, process)


def make_studio_url(deployment: Deployment, owner: Build | None, process: Process | None) -> str | None:
    """Return that address from the build whose artifact a deployment serves, and the process that serves it."""
    studio = owner.artifact.get("studio") if owner else None
    if not studio or deployment.public_url is None:
        return None
    said = process.trace_status.get("studio_base") if process else None
    return f"{deployment.public_url.rstrip('/')}/{str(said or studio).strip('/')}"
