"""The whole way once: deploy the example, call it, see its traces, stop everything, look what is left.

Every value in the result was observed: a part that wasn't is ``None``, and then ``ok`` is false.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from mastra_admin_sdk.errors import Conflict, ObservabilityError, RequestFailed
from mastra_admin_sdk.services.projects.example import EXAMPLE, EXAMPLE_TEAM, find_example

from .leftovers import find_leftovers
from .progress import ShowBuild
from .targets import ensure_project

if TYPE_CHECKING:
    import pandas as pd

    from mastra_admin_sdk.admin import MastraAdmin
    from mastra_admin_sdk.services.objects import LiveDeployment
    from mastra_admin_sdk.services.telemetry.traces import Trace

WORKFLOW = "forecast"
QUESTION = "What is the weather in Paris?"
CITY = "Paris"
FAILING_CITY = "boom"
EXPECTED_SPANS = frozenset({"agent_run", "model_generation", "tool_call"})
TRACE_SECONDS = 30.0

_POLL = 0.2

Say = Callable[[str], None]


class Demonstration:
    """One run. ``result`` fills with what was observed, in the order in which it is printed.

    Parameters:
        admin: of the home that it runs in.
        say: told in a sentence what has been seen.
        progress: shows how the build goes on, for as long as it does.
    """

    def __init__(self, admin: MastraAdmin, say: Say, progress: Callable[[], AbstractContextManager[ShowBuild]]) -> None:
        self._admin, self._say, self._progress = admin, say, progress
        self._live: LiveDeployment | None = None
        self._ports: set[int] = set()
        self.result = make_empty_result()

    def run(self) -> None:
        """Deploy, call and observe.

        Raises:
            MastraAdminError: a part failed or wasn't what it should be; ``clean_up`` is still to be called.
        """
        live = self._deploy()
        trace = self._ask_agent(live)
        self._check_spans(trace.frame)
        self._start_workflow(live)
        self._start_failing_workflow(live)
        self._count_telemetry(live)

    def clean_up(self) -> None:
        """Stop everything and close; can be called after any failure."""
        admin = self._admin
        try:
            if self._live is not None:
                self._live.stop()
            admin.down()
            self.result["left_behind"]["routes"] = len(admin.storage.routes.list())
        finally:
            admin.close()

    def look_around(self) -> dict[int, str]:
        """Count what is left from outside, and return the processes among it."""
        left = find_leftovers(str(self._admin.home.path), self._ports)
        self.result["left_behind"]["processes"] = len(left.processes)
        self.result["left_behind"]["ports"] = len(left.ports)
        return dict(left.processes)

    # --- steps --------------------------------------------------------------------------------------------------------

    def _deploy(self) -> LiveDeployment:
        admin = self._admin
        project = ensure_project(admin, str(find_example()), EXAMPLE_TEAM)
        queued = admin.deploy(project, wait=False)
        self._live = queued.deployment
        with self._progress() as show:
            build = queued.wait(on_progress=show)
        live = self._live.refresh()
        phases = build.phases
        self.result["seconds"] |= {
            "install": phases.get("install"),
            "build": phases.get("build"),
            "start": _round(phases.get("start", 0.0) + phases.get("health", 0.0)),
            "route": phases.get("route"),
        }
        self.result["url"] = live.url
        process = live.process
        self._ports |= {admin.router.endpoint.port, *([process.port] if process else [])}
        self._say(f"{live.project.slug} is live at {self.result['url']}")
        return live

    def _ask_agent(self, live: LiveDeployment) -> Trace:
        path = f"{live.api_prefix}/agents/{EXAMPLE}/generate"
        answer = live.request("POST", path, json={"messages": [{"role": "user", "content": QUESTION}]})
        answered = time.monotonic()
        self.result["agent_status"] = answer.status
        body = answer.json()
        self._say(f"The agent was asked {QUESTION!r}")
        self._say(f"and answered {str(body.get('text'))!r}")
        if CITY not in str(body.get("text")):
            raise RequestFailed("The agent's answer doesn't name the city.", evidence={"answer": answer.text[:300]})
        trace = self._admin.trace(self._find_trace_id(live, body), wait=TRACE_SECONDS)
        self.result["seconds"]["first_span"] = _round(time.monotonic() - answered)
        self.result["trace_id"] = trace.id
        seconds = self.result["seconds"]["first_span"]
        self._say(f"Its trace of {len(trace.frame)} spans was there {seconds} s later:")
        for line in trace.to_text(74).splitlines():
            self._say(f"    {line}")
        return trace

    def _find_trace_id(self, live: LiveDeployment, answer: dict[str, Any]) -> str:
        if isinstance(answer.get("traceId"), str):
            return str(answer["traceId"])
        deadline = time.monotonic() + TRACE_SECONDS
        while time.monotonic() < deadline:
            found = live.spans(type="agent_run", limit=1)
            if not found.empty:
                return str(found["trace_id"].iloc[0])
            time.sleep(_POLL)
        raise ObservabilityError(
            f"The agent answered, but no span of it was stored within {TRACE_SECONDS:.0f} s.",
            hint="Look at logs/servers in the home: the server says there whether it is traced.",
        )

    def _check_spans(self, frame: pd.DataFrame) -> None:
        types = set(map(str, frame["type"]))
        missing = sorted(EXPECTED_SPANS - types)
        generations = frame[frame["type"] == "model_generation"]
        tokens = [int(generations[name].fillna(0).sum()) for name in ("input_tokens", "output_tokens")]
        if missing or not all(tokens) or bool((frame["status"] != "ok").any()):
            raise ObservabilityError(
                f"The agent's trace is not complete: it lacks {', '.join(missing) or 'tokens or an end'}.",
                evidence={"types": sorted(types), "tokens": tokens, "status": sorted(set(map(str, frame["status"])))},
            )

    def _start_workflow(self, live: LiveDeployment) -> None:
        answer = live.workflow(WORKFLOW).start({"city": CITY})
        self.result["workflow_status"] = answer.get("status")
        self._say(f"The workflow {WORKFLOW} of {CITY}: {answer.get('status')}, {answer.get('result')}")
        if answer.get("status") != "success":
            raise RequestFailed(
                f"The workflow {WORKFLOW} ended as {answer.get('status')!r}.", evidence={"answer": str(answer)[:300]}
            )

    def _start_failing_workflow(self, live: LiveDeployment) -> None:
        answer = live.workflow(WORKFLOW).start({"city": FAILING_CITY})
        if answer.get("status") != "failed":
            raise RequestFailed(
                f"The workflow {WORKFLOW} of {FAILING_CITY!r} is made to fail and ended as {answer.get('status')!r}.",
                evidence={"answer": str(answer)[:300]},
            )
        deadline = time.monotonic() + TRACE_SECONDS
        while (failed := live.spans(type="workflow_run", status="error")).empty:
            if time.monotonic() > deadline:
                raise ObservabilityError(
                    f"No failed span was stored within {TRACE_SECONDS:.0f} s of a failed workflow."
                )
            time.sleep(_POLL)
        self._say(f"The same of {FAILING_CITY!r} is made to fail: {failed['error'].iloc[0] or 'failed'}")

    def _count_telemetry(self, live: LiveDeployment) -> None:
        deadline = time.monotonic() + TRACE_SECONDS
        while (logs := len(live.logs(limit=None))) == 0 or not self._is_settled(live):
            if time.monotonic() > deadline:
                raise ObservabilityError(f"Not all spans and log lines were stored within {TRACE_SECONDS:.0f} s.")
            time.sleep(_POLL)
        self.result["spans"], self.result["logs"] = len(live.spans(limit=None)), logs
        self._say(f"In all {self.result['spans']} spans and {logs} log lines are stored")

    def _is_settled(self, live: LiveDeployment) -> bool:
        return live.spans(status="running", limit=1).empty


def make_empty_result() -> dict[str, Any]:
    """Return the result before anything was observed."""
    return {
        "ok": False,
        "url": None,
        "agent_status": None,
        "workflow_status": None,
        "trace_id": None,
        "spans": None,
        "logs": None,
        "seconds": {"install": None, "build": None, "start": None, "route": None, "first_span": None},
        "left_behind": {"processes": None, "ports": None, "routes": None},
    }


def is_observed(result: dict[str, Any]) -> bool:
    """True when every part of the result was seen, and nothing is left behind."""
    parts = [value for key, value in result.items() if key not in ("ok", "seconds", "left_behind")]
    parts += result["seconds"].values()
    return all(part is not None for part in parts) and not any(
        value is None or value for value in result["left_behind"].values()
    )


def check_idle(admin: MastraAdmin) -> None:
    """Raise `Conflict` when the home has something running: in the end all of it would be stopped."""
    overview = admin.overview()
    running = [view for view in overview.deployments if view.process or view.active_build]
    if running or overview.router_running or overview.is_supervised:
        raise Conflict(
            f"The demo stops everything in its home in the end, and something runs in {overview.home}.",
            hint="Give another --home or none at all (then it makes one for itself), or run `mastra-admin down` first.",
        )


def _round(seconds: float) -> float:
    return round(seconds, 3)
