"""``/hooks/<project id>``: what a repository's webhook calls. No session: its sender has to know the secret."""

from __future__ import annotations

import math

from flask import Blueprint, Response, jsonify, make_response, request, url_for

from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.models import Build

from ..context import current_panel
from ..problems import Refused

blueprint = Blueprint("hooks", __name__)


@blueprint.post("/hooks/<project_id>")
def receive(project_id: str) -> Response:
    """Deploy what is on the branch that was pushed: 202 with the builds, 200 when there is nothing to do.

    401 for a wrong signature, 413 above 1 MB, 429 for more than 30 deliveries of a project in a minute.
    """
    panel, headers, body = current_panel(), dict(request.headers), request.get_data(cache=False)
    webhooks = panel.admin.webhooks
    project = webhooks.authenticate(project_id, headers, body)
    if project is None:
        raise Refused(
            401,
            "bad_signature",
            "There is no such webhook, or the request isn't signed with its secret.",
            hint="Set the secret in the repository's webhook; `mastra-admin webhooks create` tells a new one.",
        )
    wait = panel.deliveries.take(project.id)
    if wait:
        return _refuse_many(wait)
    try:
        receipt = webhooks.receive(project, headers, body)
    except InvalidInput as exc:
        # Its sender made the body as its protocol says: no field of ours to name.
        raise Refused(400, exc.code, exc.message, hint=exc.hint) from exc
    status = 202 if receipt.builds and not receipt.repeated else 200
    answer = {"message": receipt.message, "builds": [_shape(item) for item in receipt.builds]}
    return make_response(jsonify(**answer, skipped=dict(receipt.skipped)), status)


def _shape(build: Build) -> dict[str, object]:
    return {
        "id": build.id,
        "number": build.number,
        "deployment_id": build.deployment_id,
        "status": build.status.value,
        "url": url_for("api_builds.show_build", build_id=build.id),
    }


def _refuse_many(wait: float) -> Response:
    problem = {
        "code": "too_many_requests",
        "message": "This webhook was called too often.",
        "hint": f"Try again in {math.ceil(wait)} s.",
        "details": {},
    }
    return make_response(jsonify(error=problem), 429, {"Retry-After": str(math.ceil(wait))})
