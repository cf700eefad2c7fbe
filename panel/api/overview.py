"""``/api/overview``: the state of everything, with an ETag."""

from __future__ import annotations

from flask import Blueprint

from ..context import current_panel
from ..openapi import Tagged, endpoint
from ..principals import current_principal
from .schemas.overview import Overview

blueprint = Blueprint("api_overview", __name__)


@blueprint.get("/overview")
@endpoint(conditional=True)
def show_overview() -> Tagged[Overview]:
    """Show teams, projects, deployments, recent builds and what runs them.

    It is a second old at most. A token that is bound to a team or project sees what is of it.
    """
    look, principal = current_panel().glance.look(), current_principal()
    if not principal.is_bound:
        return Tagged(look.overview, look.etag)
    own = look.overview.limit(principal.team_id or "", principal.project_id)
    return Tagged(own, f"{look.etag}-{principal.team_id}-{principal.project_id or ''}")
