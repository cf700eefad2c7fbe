"""Cards and tables, as HTML and as text."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mastra_admin_sdk.display.pages import load_styles
from mastra_admin_sdk.display.tables import (
    Link,
    get_tone,
    render_card_html,
    render_card_text,
    render_table_html,
    render_table_text,
)
from mastra_admin_sdk.display.text import measure
from mastra_admin_sdk.models import BuildStatus, DeploymentStatus, ProcessStatus

EVIL = '"><script>alert(1)</script>{{ 7 * 7 }}'
ROWS = {"address": Link("http://weather-main.search.localhost:8080"), "build": 3, "commit": None}


def test_a_card_shows_title_state_and_rows() -> None:
    page = render_card_html("weather · main", ROWS, "running")
    assert '<b class="ma-word ma-good">running</b>' in page
    assert '<a href="http://weather-main.search.localhost:8080"' in page
    assert "<td>3</td>" in page
    assert "<td>—</td>" in page
    assert "<style>" in page
    assert "<style>" not in render_card_html("t", [], styles=False)


def test_a_table_colours_its_states() -> None:
    page = render_table_html(["build", "status"], [[1, "failed"], [2, None]], state_column="status")
    assert '<td><b class="ma-word ma-bad">failed</b></td>' in page
    assert "<td>—</td>" in page
    assert "Nothing yet." in render_table_html(["build"], [])


def test_hostile_content_is_escaped() -> None:
    card = render_card_html(EVIL, {EVIL: EVIL, "link": Link("http://x/" + EVIL, EVIL)}, EVIL, styles=False)
    table = render_table_html([EVIL], [[EVIL]], state_column=EVIL, empty=EVIL, styles=False)
    for page in (card, table, render_table_html([EVIL], [], empty=EVIL, styles=False)):
        assert "<script" not in page
        assert "49" not in page


@pytest.mark.parametrize(
    ("url", "followed"),
    [
        ("https://example.com/x", True),
        ("http://a.localhost:8080", True),
        ("/deployments/1", True),
        ("javascript:alert(1)", False),
        (" javascript:alert(1)", False),
        ("JAVASCRIPT:alert(1)", False),
        ("data:text/html,x", False),
        ("//evil.example", False),
        ("/\\evil.example", False),
        ("file:///etc/passwd", False),
        ("http://[", False),
        ("http:", False),
        ("", False),
    ],
)
def test_only_harmless_addresses_are_links(url: str, followed: bool) -> None:
    assert bool(Link(url).href) is followed
    assert ("<a " in render_card_html("t", {"link": Link(url, "there")}, styles=False)) is followed


def test_every_state_has_a_tone() -> None:
    tones = {str(state): get_tone(state) for kind in (BuildStatus, DeploymentStatus, ProcessStatus) for state in kind}
    assert {state for state, tone in tones.items() if tone == "quiet"} == {
        "cancelled",
        "superseded",
        "stopped",
        "exited",
    }
    assert (tones["failed"], tones["running"], tones["building"]) == ("bad", "good", "busy")
    assert get_tone(None) == get_tone("whatever") == "quiet"


def test_a_card_as_text() -> None:
    assert render_card_text("weather · main", ROWS, "running").splitlines() == [
        "weather · main [running]",
        "  address  http://weather-main.search.localhost:8080",
        "  build    3",
        "  commit   —",
    ]


def test_a_table_as_text() -> None:
    assert render_table_text(["name", "state"], [["weather", "running"], ["日本", None]]).splitlines() == [
        "name     state",
        "───────  ───────",
        "weather  running",
        "日本     —",
    ]
    assert render_table_text(["name"], []) == "Nothing yet."


@pytest.mark.parametrize("width", [20, 40, 80])
def test_texts_keep_their_width(width: int) -> None:
    rows = [["x" * 300, "日本語" * 40, "a\nb\x1b[31m", i, None] for i in range(5)]
    text = render_table_text(["long", "wide", "odd", "number", "nothing"], rows, width=width)
    text += "\n" + render_card_text("t" * 300, {"k" * 300: "v" * 300}, "running", width=width)
    assert max(map(measure, text.splitlines())) <= width
    assert all(line.isprintable() for line in text.splitlines())


def test_the_style_sheet_knows_both_themes() -> None:
    styles = load_styles()
    assert "prefers-color-scheme: dark" in styles
    assert 'data-jp-theme-light="false"' in styles
    assert "url(" not in styles
    assert "@import" not in styles


def test_importing_the_renderers_loads_nothing_heavy() -> None:
    code = (
        "import sys, mastra_admin_sdk.display.tables, mastra_admin_sdk.display.trace, mastra_admin_sdk.display.text;"
        "print(sorted({'jinja2', 'pandas', 'flask', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60).stdout == "[]\n"
