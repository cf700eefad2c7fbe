"""Tokens: shown once, kept as a digest, good for what they say, and refused when they end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from fixtures.cli import CommandLine
from fixtures.panel import make_fake_admin, seed

from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.errors import AccessDenied, Conflict, InvalidInput, InvalidToken, NotFound, StorageError
from mastra_admin_sdk.models import TokenScope, utc_now
from mastra_admin_sdk.services.access.secrets import is_secret
from mastra_admin_sdk.services.access.tokens import TOKEN_COLUMNS


@pytest.fixture
def admin(tmp_path: Path) -> Iterator[MastraAdmin]:
    with make_fake_admin(tmp_path) as opened:
        seed(opened.storage, tmp_path)
        yield opened


def test_a_token_is_told_once_and_only_its_digest_is_kept(admin: MastraAdmin) -> None:
    made = admin.tokens.create("ci", project="weather")
    assert is_secret(made.secret)
    assert made.secret.startswith("mat_")
    assert made.secret not in repr(made)
    kept = admin.storage.tokens.get(made.token.id)
    assert made.secret not in str(kept.digest)
    assert len(kept.digest) == 64
    assert kept.scopes == (TokenScope.INGEST,)
    event = admin.events.list(object_type="token")[0]
    assert (event.action, event.details["object"], event.details["owner"]) == ("create", "ci", "search/weather")
    assert made.secret not in str(event.details)


def test_who_shows_it_is_let_in_and_that_is_noted_once_a_minute(admin: MastraAdmin) -> None:
    made = admin.tokens.create("ci")
    assert admin.tokens.authenticate(made.secret).id == made.token.id
    first = admin.tokens.get("ci").last_used_at
    assert first is not None
    admin.tokens.authenticate(made.secret)
    assert admin.tokens.get("ci").last_used_at == first
    earlier = first - timedelta(minutes=2)
    admin.storage.tokens.update(made.token.id, last_used_at=earlier)
    admin.tokens.authenticate(made.secret)
    assert (admin.tokens.get("ci").last_used_at or earlier) > earlier


def test_a_use_that_can_not_be_noted_stops_nobody(
    admin: MastraAdmin, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made = admin.tokens.create("ci")

    def fail(*_: object) -> None:
        raise StorageError("The disk is full.")

    monkeypatch.setattr(admin.storage.tokens, "touch", fail)
    assert admin.tokens.authenticate(made.secret).name == "ci"
    assert "can't be noted" in caplog.text


@pytest.mark.parametrize("secret", ["", "mat_", "mat_" + "x" * 43, "x" * 47, "mat_" + "ü" * 43, "mat_" + "x" * 5000])
def test_what_is_no_token_is_refused(admin: MastraAdmin, secret: str) -> None:
    with pytest.raises(InvalidToken):
        admin.tokens.authenticate(secret)


def test_tokens_that_ended_are_refused_with_the_same_words(admin: MastraAdmin) -> None:
    revoked, expired = admin.tokens.create("revoked"), admin.tokens.create("expired", expires=1)
    admin.tokens.revoke("revoked")
    admin.storage.tokens.update(expired.token.id, expires_at=utc_now() - timedelta(seconds=1))
    words = set()
    for secret in (revoked.secret, expired.secret, "mat_" + "y" * 43):
        with pytest.raises(InvalidToken) as refused:
            admin.tokens.authenticate(secret)
        words.add(str(refused.value))
    assert len(words) == 1
    assert list(admin.tokens.frame()["status"]) == ["expired", "revoked"]
    with pytest.raises(Conflict, match="revoked already"):
        admin.tokens.revoke(revoked.token)


def test_a_token_without_the_scope_sends_nothing(admin: MastraAdmin) -> None:
    reader, boss = admin.tokens.create("r", scopes=["read"]), admin.tokens.create("b", scopes=["admin"])
    with pytest.raises(AccessDenied, match="sending telemetry"):
        admin.collector.authenticate(reader.secret)
    assert admin.collector.authenticate(boss.secret).name == "b"


def test_they_are_found_by_name_and_by_the_beginning_of_an_id(admin: MastraAdmin) -> None:
    one, two = admin.tokens.create("one"), admin.tokens.create("two")
    with pytest.raises(Conflict, match="'two' already"):
        admin.tokens.create("two")
    admin.tokens.revoke(two.token)
    admin.tokens.create("two")
    assert admin.tokens.get("one").id == one.token.id
    assert admin.tokens.get(two.token.id[:8]).id == two.token.id
    assert admin.tokens.get(two.token).id == two.token.id
    with pytest.raises(InvalidInput, match="2 tokens"):
        admin.tokens.get("two")
    with pytest.raises(NotFound):
        admin.tokens.get("three")


def test_what_makes_no_sense_is_refused(admin: MastraAdmin) -> None:
    for arguments in (
        {"name": " "},
        {"name": "x" * 201},
        {"name": "a\nb"},
        {"name": "a", "scopes": ["fly"]},
        {"name": "a", "scopes": []},
        {"name": "a", "project": "weather", "team": "search"},
        {"name": "a", "expires": 0},
        {"name": "a", "expires": 1e12},
        {"name": "a", "expires": "soon"},
    ):
        with pytest.raises(InvalidInput):
            admin.tokens.create(**arguments)  # type: ignore[arg-type]


def test_the_frame_has_its_columns_also_when_empty(admin: MastraAdmin) -> None:
    frame = admin.tokens.frame()
    assert frame.empty
    assert dict(frame.dtypes.astype(str)) == dict(TOKEN_COLUMNS)
    admin.tokens.create("t", team="search", expires=timedelta(days=2))
    row = admin.tokens.frame().iloc[0]
    assert (row["owner"], row["status"], row["scopes"]) == ("search", "active", "ingest")


def test_the_command_line_makes_lists_and_revokes_them(command_line: CommandLine) -> None:
    command_line.deploy()
    shown = command_line.run("tokens", "create", "app", "--project", "weather-agent", "--days", "30").stdout
    assert "app is let in for default/weather-agent" in shown
    secret = next(line.split()[1] for line in shown.splitlines() if line.startswith("  token"))
    assert is_secret(secret)
    assert f"MASTRA_PLATFORM_ACCESS_TOKEN={secret}" in shown
    assert "MASTRA_CLOUD_TRACES_ENDPOINT=http://127.0.0.1:3001" in shown
    assert f"OTEL_EXPORTER_OTLP_HEADERS=Authorization=Bearer%20{secret}" in shown
    (listed,) = command_line.run_json("tokens", "list")
    assert (listed["name"], listed["owner"], listed["status"]) == ("app", "default/weather-agent", "active")
    assert secret not in str(listed)
    assert listed["token_id"][:8] in command_line.run("tokens", "list").stdout
    assert "app is refused from now on" in command_line.run("tokens", "revoke", "app").stdout
    assert command_line.run_json("tokens", "list")[0]["status"] == "revoked"


def test_without_tokens_the_command_for_one_is_shown(command_line: CommandLine) -> None:
    assert "tokens create <name> --project <project>" in command_line.run("tokens", "list").stdout
    refused = command_line.run("tokens", "revoke", "nobody")
    assert refused.exit_code == 3
    assert "tokens list` shows all there are." in " ".join(refused.stderr.split())
