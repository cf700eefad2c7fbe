"""What to try next, as lines that work when they are pasted."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from .session import Session, shorten_program
from .targets import EXAMPLE

if TYPE_CHECKING:
    from mastra_admin_sdk.admin import MastraAdmin
    from mastra_admin_sdk.services.objects import LiveDeployment

QUESTION = "What is the weather in Paris?"


def list_next_steps(session: Session, admin: MastraAdmin) -> list[tuple[str, str]]:
    """Return what to do next, each with a title; the example's agent is asked if it is there."""
    found = _find_example(admin)
    see = ("See what runs", session.suggest("ps"))
    if found is None:
        return [
            ("Find projects to deploy", session.suggest("projects")),
            ("Deploy one", session.suggest("deploy ./my-agent")),
            see,
        ]
    return [
        ("Ask the agent", make_curl(min(found.urls, key=len))),
        ("See what it did", session.suggest("traces")),
        see,
        (f"In Python ({shorten_program(sys.executable)}) or a notebook", make_snippet(session)),
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


def make_snippet(session: Session) -> str:
    """Return Python that reads spans as a DataFrame."""
    home = f'home="{session.home}"' if session.home else ""
    return "\n".join(
        [
            "from mastra_admin_sdk import MastraAdmin",
            "",
            f"admin = MastraAdmin({home})",
            f'agent = admin.deployments.get("{EXAMPLE}").agent("{EXAMPLE}")',
            f'print(agent.generate("{QUESTION}")["text"])',
            f'print(admin.spans(project="{EXAMPLE}", since="1h"))',
        ]
    )


def _find_example(admin: MastraAdmin) -> LiveDeployment | None:
    for deployment in admin.deployments.list():
        if deployment.project.slug == EXAMPLE and deployment.url:
            return deployment
    return None
