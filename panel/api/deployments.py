"""``/api/deployments``: deploying, what runs, and how it runs."""

from __future__ import annotations

from flask import Blueprint, url_for

from mastra_admin_sdk import LiveBuild, LiveDeployment
from mastra_admin_sdk.models import DeploymentType, Strategy, TokenScope

from ..context import current_panel
from ..lookup import find_build, find_deployment, find_project
from ..openapi import Located, endpoint, read_idempotency_key
from ..paging import cut_page, read_cursor
from ..principals import needs
from .schemas.builds import Build, BuildItem, BuildList
from .schemas.deployments import (
    Deployment,
    DeploymentChange,
    DeploymentItem,
    DeploymentPage,
    DeploymentQuery,
    NewDeployment,
    Promotion,
    Redeploy,
    Rollback,
)
from .scopes import narrow

blueprint = Blueprint("api_deployments", __name__)


@blueprint.get("/deployments")
@endpoint(conditional=True, fails=[404])
def list_deployments(query: DeploymentQuery) -> DeploymentPage:
    """List deployments, newest first, as they are on record."""
    found = current_panel().admin.deployments.list(
        **narrow(query.team, query.project),
        status=query.status,
        limit=query.limit + 1,
        after=read_cursor(query.cursor),
    )
    deployments, following = cut_page([live.record for live in found], query.limit)
    return DeploymentPage(deployments=[Deployment.of(item) for item in deployments], next=following)


@blueprint.post("/deployments")
@endpoint(status=202, idempotent=True, fails=[404, 409, 502])
@needs(TokenScope.DEPLOY)
def deploy(body: NewDeployment) -> Located[BuildItem]:
    """Deploy a project.

    The deployment of that branch and type is made if there is none. The build is queued: follow it at `Location`.
    """
    build = current_panel().admin.deploy(
        find_project(body.project),
        branch=body.branch,
        type=body.type,
        ref=body.ref,
        strategy=body.strategy,
        replicas=body.replicas,
        ttl=body.ttl,
        priority=body.priority,
        fresh=body.fresh,
        wait=False,
        idempotency_key=read_idempotency_key(),
    )
    return _locate(build)


@blueprint.get("/deployments/<deployment_id>")
@endpoint(conditional=True)
def show_deployment(deployment_id: str) -> DeploymentItem:
    """Show a deployment with its builds and servers.

    Each server is asked whether it answers.
    """
    return _look(find_deployment(deployment_id))


@blueprint.patch("/deployments/<deployment_id>")
@endpoint(match=show_deployment, fails=[409, 502])
@needs(TokenScope.DEPLOY)
def update_deployment(deployment_id: str, body: DeploymentChange) -> DeploymentItem:
    """Change how a deployment runs: servers, limits, domains, watching, what is kept.

    Replicas and domains apply to the running servers at once, the limits from their next start on. Fields are applied
    one after the other; one that can't be applied ends it.
    """
    live = find_deployment(deployment_id)
    _change(live, body)
    return _look(live)


@blueprint.delete("/deployments/<deployment_id>")
@endpoint(status=204, match=show_deployment, fails=[409, 502])
@needs(TokenScope.ADMIN)
def delete_deployment(deployment_id: str) -> None:
    """Delete a deployment.

    Builds are cancelled, servers stopped, routes, ports, artifacts and data removed: it may take a minute. Telemetry
    stays until its time to live.
    """
    current_panel().admin.deployments.delete(find_deployment(deployment_id).record)


@blueprint.post("/deployments/<deployment_id>/redeploy")
@endpoint(status=202, idempotent=True)
@needs(TokenScope.DEPLOY)
def redeploy(deployment_id: str, body: Redeploy) -> Located[BuildItem]:
    """Build the source as it lies and put it live.

    What serves goes on until the new server has answered.
    """
    live = find_deployment(deployment_id)
    key = read_idempotency_key()
    return _locate(live.redeploy(ref=body.ref, fresh=body.fresh, wait=False, idempotency_key=key))


@blueprint.post("/deployments/<deployment_id>/start")
@endpoint(status=202, idempotent=True)
@needs(TokenScope.DEPLOY)
def start_deployment(deployment_id: str) -> Located[BuildItem]:
    """Start a stopped deployment."""
    return _locate(find_deployment(deployment_id).start(wait=False, idempotency_key=read_idempotency_key()))


@blueprint.post("/deployments/<deployment_id>/restart")
@endpoint(status=202, idempotent=True)
@needs(TokenScope.DEPLOY)
def restart_deployment(deployment_id: str) -> Located[BuildItem]:
    """Start a new server of the current artifact, with the variables as they are set now."""
    return _locate(find_deployment(deployment_id).restart(wait=False, idempotency_key=read_idempotency_key()))


@blueprint.post("/deployments/<deployment_id>/rollback")
@endpoint(status=202, idempotent=True)
@needs(TokenScope.DEPLOY)
def roll_back(deployment_id: str, body: Rollback) -> Located[BuildItem]:
    """Go back to a kept artifact with the variables it ran with."""
    live, key = find_deployment(deployment_id), read_idempotency_key()
    to = find_build(body.to).record if isinstance(body.to, str) else body.to
    return _locate(live.rollback(to, wait=False, idempotency_key=key))


@blueprint.post("/deployments/<deployment_id>/promote")
@endpoint(status=202, idempotent=True)
@needs(TokenScope.DEPLOY)
def promote(deployment_id: str, body: Promotion) -> Located[BuildItem]:
    """Start what a deployment serves on another one of the project, without building it again.

    It runs with the other one's own variables and data. The build is that of the other one.
    """
    live, key = find_deployment(deployment_id), read_idempotency_key()
    kinds = {str(kind): kind for kind in DeploymentType}
    to = kinds[body.to] if body.to in kinds else find_deployment(body.to).record
    return _locate(live.promote(to, wait=False, idempotency_key=key))


@blueprint.post("/deployments/<deployment_id>/stop")
@endpoint(fails=[409, 502])
@needs(TokenScope.DEPLOY)
def stop_deployment(deployment_id: str) -> DeploymentItem:
    """Stop a deployment.

    Builds are cancelled, requests under way get to finish, then its servers end: it may take a minute. Data and
    artifacts stay.
    """
    return _look(find_deployment(deployment_id).stop())


@blueprint.get("/deployments/<deployment_id>/kept")
@endpoint(conditional=True)
def list_kept_builds(deployment_id: str) -> BuildList:
    """List the builds that a deployment can go back to, newest first."""
    return BuildList(builds=[Build.of(item.record) for item in find_deployment(deployment_id).kept_builds])


def _locate(build: LiveBuild) -> Located[BuildItem]:
    return Located(BuildItem.of(build.record), url_for("api_builds.show_build", build_id=build.id))


def _look(live: LiveDeployment) -> DeploymentItem:
    return DeploymentItem.look(current_panel().admin.deployments.look(live.record))


def _change(live: LiveDeployment, body: DeploymentChange) -> None:
    wanted, record = body.changes(), live.record
    if "ttl" in wanted:
        live.set_ttl(body.ttl)
    limits = {name: wanted[name] for name in ("memory_mb", "nice") if name in wanted}
    if limits:
        live.set_limits(**limits)
    if "keep_builds" in wanted:
        live.set_retention(body.keep_builds)
    if body.domains is not None or body.tls is not None:
        live.set_domains(record.domains if body.domains is None else body.domains, tls=body.tls)
    _change_servers(live, body)
    if body.watch is not None and body.watch != record.watch:
        live.set_watch(body.watch)


def _change_servers(live: LiveDeployment, body: DeploymentChange) -> None:
    """Change the strategy and the number of servers in the order that is allowed: ``recreate`` takes one server."""
    replicas = body.replicas if body.replicas != live.record.replicas else None
    strategy = body.strategy if body.strategy != live.record.strategy else None
    if strategy is not None and strategy is not Strategy.RECREATE:
        live.set_strategy(strategy)
    if replicas is not None:
        live.scale(replicas)
    if strategy is Strategy.RECREATE:
        live.set_strategy(strategy)
