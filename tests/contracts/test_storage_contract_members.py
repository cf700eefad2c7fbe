"""What every storage promises for members, and for tokens that have names and belong to members."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from fixtures.storage import make_project, make_team

from mastra_admin_sdk.errors import Conflict, InvalidInput, MastraAdminError, NotFound
from mastra_admin_sdk.models import Event, Member, MemberRole, Token, TokenScope, utc_now
from mastra_admin_sdk.ports.storage import AdminStorage


def test_members_are_kept_as_they_are(storage: AdminStorage) -> None:
    team = make_team(storage)
    member = Member(team.id, "ana@example.com", MemberRole.OWNER)
    assert storage.members.create(member) == storage.members.get(member.id) == member


def test_an_email_is_in_a_team_once(storage: AdminStorage) -> None:
    team, other = make_team(storage), make_team(storage, "other")
    ana = storage.members.create(Member(team.id, "ana@example.com"))
    with pytest.raises(Conflict, match=r"ana@example\.com"):
        storage.members.create(Member(team.id, "ana@example.com"))
    bob = storage.members.create(Member(team.id, "bob@example.com"))
    with pytest.raises(Conflict, match=r"ana@example\.com"):
        storage.members.update(bob.id, email="ana@example.com")
    elsewhere = storage.members.create(Member(other.id, "ana@example.com"))
    assert {item.id for item in storage.members.list(email="ana@example.com")} == {ana.id, elsewhere.id}
    assert storage.members.list(team.id, email="ana@example.com") == [ana]
    assert {item.id for item in storage.members.list(team.id)} == {ana.id, bob.id}


def test_a_member_changes_role_and_stays_in_the_team(storage: AdminStorage) -> None:
    team, other = make_team(storage), make_team(storage, "other")
    ana = storage.members.create(Member(team.id, "ana@example.com"))
    changed = storage.members.update(ana.id, role="viewer")
    assert changed.role is MemberRole.VIEWER
    assert changed.updated_at > ana.updated_at
    for wrong in ({"team_id": other.id}, {"role": "boss"}, {"nick": "a"}):
        with pytest.raises(InvalidInput):
            storage.members.update(ana.id, **wrong)


def test_unknown_members_and_teams_are_not_found(storage: AdminStorage) -> None:
    team = make_team(storage)
    for fail in (
        lambda: storage.members.get("x"),
        lambda: storage.members.update("x", role="owner"),
        lambda: storage.members.delete("x"),
        lambda: storage.members.create(Member("x", "ana@example.com")),
        lambda: storage.tokens.create(Token("t", "d", team_id=team.id, member_id="x")),
    ):
        with pytest.raises(NotFound):
            fail()


def test_members_go_with_their_team_and_their_tokens_with_them(storage: AdminStorage) -> None:
    team = make_team(storage)
    ana, bob = (storage.members.create(Member(team.id, f"{name}@example.com")) for name in ("ana", "bob"))
    of_ana = storage.tokens.create(Token("a", "a", team_id=team.id, member_id=ana.id))
    of_bob = storage.tokens.create(Token("b", "b", team_id=team.id, member_id=bob.id))
    assert storage.tokens.list(member_id=ana.id) == [of_ana]
    storage.members.delete(ana.id)
    assert storage.tokens.list() == [of_bob]
    storage.teams.delete(team.id)
    assert storage.members.list() == storage.tokens.list() == []


def test_a_name_is_free_again_when_its_token_ended(storage: AdminStorage) -> None:
    first = storage.tokens.create(Token("ci", "1", expires_at=utc_now() + timedelta(days=1)))
    with pytest.raises(Conflict, match="ci"):
        storage.tokens.create(Token("ci", "2"))
    storage.tokens.update(first.id, revoked_at=utc_now())
    over = utc_now() - timedelta(minutes=1)
    second = storage.tokens.create(Token("ci", "2", expires_at=over, created_at=over - timedelta(days=1)))
    third = storage.tokens.create(Token("ci", "3"))
    assert storage.tokens.get(second.id).revoked_at == over
    with pytest.raises(Conflict, match="ci"):
        storage.tokens.create(Token("ci", "4"))
    other = storage.tokens.create(Token("other", "5"))
    with pytest.raises(Conflict, match="ci"):
        storage.tokens.update(other.id, name="ci")
    assert storage.tokens.get(third.id).revoked_at is None


def test_of_two_that_are_made_at_once_under_one_name_one_is_refused(storage: AdminStorage) -> None:
    start = threading.Barrier(8)
    made: list[Token] = []
    refused: list[MastraAdminError] = []

    def create(number: int) -> None:
        start.wait()
        try:
            made.append(storage.tokens.create(Token("ci", f"digest-{number}", (TokenScope.READ,))))
        except Conflict as exc:
            refused.append(exc)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(made), len(refused)) == (1, 7)
    assert storage.tokens.list() == made


def test_the_log_of_a_team_tells_of_its_members(storage: AdminStorage) -> None:
    project = make_project(storage)
    ana = storage.members.create(Member(project.team_id, "ana@example.com"))
    told = Event("bob", "add", "member", ana.id)
    storage.events.append(told)
    storage.events.append(Event("bob", "add", "member", "another"))
    assert [event.id for event in storage.events.list(team_id=project.team_id)] == [told.id]
