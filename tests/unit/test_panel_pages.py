"""The pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fixtures.panel import BASE, TOKEN, end_build, make_build, make_fake_admin, seed
from flask.testing import FlaskClient

from mastra_admin_panel import create_app
from mastra_admin_panel.wording import ago, format_seconds
from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.models import BuildStatus

HOSTILE = "<script>alert(1)</script>\"'&"


@pytest.fixture
def admin(tmp_path: Path) -> Iterator[MastraAdmin]:
    with make_fake_admin(tmp_path / "home") as made:
        yield made


@pytest.fixture
def client(admin: MastraAdmin) -> FlaskClient:
    return sign_in(admin)


def sign_in(admin: MastraAdmin) -> FlaskClient:
    client = create_app(admin, token=TOKEN).test_client()
    client.environ_base.update(HTTP_AUTHORIZATION=f"Bearer {TOKEN}")
    return client


def open_page(client: FlaskClient, path: str, status: int = 200) -> str:
    answer = client.get(path, base_url=BASE)
    assert answer.status_code == status, answer.text
    return answer.text


def test_an_empty_panel_says_what_to_do(client: FlaskClient) -> None:
    page = open_page(client, "/")
    assert "Nothing here yet" in page
    assert "admin.deploy(project)" in page
    assert "mastra-admin up" in page


def test_a_team_without_projects_says_what_to_do(client: FlaskClient, admin: MastraAdmin) -> None:
    admin.teams.create("Search")
    page = open_page(client, "/")
    assert "Nothing is deployed yet" in page
    assert 'href="/projects/new"' in page


def test_the_overview_links_deployment_address_and_builds(client: FlaskClient, admin: MastraAdmin) -> None:
    seeded = seed(admin.storage, admin.home.path)
    running = make_build(admin.storage, admin.home.path, seeded.deployment)
    page = open_page(client, "/")
    assert f'href="/deployments/{seeded.deployment.id}"' in page
    assert 'href="http://weather.search.localhost:8080"' in page
    assert f'href="/builds/{seeded.build.id}"' in page
    assert f'href="/builds/{running.id}"' in page


def test_a_server_that_doesnt_answer_isnt_called_running(client: FlaskClient, admin: MastraAdmin) -> None:
    seed(admin.storage, admin.home.path)
    assert "not answering" in open_page(client, "/")


def test_an_overview_that_hasnt_changed_is_not_sent_again(client: FlaskClient) -> None:
    tag = client.get("/", base_url=BASE).headers["ETag"]
    assert client.get("/", base_url=BASE, headers={"If-None-Match": tag}).status_code == 304


def test_a_build_shows_phases_error_and_hint(client: FlaskClient, admin: MastraAdmin) -> None:
    seeded = seed(admin.storage, admin.home.path)
    build = make_build(admin.storage, admin.home.path, seeded.deployment)
    details = {"command": "mastra build", "exit_code": 1, "log_tail": ["error TS2304"]}
    error = {"code": "command_failed", "message": "The build failed", "hint": "Mend it.", "details": details}
    end_build(admin.storage, build, BuildStatus.FAILED, error_message="The build failed", error=error)
    page = open_page(client, f"/builds/{build.id}")
    for part in ("Build #2", "failed", "install", "12 s", "The build failed", "Mend it.", "mastra build", "TS2304"):
        assert part in page
    assert f'data-kind="builds" data-id="{build.id}"' in page


def test_hostile_names_stay_text(client: FlaskClient, admin: MastraAdmin) -> None:
    admin.teams.create(HOSTILE, slug="hostile")
    seeded = seed(admin.storage, admin.home.path, name=HOSTILE)
    admin.storage.deployments.update(seeded.deployment.id, status_reason=HOSTILE, public_url="javascript:alert(1)")
    build = make_build(admin.storage, admin.home.path, seeded.deployment)
    error = {"code": HOSTILE, "message": HOSTILE, "hint": HOSTILE, "details": {HOSTILE: HOSTILE, "log_tail": [HOSTILE]}}
    end_build(
        admin.storage, build, BuildStatus.FAILED, error_message=HOSTILE, error=error, notes=(HOSTILE,), commit=HOSTILE
    )
    for path in ("/", f"/builds/{build.id}"):
        page = open_page(client, path)
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)" in page
        assert 'href="javascript:' not in page


def test_a_hostile_path_stays_text(client: FlaskClient) -> None:
    client.environ_base.pop("HTTP_AUTHORIZATION")
    answer = client.get("/<script>alert(1)</script>", query_string={"x": '"><script>'}, base_url=BASE)
    assert "<script>alert" not in answer.text
    assert '"><script>' not in answer.text


def test_an_unknown_build_is_a_page_that_says_so(client: FlaskClient) -> None:
    page = open_page(client, "/builds/nothing", 404)
    assert "Back to the overview" in page


def test_pages_load_nothing_from_elsewhere_and_hold_no_inline_code(client: FlaskClient, admin: MastraAdmin) -> None:
    seeded = seed(admin.storage, admin.home.path)
    for path in ("/", f"/builds/{seeded.build.id}", "/sign-in", "/nothing"):
        page = client.get(path, base_url=BASE).text
        sources = re.findall(r'(?:src|<link[^>]*href)="([^"]+)"', page)
        assert sources
        assert all(source.startswith("/static/") for source in sources)
        assert not re.search(r"<script(?![^>]*\bsrc=)", page)
        assert not re.search(r"\s(on\w+|style)=", page)


def test_the_styles_stay_small() -> None:
    import mastra_admin_panel

    static = Path(str(mastra_admin_panel.__file__)).parent / "static"
    assert (static / "panel.css").stat().st_size < 25_000


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(2, "just now"), (59, "59 s ago"), (61, "1 min ago"), (7300, "2 h ago"), (200_000, "2 d ago")],
)
def test_times_are_told_as_people_do(seconds: float, text: str) -> None:
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert ago((now - timedelta(seconds=seconds)).isoformat(), now) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.44, "0.4 s"), (24.2, "24 s"), (185, "3 min 05 s")])
def test_durations_are_told_as_people_do(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text
