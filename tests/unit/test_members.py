"""Members: their roles, the owner who stays, and the tokens that are theirs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from fixtures.cli import CommandLine
from fixtures.panel import make_fake_admin, seed

from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.errors import Conflict, InvalidInput, InvalidToken, NotFound
from mastra_admin_sdk.models import MemberRole, TokenScope
from mastra_admin_sdk.services.access.members import MEMBER_COLUMNS

READ, DEPLOY, ADMIN = TokenScope.READ, TokenScope.DEPLOY, TokenScope.ADMIN


@pytest.fixture
def admin(tmp_path: Path) -> Iterator[MastraAdmin]:
    with make_fake_admin(tmp_path) as opened:
        seed(opened.storage, tmp_path)
        yield opened


def test_members_are_added_found_and_listed(admin: MastraAdmin) -> None:
    ana = admin.members.add("search", " Ana@Example.com ", role="owner")
    assert (ana.email, ana.role) == ("ana@example.com", MemberRole.OWNER)
    assert admin.members.get("ANA@example.com") == admin.members.get(ana.id) == ana
    with pytest.raises(Conflict, match=r"ana@example\.com"):
        admin.members.add("search", "ana@example.com")
    other = admin.teams.create("Other")
    admin.members.add(other, "ana@example.com", role="viewer")
    with pytest.raises(InvalidInput, match="2 teams"):
        admin.members.get("ana@example.com")
    assert admin.members.get("ana@example.com", team="search") == ana
    assert admin.members.list("search") == [ana]
    with pytest.raises(NotFound):
        admin.members.get("bob@example.com")


@pytest.mark.parametrize("email", ["", "ana", "ana@", "@b", "a b@c", "a@b@c", "a\n@b", "\ud800@b", "x" * 250 + "@b.de"])
def test_what_is_no_email_is_refused(admin: MastraAdmin, email: str) -> None:
    with pytest.raises(InvalidInput):
        admin.members.add("search", email)


def test_the_last_owner_stays_unless_forced(admin: MastraAdmin) -> None:
    ana = admin.members.add("search", "ana@example.com", role="owner")
    admin.members.add("search", "bob@example.com")
    with pytest.raises(Conflict, match="only owner"):
        admin.members.remove(ana)
    with pytest.raises(Conflict, match="only owner"):
        admin.members.change_role(ana, "viewer")
    assert admin.members.change_role(ana, "owner") == ana
    admin.members.change_role("bob@example.com", "owner")
    admin.members.remove(ana)
    admin.members.remove("bob@example.com", force=True)
    assert admin.members.list() == []


def test_of_two_owners_who_go_at_once_one_stays(admin: MastraAdmin) -> None:
    owners = [admin.members.add("search", f"{name}@example.com", role="owner") for name in ("ana", "bob")]
    refused: list[Exception] = []

    def remove(email: str) -> None:
        try:
            admin.members.remove(email)
        except Conflict as exc:
            refused.append(exc)

    threads = [threading.Thread(target=remove, args=(owner.email,)) for owner in owners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == len(admin.members.list()) == 1


def test_a_token_of_a_member_is_good_for_no_more_than_the_role(admin: MastraAdmin) -> None:
    admin.members.add("search", "ana@example.com", role="owner")
    bob = admin.members.add("search", "bob@example.com")
    made = admin.tokens.create("bob", team="search", member="bob@example.com")
    assert (made.token.scopes, made.token.member_id) == ((READ, DEPLOY), bob.id)
    assert admin.tokens.name_holder(made.token) == "bob@example.com"
    with pytest.raises(InvalidInput, match="can't have the scope admin"):
        admin.tokens.create("bob 2", team="search", member=bob, scopes=["admin"])
    admin.members.change_role(bob, "viewer")
    assert admin.tokens.authenticate(made.secret).scopes == (READ,)
    assert admin.tokens.check(made.token.id).scopes == (READ,)
    admin.members.change_role(bob, "owner")
    assert admin.tokens.authenticate(made.secret).scopes == (READ, DEPLOY)


def test_a_token_of_a_member_is_for_the_team(admin: MastraAdmin) -> None:
    other = admin.teams.create("Other")
    ana = admin.members.add("search", "ana@example.com", role="owner")
    assert admin.tokens.create("a", member=ana).token.team_id == ana.team_id
    of_project = admin.tokens.create("b", member=ana, project="weather").token
    assert (of_project.team_id, of_project.project_id is None) == (None, False)
    with pytest.raises(NotFound):
        admin.tokens.create("c", member=ana, team=other)


def test_tokens_go_with_their_member(admin: MastraAdmin) -> None:
    admin.members.add("search", "ana@example.com", role="owner")
    bob = admin.members.add("search", "bob@example.com")
    made = admin.tokens.create("bob", member=bob)
    assert admin.members.frame().set_index("email").loc["bob@example.com", "tokens"] == 1
    admin.members.remove(bob)
    with pytest.raises(InvalidToken):
        admin.tokens.authenticate(made.secret)
    with pytest.raises(InvalidToken):
        admin.tokens.check(made.token.id)
    event = admin.events.list(object_type="member", action="remove")[0]
    assert (event.details["object"], event.details["team"], event.details["tokens"]) == (
        "bob@example.com",
        "search",
        ["bob"],
    )


def test_the_frame_has_its_columns_also_when_empty(admin: MastraAdmin) -> None:
    frame = admin.members.frame()
    assert frame.empty
    assert dict(frame.dtypes.astype(str)) == dict(MEMBER_COLUMNS)


def test_a_token_is_called_something_else(admin: MastraAdmin) -> None:
    one, two = admin.tokens.create("one"), admin.tokens.create("two")
    assert admin.tokens.rename(one.token, "three").name == "three"
    with pytest.raises(Conflict, match="'two'"):
        admin.tokens.rename(one.token, "two")
    with pytest.raises(InvalidInput):
        admin.tokens.rename(two.token, "\ud800")
    assert admin.tokens.authenticate(one.secret).name == "three"


def test_the_command_line_adds_changes_and_removes_members(command_line: CommandLine) -> None:
    command_line.deploy()
    shown = command_line.run("members", "add", "default", "ana@example.com", "--role", "owner").stdout
    assert "ana@example.com is an owner of default" in shown
    command_line.run("members", "add", "default", "bob@example.com")
    command_line.run("tokens", "create", "bob", "--team", "default", "--member", "bob@example.com")
    assert command_line.run_json("tokens", "list")[0]["scopes"] == "read, deploy"
    found = {item["email"]: item for item in command_line.run_json("members", "list", "default")}
    assert (found["bob@example.com"]["role"], found["bob@example.com"]["tokens"]) == ("member", 1)
    assert "a viewer" in command_line.run("members", "role", "bob@example.com", "viewer").stdout
    assert "bob@example.com" in command_line.run("members", "list").stdout
    assert "no longer in default" in command_line.run("members", "remove", "bob@example.com").stdout
    assert command_line.run_json("tokens", "list") == []
