"""``/api/deployments/<id>/agents``: what agents a deployment has, and asking one."""

from __future__ import annotations

import time

from flask import Blueprint

from mastra_admin_sdk.models import TokenScope

from ..lookup import find_deployment
from ..openapi import endpoint
from ..principals import needs
from ..viewmodels.deployments import list_agents as read_agents
from .schemas.agents import Agent, AgentPage, Generated, GeneratedItem, Generation

blueprint = Blueprint("api_agents", __name__)


@blueprint.get("/deployments/<deployment_id>/agents")
@endpoint(conditional=True)
def list_agents(deployment_id: str) -> AgentPage:
    """List the agents of a deployment.

    They are what its server listed when it went live; none while nothing serves.
    """
    build = find_deployment(deployment_id).build
    found = read_agents(build.inventory) if build else ()
    return AgentPage(
        agents=[
            Agent(id=item.id, name=item.name, description=item.description, model=item.model, tools=item.tools)
            for item in found
        ]
    )


@blueprint.post("/deployments/<deployment_id>/agents/<agent_id>/generate")
@needs(TokenScope.DEPLOY)
@endpoint(fails=[502])
def generate(deployment_id: str, agent_id: str, body: Generation) -> GeneratedItem:
    """Ask an agent and wait for its answer.

    The request goes through the router, as any client's does, and what the agent does is traced. 502 when it gives no
    usable answer in time.
    """
    agent = find_deployment(deployment_id).agent(agent_id)
    messages = body.messages if isinstance(body.messages, str) else [item.model_dump() for item in body.messages]
    options = {"memory": body.memory.model_dump()} if body.memory else {}
    began = time.perf_counter()
    answer = agent.generate(messages, timeout=float(body.timeout), **options)
    return GeneratedItem(answer=Generated.of(answer, time.perf_counter() - began))
