"""What to try next, as lines that work when they are pasted."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from mastra_admin_sdk.models import DeploymentStatus, DeploymentType
from mastra_admin_sdk.services.projects.example import EXAMPLE

from .session import Session, shorten_program
from .targets import name_deployment

if TYPE_CHECKING:
    from mastra_admin_sdk.admin import MastraAdmin
    from mastra_admin_sdk.services.objects import LiveDeployment

QUESTION = "What is the weather in Paris?"


def list_next_steps(session: Session, admin: MastraAdmin) -> list[tuple[str, str]]:
    """Return what to do next, each with a title; the example's agent is asked if it is there."""
    found = _find_running_example(admin)
    see = ("See what runs", session.suggest("ps"))
    if found is None or found.url is None:
        return [
            ("Find projects to deploy", session.suggest("projects")),
            ("Deploy one", session.suggest("deploy ./my-agent")),
            see,
        ]
    return [
        ("Ask the agent", make_curl(found.url)),
        ("See what it did", session.suggest("traces")),
        see,
        (f"In Python ({shorten_program(sys.executable)}) or a notebook", make_snippet(session, _name(admin, found))),
    ]


def make_curl(url: str) -> str:
    """Return a curl line that asks the example's agent."""
    body = json.dumps({"messages": [{"role": "user", "content": QUESTION}]}, separators=(",", ":"))
    return "\n".join(
        [
            f"curl -s {url}/api/agents/{EXAMPLE}/generate \\",
            "  -H 'Content-Type: application/json' \\",
            f"  -d '{body}'",
        ]
    )


def make_snippet(session: Session, name: str) -> str:
    """Return Python that asks the example's agent and reads spans as a DataFrame; ``name`` is the deployment's."""
    home = f'home="{session.home}"' if session.home else ""
    return "\n".join(
        [
            "from mastra_admin_sdk import MastraAdmin",
            "",
            f"admin = MastraAdmin({home})",
            f'agent = admin.deployments.get("{name}").agent("{EXAMPLE}")',
            f'print(agent.generate("{QUESTION}")["text"])',
            'print(admin.spans(since="1h")[["name", "type", "status", "duration_ms"]])',
        ]
    )


def _find_running_example(admin: MastraAdmin) -> LiveDeployment | None:
    for deployment in admin.deployments.list():
        if deployment.status == DeploymentStatus.RUNNING and deployment.url and deployment.project.slug == EXAMPLE:
            return deployment
    return None


def _name(admin: MastraAdmin, deployment: LiveDeployment) -> str:
    """The shortest name that no deployment of another team has: ``team/project`` stands for its default branch."""
    full, record = name_deployment(admin, deployment.record), deployment.record
    is_default = record.type is DeploymentType.PRODUCTION and record.branch == deployment.project.default_branch
    return full.rpartition("/")[0] if is_default else full
