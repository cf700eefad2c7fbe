"""What of a project's telemetry may be stored: the settings, read once, with the project's own entries in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mastra_admin_sdk.errors import NotFound
from mastra_admin_sdk.policy import TelemetryPolicy, read_policy

if TYPE_CHECKING:
    from mastra_admin_sdk.ports.storage import AdminStorage


class Policies:
    """The policies of a home's projects.

    Raises:
        SettingError: when made: a setting of the policy can't be used.
    """

    def __init__(self, settings: Mapping[str, Any], storage: AdminStorage) -> None:
        self._settings, self._storage = settings, storage
        self._known: dict[str, TelemetryPolicy] = {}
        self.general = read_policy(settings)

    def find(self, project_id: str | None) -> TelemetryPolicy:
        """Return a project's policy; the general one for a project that isn't known here."""
        if project_id is None:
            return self.general
        if project_id not in self._known:
            self._known[project_id] = self._read(project_id)
        return self._known[project_id]

    def _read(self, project_id: str) -> TelemetryPolicy:
        try:
            project = self._storage.projects.get(project_id)
            team = self._storage.teams.get(project.team_id)
        except NotFound:
            return self.general
        return read_policy(self._settings, (project.id, project.slug, f"{team.slug}/{project.slug}"))
