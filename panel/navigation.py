"""Where the pages are: what the side bar lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import current_app, request, url_for


@dataclass(frozen=True, slots=True)
class Destination:
    """One entry: ``key`` goes there after ``g``; ``icon`` is its symbol in ``icons.svg``; ``modules`` are the page
    modules that count as this one."""

    label: str
    endpoint: str
    icon: str
    key: str
    modules: tuple[str, ...]


_GROUPS: tuple[tuple[str, tuple[Destination, ...]], ...] = (
    (
        "Run",
        (
            Destination("Overview", "pages.overview.show", "overview", "o", ("overview",)),
            Destination("Projects", "pages.projects.list_projects", "projects", "p", ("projects", "deployments")),
            Destination("Builds", "pages.builds.list_builds", "builds", "b", ("builds",)),
            Destination("Teams", "pages.teams.list_teams", "teams", "m", ("teams",)),
        ),
    ),
    (
        "Observe",
        (
            Destination("Traces", "pages.traces.list_traces", "traces", "t", ("traces",)),
            Destination("Spans", "pages.spans.list_spans", "spans", "n", ("spans",)),
            Destination("Logs", "pages.logs.list_logs", "logs", "l", ("logs",)),
            Destination("Usage", "pages.usage.show", "usage", "u", ("usage",)),
            Destination("Alerts", "pages.alerts.show", "alerts", "a", ("alerts",)),
        ),
    ),
    (
        "Home",
        (
            Destination("Settings", "pages.settings.show", "settings", "s", ("settings",)),
            Destination("API", "pages.explorer.show", "api", "i", ("explorer",)),
        ),
    ),
)


def list_destinations() -> Sequence[tuple[str, Sequence[dict[str, object]]]]:
    """Return the groups of the side bar, each entry with its address and whether the current page belongs to it."""
    here = _find_module(request.endpoint or "")
    return [
        (
            title,
            [_describe(entry, here) for entry in entries if entry.endpoint in current_app.view_functions],
        )
        for title, entries in _GROUPS
    ]


def _describe(entry: Destination, here: str) -> dict[str, object]:
    return {
        "label": entry.label,
        "url": url_for(entry.endpoint),
        "icon": entry.icon,
        "key": entry.key,
        "is_current": here in entry.modules,
    }


def _find_module(endpoint: str) -> str:
    parts = endpoint.split(".")
    return parts[1] if len(parts) == 3 and parts[0] == "pages" else ""
