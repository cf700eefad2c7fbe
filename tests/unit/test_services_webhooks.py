"""Webhooks: whose deliveries are taken, what is read from them, and what is deployed."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from fixtures.house import House

from mastra_admin_sdk.errors import Conflict, InvalidInput, NotFound
from mastra_admin_sdk.models import BuildStatus, BuildTrigger, DeploymentType
from mastra_admin_sdk.services.triggers.deliveries import Push, is_genuine, read_id, read_push
from mastra_admin_sdk.services.triggers.webhooks import Receipt, WebhookService

SECRET = "a secret with ünicode"
COMMIT = "4f2c" * 10
BODY = json.dumps({"ref": "refs/heads/main", "after": COMMIT, "pusher": {"name": "ana"}}).encode()


def sign(body: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


SIGNED = {
    "github": {"x-hub-signature-256": f"sha256={sign(BODY)}"},
    "gitea": {"x-gitea-signature": sign(BODY)},
    "forgejo": {"x-forgejo-signature": sign(BODY)},
    "gogs": {"x-gogs-signature": sign(BODY)},
    "gitlab": {"x-gitlab-token": SECRET},
    "bearer": {"authorization": f"Bearer {SECRET}"},
}


@pytest.mark.parametrize("headers", SIGNED.values(), ids=SIGNED)
def test_a_delivery_that_knows_the_secret_is_genuine(headers: dict[str, str]) -> None:
    assert is_genuine(SECRET, headers, BODY)
    assert not is_genuine("another secret", headers, BODY)


@pytest.mark.parametrize("kind", ["github", "gitea", "forgejo", "gogs"])
def test_a_signature_is_that_of_the_body(kind: str) -> None:
    assert not is_genuine(SECRET, SIGNED[kind], BODY + b" ")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": f"Basic {SECRET}"},
        {"x-gitlab-token": ""},
        {"x-hub-signature-256": ""},
        {"x-hub-signature-256": "sha256="},
        {"x-hub-signature-256": "sha1=" + hmac.new(SECRET.encode(), BODY, hashlib.sha1).hexdigest()},
        {"x-hub-signature": "sha1=" + hmac.new(SECRET.encode(), BODY, hashlib.sha1).hexdigest()},
        {"x-hub-signature-256": "sha256=" + "0" * 64, "x-gitlab-token": SECRET},
        {"x-gitlab-token": "\udcff"},
    ],
    ids=str,
)
def test_a_delivery_that_proves_nothing_is_not_genuine(headers: dict[str, str]) -> None:
    assert not is_genuine(SECRET, headers, BODY)


@pytest.mark.parametrize(
    ("payload", "push"),
    [
        ({"ref": "refs/heads/main", "after": COMMIT}, Push("main", COMMIT)),
        ({"ref": "refs/heads/feature/x", "after": COMMIT}, Push("feature/x", COMMIT)),
        ({"ref": "refs/tags/v1.2", "after": COMMIT}, Push("v1.2", COMMIT)),
        ({"ref": "main"}, Push("main")),
        ({"ref": "refs/heads/main", "after": "0" * 40}, Push("main", None, deleted=True)),
        ({"ref": "refs/heads/main", "deleted": True}, Push("main", None, deleted=True)),
        ({"ref": "refs/heads/main", "user_username": "bo"}, Push("main", sender="bo")),
        ({"ref": "refs/heads/main", "pusher": {"login": "c\x1b[31m\nd"}}, Push("main", sender="c[31md")),
        ({"ref": "refs/heads/main", "pusher": "x", "after": 5}, Push("main")),
    ],
    ids=["branch", "slash", "tag", "plain", "gone", "deleted", "gitlab", "escape", "odd"],
)
def test_a_push_is_read(payload: dict[str, Any], push: Push) -> None:
    assert read_push({}, json.dumps(payload).encode()) == push


def test_a_push_as_a_form_is_read() -> None:
    headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    assert read_push(headers, urlencode({"payload": BODY.decode()}).encode()) == Push("main", COMMIT, sender="ana")


def test_a_commit_of_a_megabyte_does_not_get_into_the_audit_log() -> None:
    push = read_push({}, json.dumps({"ref": "refs/heads/main", "after": "a" * 1_000_000}).encode())
    assert push == Push("main", "a" * 64)


@pytest.mark.parametrize(
    "headers",
    [{"x-github-event": "ping"}, {"x-github-event": "issues"}, {"x-gitlab-event": "Issue Hook"}],
    ids=["ping", "issues", "gitlab"],
)
def test_an_event_that_is_no_push_is_nothing_to_do(headers: dict[str, str]) -> None:
    assert read_push(headers, b"whatever") is None


@pytest.mark.parametrize(
    "headers",
    [{"x-gitlab-event": "Push Hook"}, {"x-gitlab-event": "Tag Push Hook"}, {"x-gitea-event": "push"}],
    ids=str,
)
def test_pushes_go_by_several_names(headers: dict[str, str]) -> None:
    assert read_push(headers, BODY) == Push("main", COMMIT, sender="ana")


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b"null", b"\xff\xfe", b"{}", b'{"ref": 5}', b'{"ref": ""}', b"[" * 100_000, b'{"ref": "'],
    ids=["empty", "list", "half", "null", "binary", "object", "number", "blank", "deep", "cut"],
)
def test_a_body_that_is_no_push_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        read_push({}, body)


def test_the_id_of_a_delivery_is_that_of_its_service() -> None:
    assert read_id({"x-github-delivery": "abc"}) == "abc"
    assert read_id({"x-gitlab-event-uuid": "def"}) == "def"
    assert read_id({"x-github-delivery": ""}) is None


# --- what is deployed -------------------------------------------------------------------------------------------------


class Caller:
    """A repository whose pushes reach a project."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.service = WebhookService(house.parts, house.resolver, house.deployments)
        self.deployment = house.add_deployment()
        self.project = house.storage.projects.get(self.deployment.project_id)
        self.webhook = self.service.create(self.project)
        self.count = 0

    def push(self, ref: str = "refs/heads/main", *, delivery: str | None = None, **fields: Any) -> Receipt:
        self.count += 1
        body = json.dumps({"ref": ref, "after": COMMIT, "pusher": {"name": "ana"}, **fields}).encode()
        headers = {
            "X-Hub-Signature-256": f"sha256={sign(body, self.webhook.secret)}",
            "X-GitHub-Delivery": delivery or f"delivery-{self.count}",
        }
        project = self.service.authenticate(self.project.id, headers, body)
        assert project is not None
        return self.service.receive(project, headers, body)


@pytest.fixture
def caller(house: House) -> Caller:
    return Caller(house)


def test_a_push_deploys_what_is_on_its_branch_and_creates_nothing(house: House, caller: Caller) -> None:
    for branch, kind in (("main", DeploymentType.STAGING), ("next", DeploymentType.STAGING)):
        house.deployments.find_or_create(caller.project, branch=branch, type=kind)
    receipt = caller.push()
    assert len(receipt.builds) == 2
    assert {house.storage.deployments.get(item.deployment_id).branch for item in receipt.builds} == {"main"}
    assert {(item.trigger, item.actor) for item in receipt.builds} == {(BuildTrigger.WEBHOOK, "ana")}
    assert len(house.storage.deployments.list()) == 3
    assert caller.push("refs/heads/unknown").builds == ()
    assert len(house.storage.deployments.list()) == 3


def test_a_tag_deploys_what_is_deployed_from_it(house: House, caller: Caller) -> None:
    house.deployments.find_or_create(caller.project, branch="v1.2")
    assert len(caller.push("refs/tags/v1.2").builds) == 1


def test_the_same_delivery_queues_once(house: House, caller: Caller) -> None:
    first, again = caller.push(delivery="same"), caller.push(delivery="same")
    assert [item.id for item in again.builds] == [item.id for item in first.builds]
    assert (first.repeated, again.repeated) == (False, True)
    assert len(house.storage.builds.list()) == 1
    assert not caller.push(delivery="another").repeated


def test_pushes_in_a_row_supersede_each_other(house: House, caller: Caller) -> None:
    builds = [caller.push().builds[0] for _ in range(3)]
    found = [house.storage.builds.get(item.id).status for item in builds]
    assert found == [BuildStatus.SUPERSEDED, BuildStatus.SUPERSEDED, BuildStatus.QUEUED]


def test_a_stopped_deployment_is_passed_over_with_the_reason(house: House, caller: Caller) -> None:
    house.deployments.stop(caller.deployment)
    receipt = caller.push()
    assert receipt.builds == ()
    assert dict(receipt.skipped) == {"main": "It is stopped."}


@pytest.mark.parametrize("fields", [{"deleted": True}, {"after": "0" * 40}], ids=["flag", "zeros"])
def test_a_branch_that_was_deleted_deploys_nothing(caller: Caller, fields: dict[str, Any]) -> None:
    assert caller.push(**fields).builds == ()


def test_the_secret_is_shown_once_stored_encrypted_and_in_no_event(house: House, caller: Caller) -> None:
    secret = caller.webhook.secret
    stored = house.storage.projects.get(caller.project.id)
    assert secret not in str(stored.webhook_secret)
    assert secret not in repr(caller.webhook)
    assert secret not in repr(stored)
    assert secret not in str(house.storage.events.list())
    assert len(secret) >= 40
    with pytest.raises(Conflict, match="already"):
        caller.service.create(caller.project)


def test_a_rotated_secret_ends_the_former_one(caller: Caller) -> None:
    former = caller.webhook.secret
    caller.webhook = caller.service.rotate(caller.project)
    assert caller.webhook.secret != former
    assert len(caller.push().builds) == 1
    assert caller.service.authenticate(caller.project.id, {"X-Gitlab-Token": former}, b"") is None


def test_a_removed_webhook_takes_nothing(caller: Caller) -> None:
    headers = {"X-Gitlab-Token": caller.webhook.secret}
    assert caller.service.authenticate(caller.project.id, headers, b"") is not None
    caller.service.remove(caller.project)
    assert caller.service.authenticate(caller.project.id, headers, b"") is None
    with pytest.raises(NotFound, match="no webhook"):
        caller.service.remove(caller.project)
    with pytest.raises(NotFound, match="no webhook"):
        caller.service.rotate(caller.project)


@pytest.mark.parametrize("project_id", ["", "x", "../etc", "0" * 36], ids=["empty", "word", "path", "zeros"])
def test_an_unknown_project_is_answered_like_a_wrong_secret(caller: Caller, project_id: str) -> None:
    assert caller.service.authenticate(project_id, {"X-Gitlab-Token": caller.webhook.secret}, b"") is None


def test_projects_make_webhooks_too(house: House) -> None:
    project = house.add_project("other")
    assert house.projects.create_webhook(project).path == f"/hooks/{project.id}"
