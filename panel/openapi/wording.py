"""The texts of the OpenAPI document."""

from __future__ import annotations

from http import HTTPStatus

from ..principals import Need

DESCRIPTION = """\
Everything that the panel shows and does, for programs.

Lists are newest first, `{"teams": [...], "next": cursor or null}`: ask for the next page with `?cursor=`. Items are
`{"team": {...}}`. What takes long (deploy, restart, rollback, promote) answers 202 with the build that was queued and
its address in `Location`. Errors are `{"error": {"code", "message", "hint", "details"}}`; `details.fields` names the
fields of a request that can't be used. Times are UTC. Values of secret variables are never answered.
"""

TAGS = {
    "overview": "The state of everything at a glance.",
    "teams": "Teams own projects; a team's slug is part of every address.",
    "projects": "Mastra apps of a team, each tied to its source.",
    "sources": "Mastra projects that were found on this machine.",
    "deployments": "Projects on a branch: deploy, stop, start, roll back, promote, and how they run.",
    "agents": "The agents of a deployment, and asking one.",
    "env": "Environment variables of projects and deployments; values are write-only.",
    "builds": "Attempts to put a source live.",
    "processes": "The servers.",
    "schedules": "When deployments are deployed again by themselves.",
    "webhooks": "What lets pushes to a repository deploy.",
    "events": "The audit log: who did what.",
    "logs": "What builds and servers print.",
    "observability": "Spans, traces, logs and metrics of the agents.",
    "charts": "Charts of latency, tokens, cost and errors.",
    "alerts": "Rules that tell when something is wrong.",
    "tokens": "What programs sign in with.",
    "members": "Who belongs to a team.",
    "health": "Whether the panel and what it needs are there.",
    "home": "The home itself: its settings, its checks, and what can be removed from it.",
}
"""What each group is about, in the order they are shown."""

PARAMETERS = {
    "team_id": "Id or slug of the team.",
    "project_id": "Id or slug of the project.",
    "deployment_id": "Id of the deployment, or `project` for its only one.",
    "build_id": "Id of the build.",
    "process_id": "Id of the process.",
    "source_id": "Id of what was found.",
    "trace_id": "Id of the trace: 32 hexadecimal digits.",
    "span_id": "Id of the span: 16 hexadecimal digits.",
    "key": "Name of the variable.",
}
"""What the parameters of paths are."""

_STATUSES = {
    400: "The request can't be read.",
    401: "It needs a token or a session.",
    403: "The token isn't for this, or the request comes from elsewhere.",
    404: "There is no such thing, or the token may not see it.",
    409: "It exists already, or the state it is in doesn't allow this.",
    412: "It was changed since the ETag in If-Match.",
    413: "The body is too large.",
    414: "The address is too long: more than 4,000 characters.",
    415: "The body is of another type.",
    422: "A field can't be used as it is; `details.fields` names it.",
    429: "Too many requests; `Retry-After` says when to come again.",
    502: "A server or the router failed.",
    503: "Something that this needs isn't there at the moment.",
}


def describe_need(need: Need) -> str:
    """Return what an endpoint asks of a token, as a sentence."""
    bound = ", bound to no team or project" if need.everywhere else ""
    return f"Needs a token with the scope `{need.scope.value}`{bound}."


def describe_status(status: int) -> str:
    """Return what an error of that status says."""
    return _STATUSES.get(status) or HTTPStatus(status).phrase
