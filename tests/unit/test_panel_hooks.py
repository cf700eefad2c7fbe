"""The panel's door for webhooks: open to whoever knows the secret, and weakening nothing else."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from fixtures.panel import BASE, TOKEN, make_fake_admin, seed
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from mastra_admin_panel import create_app
from mastra_admin_panel.context import EXTENSION, MOST_DELIVERIES
from mastra_admin_panel.limits import RateLimit
from mastra_admin_sdk import MastraAdmin

TUNNEL = "https://something.tunnel.example"


class Hook:
    """A webhook of a running deployment, and a client that calls it."""

    def __init__(self, admin: MastraAdmin, home: Path) -> None:
        self.admin = admin
        self.seeded = seed(admin.storage, home)
        self.webhook = admin.webhooks.create(self.seeded.project)
        self.app = create_app(admin, token=TOKEN)
        self.client: FlaskClient = self.app.test_client()

    def call(self, body: bytes | None = None, *, base: str = BASE, **headers: str) -> TestResponse:
        body = json.dumps({"ref": "refs/heads/main"}).encode() if body is None else body
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(self.webhook.path, base_url=base, data=body, headers=given)

    def push(self, **options: Any) -> TestResponse:
        return self.call(X_Gitlab_Token=self.webhook.secret, **options)


@pytest.fixture
def hook(tmp_path: Path) -> Iterator[Hook]:
    with make_fake_admin(tmp_path / "home") as admin:
        yield Hook(admin, tmp_path / "home")


def test_a_push_is_answered_with_links_to_its_builds(hook: Hook) -> None:
    answer = hook.push()
    assert answer.status_code == 202
    (build,) = answer.json["builds"]
    found = hook.client.get(build["url"], base_url=BASE, headers={"Authorization": f"Bearer {TOKEN}"})
    assert found.json["build"]["trigger"] == "webhook"
    assert found.json["build"]["number"] == build["number"]


def test_github_signs_the_body(hook: Hook) -> None:
    body = json.dumps({"ref": "refs/heads/main"}).encode()
    signature = "sha256=" + hmac.new(hook.webhook.secret.encode(), body, hashlib.sha256).hexdigest()
    assert hook.call(body, X_Hub_Signature_256=signature, X_GitHub_Event="push").status_code == 202
    assert hook.call(body + b" ", X_Hub_Signature_256=signature, X_GitHub_Event="push").status_code == 401
    ping = hook.call(body, X_Hub_Signature_256=signature, X_GitHub_Event="ping")
    assert (ping.status_code, ping.json["builds"]) == (200, [])


def test_the_secret_works_as_a_bearer_token_and_the_panels_token_does_not(hook: Hook) -> None:
    assert hook.call(Authorization=f"Bearer {hook.webhook.secret}").status_code == 202
    assert hook.call(Authorization=f"Bearer {TOKEN}").status_code == 401


@pytest.mark.parametrize("headers", [{}, {"X-Gitlab-Token": "wrong"}, {"Authorization": "Bearer wrong"}], ids=str)
def test_who_does_not_know_the_secret_is_refused(hook: Hook, headers: dict[str, str]) -> None:
    answer = hook.client.post(hook.webhook.path, base_url=BASE, json={"ref": "refs/heads/main"}, headers=headers)
    assert (answer.status_code, answer.json["error"]["code"]) == (401, "bad_signature")
    assert len(hook.admin.builds.list()) == 1


def test_a_session_of_the_panel_is_no_secret_of_a_webhook(hook: Hook) -> None:
    hook.client.get(f"/?token={TOKEN}", base_url=BASE)
    assert hook.client.get("/", base_url=BASE).status_code == 200
    assert hook.call(Origin=BASE).status_code == 401


def test_an_unknown_project_is_answered_like_a_wrong_secret(hook: Hook) -> None:
    unknown = hook.client.post("/hooks/unknown", base_url=BASE, data=b"{}", headers={"X-Gitlab-Token": "x"})
    wrong = hook.call(X_Gitlab_Token="x")
    assert (unknown.status_code, unknown.json) == (wrong.status_code, wrong.json)


def test_a_tunnel_may_have_any_name_for_webhooks_and_none_for_the_rest(hook: Hook) -> None:
    assert hook.push(base=TUNNEL).status_code == 202
    assert hook.call(base=TUNNEL).status_code == 401
    for path in ("/", "/api/overview", "/health", "/hooks/", hook.webhook.path):
        assert hook.client.get(path, base_url=TUNNEL).status_code == 403, path
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert hook.client.get("/api/overview", base_url=TUNNEL, headers=headers).status_code == 403


@pytest.mark.parametrize("method", ["get", "put", "delete", "patch"])
def test_other_methods_pass_no_check(hook: Hook, method: str) -> None:
    answer = getattr(hook.client, method)(
        hook.webhook.path, base_url=BASE, headers={"X-Gitlab-Token": hook.webhook.secret}
    )
    assert answer.status_code in (401, 403)


def test_a_body_that_is_too_large_is_refused(hook: Hook) -> None:
    assert hook.push(body=b" " * (1024 * 1024 + 1)).status_code == 413


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff"], ids=["empty", "list", "object", "binary"])
def test_a_body_that_cannot_be_read_is_refused_with_the_reason(hook: Hook, body: bytes) -> None:
    answer = hook.push(body=body)
    assert (answer.status_code, answer.json["error"]["code"]) == (400, "invalid_input")


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "application/json"])
def test_json_is_read_whatever_it_is_called_as_curl_calls_it_a_form(hook: Hook, kind: str) -> None:
    bearer = f"Bearer {hook.webhook.secret}"
    assert hook.call(Authorization=bearer, Content_Type=kind).status_code == 202


def test_a_form_may_hold_the_json_as_its_payload(hook: Hook) -> None:
    body = urlencode({"payload": '{"ref": "refs/heads/main"}'}).encode()
    assert hook.push(body=body, Content_Type="application/x-www-form-urlencoded").status_code == 202


def test_a_body_that_is_no_json_is_refused_with_its_content_type(hook: Hook) -> None:
    answer = hook.push(body=b"ref=main", Content_Type="application/x-www-form-urlencoded")
    assert (answer.status_code, "x-www-form-urlencoded" in answer.json["error"]["message"]) == (400, True)


def test_a_branch_that_nothing_is_on_is_nothing_to_do(hook: Hook) -> None:
    answer = hook.push(body=b'{"ref": "refs/heads/other"}')
    assert (answer.status_code, answer.json["builds"]) == (200, [])
    assert "other" in answer.json["message"]


def test_the_same_delivery_queues_once(hook: Hook) -> None:
    first = hook.call(X_Gitlab_Token=hook.webhook.secret, X_Gitlab_Event_UUID="one")
    again = hook.call(X_Gitlab_Token=hook.webhook.secret, X_Gitlab_Event_UUID="one")
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json["builds"][0]["id"] == first.json["builds"][0]["id"]
    assert len(hook.admin.builds.list()) == 2


def test_too_many_deliveries_are_put_off_and_strangers_do_not_count(hook: Hook) -> None:
    for _ in range(3):
        assert hook.call(X_Gitlab_Token="wrong").status_code == 401
    hook_limit = hook.app.extensions[EXTENSION].deliveries
    for _ in range(MOST_DELIVERIES - 1):
        hook_limit.take(hook.seeded.project.id)
    answers = [hook.push() for _ in range(2)]
    assert {answer.status_code for answer in answers[:-1]} == {202}
    assert (answers[-1].status_code, answers[-1].json["error"]["code"]) == (429, "too_many_requests")
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 60


def test_a_limit_is_for_each_key_and_for_a_time() -> None:
    now = [0.0]
    limit = RateLimit(2, 10.0, clock=lambda: now[0])
    assert [limit.take("a"), limit.take("a"), limit.take("b")] == [0.0, 0.0, 0.0]
    now[0] = 4.0
    assert limit.take("a") == 6.0
    now[0] = 10.0
    assert limit.take("a") == 0.0


def test_every_panel_has_limits_of_its_own(hook: Hook) -> None:
    other = create_app(hook.admin, token=TOKEN)
    assert other.extensions[EXTENSION].deliveries is not hook.app.extensions[EXTENSION].deliveries
