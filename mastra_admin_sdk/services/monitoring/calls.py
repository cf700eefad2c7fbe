"""How deployments do, as methods of `MastraAdmin`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from .options import Span, read_span

if TYPE_CHECKING:
    import pandas as pd

    from .figures import Figures, FigureService
    from .health import HealthService
    from .measures import Activity


class MonitoringCalls:
    """Health as a DataFrame, and what is measured as figures."""

    _health: HealthService
    _figures: FigureService

    def health(self, window: Span = "5m") -> pd.DataFrame:
        """Return how each deployment does, as observed just now.

        Parameters:
            window: for traces: those that ended in this time until now, such as ``"5m"`` or ``"1h"``.

        Returns:
            A row a deployment, by team, project and name; columns and dtypes of `columns.HEALTH_COLUMNS`, also when
            there is none. ``frame.attrs`` has ``lag_s`` of the whole home, and whether it is ``supervised``, the
            ``router`` and the ``engine`` run.

        Example:
            >>> sick = admin.health().query("healthy < servers or alerts > 0 or error_rate > 0.05")
        """
        return self._health.frame(read_span(window, "window"))

    def activity(self, window: Span = "1h") -> Mapping[str, Activity]:
        """Return how many traces each deployment had, how many of them failed, and how long they took.

        Parameters:
            window: those that ended in this time until now, and are stored.

        Returns:
            `measures.Activity` by the id of the deployment; one without traces isn't in it.

        Raises:
            ObservabilityError: the store can't be asked.

        Example:
            >>> slow = {key for key, found in admin.activity().items() if found.percentiles[95] > 10_000}
        """
        return self._health.measure_activities(read_span(window, "window"))

    def figures(self) -> Figures:
        """Return all that is counted and measured, as observed just now: what the panel's ``/metrics`` shows."""
        return self._figures.collect()
