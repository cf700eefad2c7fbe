"""What docs/collector.md shows is run as it stands there, against a panel that runs."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from fixtures.collecting import Station, open_station
from fixtures.docs import check_command, check_defaults, read_page
from fixtures.servers import PROJECTS

from mastra_admin_panel.context import MOST_COLLECTED
from mastra_admin_sdk.services.collector import conventions

PAGE = read_page("collector")


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    with open_station(tmp_path_factory.mktemp("collector docs") / "home") as opened:
        yield opened


@pytest.mark.slow
def test_the_samples_run_in_the_order_they_stand_in(station: Station) -> None:
    names = PAGE.run_all({"admin": station.admin, "panel": station.panel.url})
    assert (names["receipt"].accepted, names["receipt"].rejected) == (1, 0)
    (span,) = station.admin.spans(project="weather-agent", type="agent_run").to_dict("records")
    assert (span["entity_name"], span["thread_id"]) == ("Weather", "t-1")
    assert "hello" in set(station.admin.logs(project="weather-agent")["message"])


@pytest.mark.slow
def test_curl_sends_a_log_line(station: Station) -> None:
    (sample,) = re.findall(r"```sh\n(curl .*?)```", PAGE.text, re.DOTALL)
    environment = {"PATH": "/usr/bin:/bin", "PANEL": station.panel.url, "TOKEN": station.secret}
    ended = subprocess.run(
        ["sh", "-c", sample], env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert (ended.returncode, ended.stdout) == (0, "{}"), ended.stderr
    assert list(station.admin.logs(text="rain is near")["level"]) == ["warn"]


@pytest.mark.parametrize("line", PAGE.commands)
def test_commands_and_their_options_exist(line: str) -> None:
    check_command(line)


def test_numbers_and_settings_are_those_in_force() -> None:
    check_defaults(PAGE)
    words = {4: "four"}
    assert f"{words[MOST_COLLECTED]} requests are worked on at a time" in PAGE.text


def test_names_that_are_told_are_those_that_are_read() -> None:
    source = Path(conventions.__file__).read_text()
    for name in re.findall(r"`((?:gen_ai|session|user|enduser|process)\.[\w.]+)`", PAGE.text):
        assert f'"{name}"' in source or name in {"gen_ai.operation.name"}, name


def test_the_app_that_is_shown_is_set_up_as_the_one_that_is_tried() -> None:
    tried = (PROJECTS / "reports_elsewhere" / "report.mjs").read_text()
    for piece in (
        "import { MastraPlatformExporter, Observability } from '@mastra/observability';",
        "new Observability(",
    ):
        assert piece in PAGE.text
        assert piece in tried
