"""Agents and workflows of a deployment, called from Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from mastra_admin_sdk.errors import RequestFailed

from .requests import Response

if TYPE_CHECKING:
    from mastra_admin_sdk.services.objects.traffic import Reachable


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent of a deployment."""

    deployment: Reachable
    id: str

    def generate(
        self, messages: str | Sequence[Mapping[str, Any]], *, timeout: float = 300.0, **options: Any
    ) -> Mapping[str, Any]:
        """Ask the agent and return its answer as the Mastra API gives it (``text``, ``usage``, ``traceId``, …).

        Parameters:
            messages: a question, or messages with ``role`` and ``content``.
            timeout: seconds to wait for the answer.
            options: further fields of the request, such as ``memory``.
        """
        listed = [{"role": "user", "content": messages}] if isinstance(messages, str) else list(messages)
        path = f"{self.deployment.api_prefix}/agents/{quote(self.id, safe='')}/generate"
        answer = self.deployment.request("POST", path, json={"messages": listed, **options}, timeout=timeout)
        return _as_object(answer)


@dataclass(frozen=True, slots=True)
class Workflow:
    """One workflow of a deployment."""

    deployment: Reachable
    id: str

    def start(self, input_data: Any, *, timeout: float = 300.0, **options: Any) -> Mapping[str, Any]:
        """Run the workflow to its end and return what the Mastra API answers (``status``, ``result``, ``traceId``, …).

        The input is usually an object; what else it may be, its schema says. A run that failed is an answer with
        ``status`` ``"failed"``, not an exception.
        """
        path = f"{self.deployment.api_prefix}/workflows/{quote(self.id, safe='')}/start-async"
        body = {"inputData": dict(input_data) if isinstance(input_data, Mapping) else input_data, **options}
        return _as_object(self.deployment.request("POST", path, json=body, timeout=timeout))


def _as_object(answer: Response) -> Mapping[str, Any]:
    found = answer.json()
    if not isinstance(found, dict):
        raise RequestFailed(
            f"The answer is no JSON object but {type(found).__name__}.", evidence={"body": answer.text[:300]}
        )
    return found
