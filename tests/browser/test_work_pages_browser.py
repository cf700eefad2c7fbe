"""From an empty panel to a stopped deployment, by clicking, on real parts with builds that take no time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fixtures.panel import RunningPanel, run_panel
from fixtures.quick import find_free_port, find_port_range, make_admin, write_source
from playwright.sync_api import Page, expect

from mastra_admin_sdk import MastraAdmin

pytestmark = pytest.mark.slow  # a browser, a server process and a real deploy

SOON = 20_000
AGENT = """
import http from 'node:http';
const agents = { weather: { name: 'Weather', description: 'Knows the weather', provider: 'local', modelId: 'tiny' } };
http.createServer((request, response) => {
  response.setHeader('Content-Type', 'application/json');
  if (request.url === '/health') return response.end('{"success":true}');
  if (request.url === '/api/agents') return response.end(JSON.stringify(agents));
  if (request.method !== 'POST') return response.end('{}');
  let body = '';
  request.on('data', (part) => { body += part; });
  request.on('end', () => {
    const text = JSON.parse(body).messages[0].content;
    if (text === 'boom') response.statusCode = 500;
    const usage = { inputTokens: 5, outputTokens: 2 };
    response.end(JSON.stringify({ text: `You asked: ${text}`, traceId: 'ab'.repeat(16), usage }));
  });
}).listen(Number(process.env.PORT), process.env.MASTRA_HOST);
"""
"""A server that lists an agent and answers for it, as Mastra's API does."""


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A folder with a project in it."""
    folder = tmp_path / "sources"
    write_source(folder / "quick-app")
    return folder


@pytest.fixture
def admin(home: Path, sources: Path) -> Iterator[MastraAdmin]:
    """What does the background work of the home, as ``mastra-admin up`` does."""
    with make_admin(home, sources, router_port=find_free_port(), ports=find_port_range()) as made:
        yield made.start()
        made.down()


@pytest.fixture
def panel(home: Path, sources: Path, admin: MastraAdmin) -> Iterator[RunningPanel]:
    """The panel of the home, with the same settings."""
    settings = {
        "SOURCE_PATHS": str(sources),
        "ROUTER_PORT": str(admin.settings.router_port),
        "SERVER_PORTS": str(admin.settings.server_ports),
        "DRAIN_TIMEOUT": "5",
    }
    with run_panel(home, **{f"MASTRA_ADMIN_{name}": value for name, value in settings.items()}) as running:
        yield running


def confirm(page: Page, word: str | None = None) -> None:
    dialog = page.locator("#confirm")
    expect(dialog).to_be_visible()
    if word is not None:
        expect(dialog.locator("#confirm-yes")).to_be_disabled()
        dialog.locator("#confirm-word").fill(word)
    dialog.locator("#confirm-yes").click()


def test_a_project_goes_from_nothing_to_live_and_is_stopped(
    page: Page, panel: RunningPanel, admin: MastraAdmin
) -> None:
    page.goto(f"{panel.url}/?token={panel.token}")
    expect(page.get_by_role("heading", name="Nothing here yet")).to_be_visible()
    page.get_by_role("link", name="Create a team").click()
    team = page.get_by_role("dialog", name="New team")
    team.get_by_label("Name", exact=True).fill("Search")
    team.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Search")

    page.get_by_role("link", name="New project").click()
    page.get_by_role("radio").check()
    expect(page.locator("#verdict")).to_contain_text("It can be read")
    page.get_by_role("button", name="Create the project").click()

    deploy = page.get_by_role("dialog", name="Deploy quick-app")
    expect(deploy.get_by_label("Branch")).to_have_value("main")
    deploy.get_by_role("button", name="Deploy", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Build #1")
    expect(page.get_by_role("heading", level=1)).to_contain_text("succeeded", timeout=SOON)

    live = admin.deployments.get("quick-app")
    page.goto(f"{panel.url}/deployments/{live.id}")
    head = page.get_by_role("heading", level=1)
    expect(head).to_contain_text("running", timeout=SOON)
    expect(page.get_by_text("answers", exact=True)).to_be_visible()

    page.get_by_role("link", name="Variables").click()
    form = page.locator("#set-variable")
    form.get_by_label("Name").fill("API_KEY")
    form.get_by_label("Value").fill("sk-hidden")
    form.get_by_role("button", name="Save").click()
    row = page.get_by_role("row").filter(has_text="API_KEY")
    expect(row).to_contain_text("hidden")
    expect(form.get_by_label("Value")).to_have_value("")
    assert "sk-hidden" not in page.content()
    assert admin.deployments.get(live.id).list_env() == {"API_KEY": "***"}
    expect(page.get_by_role("button", name="Restart to apply")).to_be_visible()
    row.get_by_role("button", name="Remove API_KEY").click()
    confirm(page)
    expect(row).to_have_count(0)

    page.get_by_role("button", name="Stop", exact=True).click()
    page.locator("#confirm").get_by_role("button", name="Cancel").click()
    assert admin.deployments.get(live.id).status == "running"
    page.get_by_role("button", name="Stop", exact=True).click()
    confirm(page)
    expect(head).to_contain_text("stopped", timeout=SOON)
    expect(page.get_by_role("button", name="Start", exact=True)).to_be_visible()

    page.get_by_text("More", exact=True).click()
    page.get_by_role("button", name="Delete…").click()
    confirm(page, "main")
    expect(page.get_by_text("Not deployed yet")).to_be_visible(timeout=SOON)
    assert not admin.deployments.list()


def test_an_agent_is_asked_on_its_page(
    page: Page, panel: RunningPanel, admin: MastraAdmin, sources: Path, complaints: Any
) -> None:
    (sources / "quick-app" / "index.mjs").write_text(AGENT)
    live = admin.deploy(admin.projects.create(admin.teams.create("Search"), source="quick-app"))
    page.goto(f"{panel.url}/deployments/{live.id}?token={panel.token}")
    expect(page.locator("#agent-facts")).to_have_text("Knows the weather · Model local/tiny")
    page.get_by_label("Question").fill("Is it <b>warm</b>?")
    page.get_by_label("Question").press("Control+Enter")
    expect(page.locator("#answer")).to_have_text("You asked: Is it <b>warm</b>?")
    expect(page.locator("#answer-facts")).to_contain_text("5 tokens in, 2 out")
    expect(page.get_by_role("link", name="See what it did")).to_have_attribute("href", f"/traces/{'ab' * 16}")
    page.get_by_label("Question").fill("boom")
    page.get_by_role("button", name="Ask").click()
    expect(page.locator("#ask").get_by_role("alert")).to_contain_text("500")
    complaints.forgive("502")
