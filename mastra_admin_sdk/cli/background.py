"""``mastra-admin up`` and ``down``: what runs in the background of a home."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mastra_admin_sdk.home import Home, open_home
from mastra_admin_sdk.models import BuildStatus, DeploymentStatus, DesiredState
from mastra_admin_sdk.services.programs.panel import PANEL, ensure_panel, make_panel_address
from mastra_admin_sdk.services.programs.records import Recorded, end_recorded, find_running
from mastra_admin_sdk.services.projects.example import EXAMPLE, EXAMPLE_TEAM, find_example

from .daemon import ensure_background, run_background
from .following import BACKGROUND, follow_build
from .group import AdminCommand
from .output import Output, wrap
from .progress import tell_live
from .session import Session
from .suggestions import list_next_steps
from .targets import ensure_project, name_deployment
from .views import describe_build, describe_deployment

if TYPE_CHECKING:
    from mastra_admin_sdk.admin import MastraAdmin
    from mastra_admin_sdk.services.objects import LiveBuild, LiveDeployment

_BACK_SECONDS = 60.0
_MOST_NAMES = 3
_PANEL_GRACE = 10.0
# Longer than the background process waits for its own threads: it gives builds and roles back itself.
_BACKGROUND_GRACE = 60.0


@click.command(cls=AdminCommand)
@click.option("--foreground", is_flag=True, help="Do the background work here until Ctrl-C or SIGTERM.")
@click.option("--no-panel", is_flag=True, help="Don't start the panel.")
@click.option("--no-example", is_flag=True, help="Don't deploy the example agent.")
@click.pass_obj
def up(session: Session, foreground: bool, no_panel: bool, no_example: bool) -> None:
    """Start the background process, the panel and the example.

    The background process builds, keeps servers alive and stores their
    telemetry. What ran before `down` runs again. The example is deployed only
    while there is no deployment yet.
    """
    if foreground:
        run_background(session)
        return
    with session.open_admin() as admin:
        session.output.line(f"Home {admin.home.path}")
        result: dict[str, Any] = {"ok": True, "home": str(admin.home.path)}
        result["background"] = _start_background(session, admin)
        result["panel"] = None if no_panel else _start_panel(session, admin)
        _wait_until_back(session, admin)
        result["deployment"] = None if no_example else _see_to_example(session, admin)
        _show_addresses(session, admin, result)
        session.output.result(result)


@click.command(cls=AdminCommand)
@click.pass_obj
def down(session: Session) -> None:
    """Stop everything that runs in a home.

    That is the panel, the background process, all servers, router and engine.
    Deployments stay on record and run again after the next `up`.
    """
    output = session.output
    steps: list[str] = []

    def say(step: str) -> None:
        steps.append(step)
        output.line(step)

    if not (Path(session.settings.home) / "format").exists():
        output.done(f"Nothing runs: there is no home at {session.settings.home}")
        output.result({"ok": True, "home": session.settings.home, "steps": steps})
        return
    home = open_home(session.settings.home)
    _end(home, PANEL, "Stopping the panel", _PANEL_GRACE, say)
    _end(home, BACKGROUND, "Stopping the background process", _BACKGROUND_GRACE, say)
    with session.open_admin() as admin:
        admin.down(on_step=say)
    output.done(f"Nothing runs in {home.path}" if not steps else "All is stopped; deployments and data are kept")
    output.result({"ok": True, "home": str(home.path), "steps": steps})


# --- up ---------------------------------------------------------------------------------------------------------------


def _start_background(session: Session, admin: MastraAdmin) -> dict[str, Any]:
    record, is_new = ensure_background(session, admin)
    what = "started" if is_new else "was running already"
    duties = ": builds, supervision, ingestion" if is_new else ""
    session.output.done(f"Background process {what} (pid {record.pid}){duties}")
    return _describe(record, is_new)


def _start_panel(session: Session, admin: MastraAdmin) -> dict[str, Any]:
    record, is_new = ensure_panel(session.settings, admin.home)
    session.output.done(f"Panel {'started' if is_new else 'was running already'} (pid {record.pid})")
    wanted, port = session.settings.panel_port, record.facts["port"]
    if port != wanted and is_new:
        session.output.note(f"  Port {wanted} is taken, so the panel uses {port}.")
    return {**_describe(record, is_new), "port": port, "url": make_panel_address(admin.home, record)}


def _describe(record: Recorded, is_new: bool) -> dict[str, Any]:
    return {"pid": record.pid, "started": is_new, "started_at": record.started_at}


def _wait_until_back(session: Session, admin: MastraAdmin) -> None:
    """What ran before `down`, or before the machine restarted, comes back by itself: see it come, for a while."""
    waiting = {item.id: item.url for item in admin.deployments.list() if _comes_back(item)}
    deadline = time.monotonic() + _BACK_SECONDS
    while waiting and time.monotonic() < deadline:
        for live in [admin.deployments.get(each) for each in waiting]:
            record = live.record
            if not _comes_back(live):
                del waiting[record.id]
                state = "runs again" if record.status is DeploymentStatus.RUNNING else f"is {record.status}"
                session.output.done(f"{name_deployment(admin, record)} {state}")
        time.sleep(0.2)
    if waiting:
        names = [name_deployment(admin, admin.storage.deployments.get(each)) for each in waiting]
        text = f"{_say_on_their_way(names)}: {session.suggest('ps')}"
        session.output.note("\n".join(wrap(text, session.output.width)))


def _say_on_their_way(names: list[str]) -> str:
    shown = [*names[:_MOST_NAMES], *([f"{len(names) - _MOST_NAMES} more"] if len(names) > _MOST_NAMES else [])]
    listed = " and ".join(part for part in (", ".join(shown[:-1]), shown[-1]) if part)
    return f"{listed} {'is' if len(names) == 1 else 'are'} still on {'its' if len(names) == 1 else 'their'} way"


def _comes_back(live: LiveDeployment) -> bool:
    record = live.record
    # One that the machine took along stands as running in the records until somebody looks.
    runs = record.status is DeploymentStatus.RUNNING and live.is_served
    settled = runs or record.status is DeploymentStatus.FAILED
    return record.desired_state is DesiredState.RUNNING and bool(record.current_build_id) and not settled


def _see_to_example(session: Session, admin: MastraAdmin) -> dict[str, Any] | None:
    """Deploy the example in a home without deployments, or wait for the build that an earlier ``up`` began."""
    found = admin.deployments.list()
    if not found:
        return _deploy_example(session, admin)
    examples = [item for item in found if item.project.slug == EXAMPLE]
    pending = [build for item in examples for build in item.builds if not build.record.is_final]
    if not pending:
        return None
    build = min(pending, key=lambda each: (each.status is BuildStatus.QUEUED, each.record.queued_at))
    name = name_deployment(admin, build.deployment.record)
    session.output.line(f"Build #{build.number} of {name} is {build.status} already; waiting for it")
    return _wait_for_example(session, admin, build)


def _deploy_example(session: Session, admin: MastraAdmin) -> dict[str, Any]:
    project = ensure_project(admin, str(find_example()), EXAMPLE_TEAM)
    session.output.line("Deploying the example agent; the first time takes about a minute")
    return _wait_for_example(session, admin, admin.deploy(project, wait=False))


def _wait_for_example(session: Session, admin: MastraAdmin, build: LiveBuild) -> dict[str, Any]:
    name = name_deployment(admin, build.deployment.record)
    build = follow_build(session, admin, build, name)
    tell_live(session.output, f"{name} is live", build.record)
    return {**describe_deployment(name, build.deployment.record), "build": describe_build(build.record)}


def _show_addresses(session: Session, admin: MastraAdmin, result: dict[str, Any]) -> None:
    output = session.output
    output.line()
    live = [item for item in admin.deployments.list() if item.url and item.status == "running"]
    for deployment in live[:5]:
        output.line(f"Agent  {deployment.url}")
    if len(live) > 5:
        output.line(f"       and {len(live) - 5} more: {session.suggest('ps')}")
    if result["panel"]:
        output.line(f"Panel  {result['panel']['url']}")
    _show_next_steps(output, session, admin)


def _show_next_steps(output: Output, session: Session, admin: MastraAdmin) -> None:
    for title, step in list_next_steps(session, admin):
        output.lines(["", *wrap(f"{title}:", output.width)])
        output.lines(f"  {line}".rstrip() for line in step.splitlines())


# --- down -------------------------------------------------------------------------------------------------------------


def _end(home: Home, name: str, text: str, grace: float, say: Callable[[str], None]) -> None:
    found = find_running(home, name)
    if found:
        say(f"{text} (pid {found.pid})")
    end_recorded(home, name, grace=grace)
