"""``/settings``: who may do what, what is kept, what is set, and whether all is well."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from importlib import metadata
from typing import Any

from flask import Blueprint, Response, request, url_for

import mastra_admin_sdk
from mastra_admin_sdk.display.charts.script import find_script
from mastra_admin_sdk.errors import NotFound
from mastra_admin_sdk.models import Member, Team, TokenScope

from ..context import current_panel
from ..lookup import visible_projects, visible_teams
from ..principals import can, current_principal
from ..problems import Refused
from ..rendering import render_page
from ..viewmodels.settings import GROUPS, OF_EVERYBODY, TABS, list_prices, list_settings

blueprint = Blueprint("settings", __name__)

_LIBRARIES = ("flask", "gunicorn", "pandas", "pyarrow", "chdb-core", "clickhouse-driver", "sqlalchemy", "plotly")
_OF_ADMINS = frozenset({"doctor", "tokens"})
_ASK = "Sign in with a token of the scope 'admin' that is for all teams, or ask somebody who has one."


@blueprint.get("/settings")
def show() -> Response:
    """Show one of `TABS`, chosen by ``?tab=``."""
    offered = [name for name in TABS if _may_see(name)]
    tab = request.args.get("tab") or offered[0]
    if tab in TABS and tab not in offered:
        who = current_principal().name
        raise Refused(403, "forbidden", f"{who!r} may not see the settings of {TABS[tab].lower()!r}.", hint=_ASK)
    if tab not in offered:
        raise NotFound(f"There are no settings {tab[:40]!r}.", hint=f"There are: {', '.join(offered)}.")
    describe = _DESCRIBERS[tab]
    return render_page(
        f"settings/{tab}.html",
        tab=tab,
        tabs=[(TABS[name], url_for(".show", tab=name), name == tab) for name in offered],
        settings=list_settings(current_panel().admin.settings, GROUPS[tab]) if tab in GROUPS else [],
        settings_file=str(current_panel().admin.home.path / "settings.toml") if tab not in OF_EVERYBODY else "",
        **describe(),
    )


def _may_see(tab: str) -> bool:
    if tab not in OF_EVERYBODY and current_principal().is_bound:
        return False
    return tab not in _OF_ADMINS or can(TokenScope.ADMIN)


def _show_about() -> dict[str, Any]:
    panel = current_panel()
    admin, document = panel.admin, panel.glance.look().document
    return {
        "versions": {
            "MastraAdmin": mastra_admin_sdk.__version__,
            "Python": platform.python_version(),
            "System": f"{platform.system()} {platform.release()}, {platform.machine()}",
            "plotly.js": find_script().version,
            **{name: metadata.version(name) for name in _LIBRARIES},
        },
        "places": {
            "Home": str(admin.home.path),
            "Records": admin.storage.describe(),
            "Telemetry": admin.observability.describe(),
            "Sources": admin.source.describe(),
            "Servers": admin.runner.describe(),
            "Addresses": admin.router.describe(),
        },
        "engine": document["engine"],
        "panel_address": f"{panel.options.bind}:{panel.options.port}",
        "host_names": list(panel.options.hosts),
    }


def _show_members() -> dict[str, Any]:
    return {"teams": [_describe_team(team) for team in visible_teams()], "roles": _ROLES}


def _describe_team(team: Team) -> dict[str, Any]:
    members = [_describe_member(item) for item in current_panel().admin.members.list(team)]
    return {"id": team.id, "name": team.name, "slug": team.slug, "members": members}


def _describe_member(member: Member) -> dict[str, str]:
    return {
        "id": member.id,
        "email": member.email,
        "role": member.role.value,
        "created_at": member.created_at.isoformat(),
    }


def _show_tokens() -> dict[str, Any]:
    admin, teams = current_panel().admin, visible_teams()
    tokens = [_describe_token(admin.tokens.describe(token)) for token in visible_tokens()]
    return {
        # Those that are good come first, each kind newest first.
        "tokens": sorted(tokens, key=lambda token: token["status"] != "active"),
        "teams": [_describe_team(team) for team in teams] if not current_principal().project_id else [],
        "scopes": [(scope.value, _SCOPES.get(scope.value, "")) for scope in TokenScope],
    }


def visible_tokens() -> list[Any]:
    """Return the tokens that whoever asks may see: all, or those of their team."""
    principal, admin = current_principal(), current_panel().admin
    if not principal.is_bound:
        return list(admin.tokens.list())
    projects = {project.id for project in visible_projects()}
    teams = {principal.team_id} if principal.project_id is None else set()
    return [token for token in admin.tokens.list() if token.team_id in teams or token.project_id in projects]


def _describe_token(row: Mapping[str, Any]) -> dict[str, Any]:
    times = ("created_at", "last_used_at", "expires_at", "revoked_at")
    return {**row, **{name: row[name].isoformat() if row.get(name) else None for name in times}}


def _show_retention() -> dict[str, Any]:
    return {}


def _show_domain() -> dict[str, Any]:
    admin = current_panel().admin
    projects = {project.id: project.slug for project in visible_projects()}
    shown = [live.record for live in admin.deployments.list() if live.record.public_url or live.record.domains]
    port, bind = admin.settings.router_port, admin.settings.router_bind
    return {
        "example": f"http://project.team.{admin.settings.base_domain}" + (f":{port}" if port != 80 else ""),
        "is_local": bind in {"127.0.0.1", "::1", "localhost"},
        "is_router_running": current_panel().glance.look().document["router"]["running"],
        "deployments": [
            {
                "id": item.id,
                "name": f"{projects[item.project_id]}/{item.slug}",
                "url": item.public_url,
                "domains": list(item.domains),
                "tls": item.tls,
            }
            for item in shown[:100]
            if item.project_id in projects
        ],
    }


def _show_policy() -> dict[str, Any]:
    admin = current_panel().admin
    return {
        "prices": list_prices(admin.settings),
        "currency": admin.settings["prices"].get("currency", "USD"),
        "prices_source": admin.settings.origin("prices"),
    }


def _show_doctor() -> dict[str, Any]:
    checks = current_panel().admin.doctor()
    return {
        "checks": [{"name": item.name, "ok": item.ok, "text": item.text, "hint": item.hint} for item in checks],
        "faults": sum(not item.ok for item in checks),
    }


def _show_background() -> dict[str, Any]:
    document = current_panel().glance.look().document
    return {
        "roles": [
            {"name": name, "does": _DUTIES.get(name, ""), "holder": holder}
            for name, holder in document["roles"].items()
        ],
        "is_supervised": document["is_supervised"],
        "router": document["router"],
        "engine": document["engine"],
        "ingestion": document["ingestion"],
        "lag": document["lag"],
    }


def _show_all() -> dict[str, Any]:
    return {"every": list_settings(current_panel().admin.settings)}


_DESCRIBERS: Mapping[str, Callable[[], dict[str, Any]]] = {
    "about": _show_about,
    "members": _show_members,
    "tokens": _show_tokens,
    "retention": _show_retention,
    "domain": _show_domain,
    "policy": _show_policy,
    "doctor": _show_doctor,
    "background": _show_background,
    "all": _show_all,
}
_ROLES = (
    ("viewer", "reads"),
    ("member", "reads and deploys"),
    ("owner", "does everything in the team"),
)
_SCOPES = {
    "read": "see everything, change nothing",
    "deploy": "deploy, restart, stop, roll back",
    "admin": "everything, settings and tokens too",
    "ingest": "send telemetry, and nothing else",
}
_DUTIES = {
    "supervisor": "restarts servers that ended or don't answer",
    "ingester": "stores telemetry",
    "scheduler": "starts builds that are due",
    "watcher": "deploys folders that change",
    "poller": "deploys repositories that change",
    "janitor": "removes what is no longer kept",
    "alerter": "evaluates alerts",
    "messenger": "sends their messages",
}
