"""What to try next, as lines that work when they are pasted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .session import Session
from .targets import EXAMPLE

if TYPE_CHECKING:
    from mastra_admin_sdk.admin import MastraAdmin
    from mastra_admin_sdk.services.objects import LiveDeployment

QUESTION = "What is the weather in Paris?"


def list_next_steps(session: Session, admin: MastraAdmin) -> list[str]:
    """Return three or four things to do, each one or more lines; the example's agent is asked if it is there."""
    found = _find_example(admin)
    if found is None:
        return [session.suggest("projects"), session.suggest("deploy ./my-agent"), session.suggest("ps")]
    return [
        make_curl(min(found.urls, key=len)),
        session.suggest("traces"),
        session.suggest("ps"),
        make_snippet(session),
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
    home = f"home={session.home!r}" if session.home else ""
    return "\n".join(
        [
            "from mastra_admin_sdk import MastraAdmin",
            "",
            f"admin = MastraAdmin({home})",
            f'print(admin.deployments.get("{EXAMPLE}").agent("{EXAMPLE}").generate("{QUESTION}")["text"])',
            f'print(admin.spans(project="{EXAMPLE}", since="1h"))',
        ]
    )


def _find_example(admin: MastraAdmin) -> LiveDeployment | None:
    for deployment in admin.deployments.list():
        if deployment.project.slug == EXAMPLE and deployment.url:
            return deployment
    return None
