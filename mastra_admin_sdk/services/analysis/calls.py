"""Comparing and replaying, as methods of `MastraAdmin`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mastra_admin_sdk.display.replaying import ReplayPrinter
from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.services.objects import LiveDeployment, Services
from mastra_admin_sdk.services.parts import Parts
from mastra_admin_sdk.services.references import DeploymentRef, Resolver
from mastra_admin_sdk.services.telemetry.service import TelemetryService

from .cases import CaseReader
from .comparison import Comparison
from .differences import Options
from .replay import OnReplay, Replay, ReplayOptions, check_replay
from .sides import SideReader

if TYPE_CHECKING:
    import pandas as pd


class AnalysisCalls:
    """What differs between two sets of traces, and recorded inputs sent again."""

    _parts: Parts
    _resolver: Resolver
    _telemetry: TelemetryService
    _services: Services

    def compare(
        self,
        a: Any,
        b: Any,
        *,
        confidence: float = 0.95,
        min_traces: int = 10,
        limit: int = 200_000,
        seed: int = 0,
        **filters: Any,
    ) -> Comparison:
        """Compare latency, tokens, cost, errors and orders of tools, per agent, tool, workflow and model.

        Parameters:
            a, b: what to compare: builds (or ``"weather-agent#2"``), deployments, pairs ``(since, until)``, filters as
                ``{"deployment": "weather-agent", "since": "1h"}``, or DataFrames of spans. By filters such as ``user``
                or ``model``, traces are chosen in which a span passes them.
            confidence: of the intervals.
            min_traces: how many traces each side must have for an interval; a 95th percentile needs 60, a rate 5.
            limit: how many spans of each side are read, the newest first.
            seed: of the random numbers; the same seed gives the same intervals.
            filters: for both sides, as in `spans`: ``project``, ``since``, …

        Returns:
            A `Comparison`, which shows itself; ``frame``, ``latency``, ``errors``, ``tokens``, ``sequences``,
            ``better`` and ``worse`` are DataFrames. Sides without traces are no error.

        Raises:
            NotFound, InvalidInput: a side names nothing.

        Example:
            >>> admin.compare("weather-agent#1", "weather-agent#2").worse
        """
        options = _check_options(confidence, min_traces, seed, limit, self._telemetry.currency)
        reader = SideReader(self._parts, self._resolver, self._telemetry)
        sides = [reader.read(side, filters, limit) for side in (a, b)]
        return Comparison(sides[0], sides[1], options)

    def replay(
        self,
        traces: Any,
        deployment: DeploymentRef,
        *,
        target: str | None = None,
        concurrency: int = 2,
        rate: float | None = None,
        timeout: float = 300.0,
        wait: float = 30.0,
        fields: Mapping[str, Any] | None = None,
        dry_run: bool = False,
        on_progress: OnReplay | None = None,
    ) -> pd.DataFrame:
        """Send recorded inputs to a deployment again, and return old and new outcomes side by side.

        Whatever the agents and workflows do in the world, they do again: see docs/comparing.md. Runs of agents go to
        the agent's ``generate``, runs of workflows to ``start-async``, each on its own: no memory of a thread is sent.

        Parameters:
            traces: a trace, its id, the result of `traces`, a dataset or its name, or a list of these.
            deployment: whom to send them to.
            target: send all of them to this ``agent:<id>`` or ``workflow:<id>``.
            concurrency: how many are under way at a time.
            rate: how many are begun in a second at most.
            timeout: seconds to wait for each answer.
            wait: seconds to wait for the new traces after the last answer.
            fields: further fields of each request, such as ``{"memory": {…}}`` or ``{"requestContext": {…}}``.
            dry_run: send nothing; return what would be sent, and what can't be and why.
            on_progress: called with a `ReplayProgress`, instead of printing.

        Returns:
            A row an input: `columns.REPLAY_COLUMNS`. What couldn't be sent or wasn't answered says why in ``reason``.
            An interrupt ends the sending and returns what there is; ``attrs["interrupted"]`` tells.

        Raises:
            NotFound, InvalidInput: there is no such deployment or dataset, or nothing to send.

        Example:
            >>> recorded = admin.traces(deployment="weather-agent", type="agent_run", since="1d")
            >>> admin.replay(recorded, "weather-agent/staging")[["input", "equal", "diff", "difference_ms"]]
        """
        options = ReplayOptions(concurrency, timeout, rate, wait, dict(fields or {}))
        check_replay(options)
        live = LiveDeployment(self._resolver.deployment(deployment), self._services)
        cases = CaseReader(self._parts.storage, self._telemetry).read(traces, target)
        replay = Replay(live, self._telemetry, options)
        if dry_run:
            return replay.plan(cases)
        sent = sum(case.reason is None for case in cases)
        self._parts.record("replay", "deployment", live.id, inputs=sent)
        return replay.run(cases, on_progress or ReplayPrinter.for_this_output() or (lambda _: None))


def _check_options(confidence: float, min_traces: int, seed: int, limit: int, currency: str) -> Options:
    if not 0 < confidence < 1:
        raise InvalidInput(f"A confidence of {confidence!r} is none.", hint="Give one between 0 and 1, such as 0.95.")
    for name, value in (("min_traces", min_traces), ("limit", limit)):
        if value < 1:
            raise InvalidInput(f"{name} can't be {value!r}.", hint="Give a number from 1 on.")
    return Options(confidence, min_traces, seed=seed, currency=currency)
