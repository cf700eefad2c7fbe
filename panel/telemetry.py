"""What the pages of telemetry share: filters of the address, whose a row is, and how values are shown."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flask import Response, make_response, request, url_for

from mastra_admin_sdk.errors import InvalidInput, MastraAdminError, NotFound, QueryError
from mastra_admin_sdk.services.telemetry.wording import DEFAULT_HOURS

from .conditional import tag
from .context import current_panel
from .lookup import list_scope, telemetry_scope, visible_projects
from .records import list_records

if TYPE_CHECKING:
    import pandas as pd

PAGE_ROWS = 100
RANGES = (("15m", "15 minutes"), ("1h", "hour"), ("6h", "6 hours"), ("24h", "24 hours"), ("7d", "7 days"))
LEVELS = ("debug", "info", "warn", "error", "fatal")
TYPES = (
    *("agent_run", "model_generation", "model_step", "tool_call", "mcp_tool_call", "workflow_run", "workflow_step"),
    *("processor_run", "memory_operation", "rag_embedding", "generic"),
)
"""Types of spans that are offered; others can be written into the address."""

_OWNERS = ("project", "deployment", "build")
_FOLDED = ("branch", "build", "agent", "model", "user", "thread", "name", "trace_id", "until")
_OF_PAGE = frozenset({"live", "token"})


@dataclass(frozen=True, slots=True)
class TelemetryList:
    """What a page with a list of telemetry shows.

    ``problem`` is why nothing could be asked: a filter that isn't there, or a name of nothing.
    """

    rows: Sequence[Mapping[str, Any]] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    problem: MastraAdminError | None = None

    @property
    def status(self) -> int:
        """The HTTP status of the page."""
        return 400 if self.problem else 200

    @property
    def next_url(self) -> str | None:
        """The address of the next page."""
        return change_query(after=self.facts["next"], live=None) if self.facts.get("next") else None

    @property
    def is_first(self) -> bool:
        """True when it begins at the beginning."""
        return "after" not in request.args

    @property
    def note(self) -> str:
        """How many there are, and of what time: what isn't shown must not look as if it weren't there."""
        if self.problem or not self.rows:
            return ""
        count, total = len(self.rows), self.facts.get("total")
        if not self.facts.get("truncated"):
            text = f"{count:,} on this page" if not self.is_first else f"{count:,}"
        else:
            text = f"{count:,} of {total:,}" if total else f"{count:,}, and there are more"
        return f"{text}, of the last {DEFAULT_HOURS} hours" if self.is_default_range else text

    @property
    def is_default_range(self) -> bool:
        """True when only the last day was looked at, and nobody had asked for that."""
        return bool(self.facts.get("default_since"))


def read_list(ask: Callable[..., pd.DataFrame], columns: Sequence[str] | None = None) -> TelemetryList:
    """Ask what the address of the page says, within what may be seen.

    Parameters:
        ask: ``admin.spans`` or its like.
        columns: what the page shows; long texts that it doesn't would take longest to read.
    """
    try:
        frame = ask(**read_filters(), limit=PAGE_ROWS, columns=columns)
    except (InvalidInput, NotFound, QueryError) as problem:
        return TelemetryList(problem=problem)
    return TelemetryList(list_records(frame, as_json=True), {str(name): fact for name, fact in frame.attrs.items()})


def answer_page(html: str, status: int = 200) -> Response:
    """Return a page with a tag of all that is in it."""
    response = make_response(html, status)
    return (
        tag(response, hashlib.sha256(html.encode("utf-8", "replace")).hexdigest()[:20]) if status == 200 else response
    )


def describe_list(found: TelemetryList) -> dict[str, Any]:
    """Return what the templates of all lists get."""
    return {
        "found": found,
        "owners": find_owners(),
        "builds": number_builds(found.rows),
        "ranges": RANGES,
        "more": any(request.args.get(name) for name in _FOLDED),
        "change_query": change_query,
    }


def read_filters() -> dict[str, Any]:
    """Return the filters of the address as the SDK takes them; it refuses those that it doesn't know."""
    given = {name: [each for each in values if each] for name, values in request.args.lists() if name not in _OF_PAGE}
    asked: dict[str, Any] = {
        name: values[0] if len(values) == 1 else values for name, values in given.items() if values
    }
    if "limit" in asked or "columns" in asked or "count" in asked or "chunks" in asked:
        raise InvalidInput("What a page shows can't be chosen.", hint="Leave limit, columns, count and chunks out.")
    project, deployment, build = (asked.pop(name, None) for name in _OWNERS)
    for name, value in (("project", project), ("build", build)):
        if isinstance(value, list):
            raise InvalidInput(f"A page shows one {name}, or all of them.", hint=f"Leave one {name} in the address.")
    return {**asked, **telemetry_scope(project, deployment, build)}


def change_query(**changes: str | None) -> str:
    """Return the address of this page with other parameters; ``None`` takes one out. Paging begins anew."""
    args = {name: values for name, values in request.args.lists() if name not in {"after", "token"}}
    for name, value in changes.items():
        args.pop(name, None)
        if value is not None:
            args[name] = [value]
    return url_for(request.endpoint or "", **{**(request.view_args or {}), **args})


@dataclass(frozen=True, slots=True)
class Owners:
    """The names of what telemetry belongs to. What was deleted has none: its telemetry stays."""

    projects: Mapping[str, str]
    deployments: Mapping[str, tuple[str, str]]
    branches: Sequence[str] = ()

    @property
    def branch_options(self) -> list[tuple[str, str]]:
        """Branches as choices."""
        return [(branch, branch) for branch in self.branches]

    def name_project(self, project_id: str | None) -> str | None:
        """Return a project's name."""
        return self.projects.get(project_id or "")

    def name_deployment(self, deployment_id: str | None) -> str | None:
        """Return a deployment's slug."""
        found = self.deployments.get(deployment_id or "")
        return found[1] if found else None

    def list_deployments(self, project: str | None) -> list[tuple[str, str]]:
        """Return ids and names of the deployments of a project, or of all."""
        listed = [
            (key, name if project else f"{self.projects.get(owner, '?')} / {name}")
            for key, (owner, name) in self.deployments.items()
            if project in (None, "", owner)
        ]
        return sorted(listed, key=lambda item: item[1])


def find_owners() -> Owners:
    """Return the names of what the principal may see."""
    scope: dict[str, Any] = dict(list_scope())
    deployments = [item.record for item in current_panel().admin.deployments.list(**scope)]
    return Owners(
        {project.id: project.name for project in visible_projects()},
        {item.id: (item.project_id, item.slug) for item in deployments},
        sorted({item.branch for item in deployments}),
    )


def number_builds(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return the numbers of the builds that rows name; those that were removed have none."""
    found: dict[str, int] = {}
    for build_id in {row["build_id"] for row in rows if row.get("build_id")}:
        try:
            found[build_id] = current_panel().admin.storage.builds.get(build_id).number
        except NotFound:
            continue
    return found
