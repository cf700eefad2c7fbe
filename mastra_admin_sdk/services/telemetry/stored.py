"""Where a stored trace gets its logs, its scores and its address in the panel."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from mastra_admin_sdk.host import is_alive
from mastra_admin_sdk.services.parts import Parts

from .pricing import price_trace
from .service import TelemetryService

if TYPE_CHECKING:
    import pandas as pd

_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}  # noqa: S104 - looked up, not listened on


class StoredTraces:
    """The `TraceSource` of traces that come from the store."""

    def __init__(self, telemetry: TelemetryService, parts: Parts) -> None:
        self._telemetry, self._parts = telemetry, parts

    def trace(self, trace_id: str) -> pd.DataFrame:
        """Return its spans as they are stored now."""
        return self._telemetry.trace(trace_id)

    def logs(self, **filters: Any) -> pd.DataFrame:
        """Return its log lines."""
        return self._telemetry.logs(**filters)

    def scores(self, **filters: Any) -> pd.DataFrame:
        """Return its scores."""
        return self._telemetry.scores(**filters)

    def feedback(self, **filters: Any) -> pd.DataFrame:
        """Return its feedback."""
        return self._telemetry.feedback(**filters)

    def price(self, frame: pd.DataFrame) -> float | None:
        """Return what its tokens cost, if its models have a price."""
        return price_trace(frame, self._telemetry.prices)

    @property
    def currency(self) -> str:
        """The currency of the price table."""
        return self._telemetry.currency

    def trace_url(self, trace_id: str) -> str:
        """Return its address in the panel: where that runs, else where it would by the settings."""
        return f"{self._find_panel() or self._expect_panel()}/traces/{quote(trace_id, safe='')}"

    def is_panel_open(self) -> bool:
        """True while a panel of this home runs."""
        return self._find_panel() is not None

    def _expect_panel(self) -> str:
        bind = str(self._parts.settings.panel_bind)
        host = _ANYWHERE.get(bind, f"[{bind}]" if ":" in bind else bind)
        return f"http://{host}:{int(self._parts.settings.panel_port) or 3001}"

    def _find_panel(self) -> str | None:
        try:
            record = json.loads((self._parts.home.run / "panel.json").read_text(encoding="utf-8"))
            alive = is_alive(int(record["pid"]), int(record["start_ticks"]), str(record["boot_id"]))
            return str(record["facts"]["url"]).rstrip("/") if alive else None
        except (OSError, ValueError, KeyError, TypeError):
            return None  # no panel has left a record that could be read
