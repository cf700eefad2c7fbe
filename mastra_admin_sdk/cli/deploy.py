"""``mastra-admin deploy``: from a folder to an address."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mastra_admin_sdk.services.environment.files import read_env_file
from mastra_admin_sdk.services.programs.records import find_running

from .following import BACKGROUND, follow_build
from .group import AdminCommand
from .progress import tell_live
from .session import Session
from .targets import ensure_project, name_deployment, read_ref
from .variables import ask_secrets, parse_assignments
from .views import describe_build, describe_deployment

if TYPE_CHECKING:
    from mastra_admin_sdk.admin import MastraAdmin
    from mastra_admin_sdk.models import Project
    from mastra_admin_sdk.services.objects import LiveBuild


@click.command(cls=AdminCommand)
@click.argument("source", metavar="SOURCE")
@click.option("--team", help="Who owns the project; created when there is none of that name.")
@click.option("--name", help="The name of the project that is made; the folder's own unless given.")
@click.option(
    "--branch",
    help="Of a repository what is deployed, else a label for what lies in the folder; the default branch unless given.",
)
@click.option("--ref", help="A tag, commit or other branch of the repository to build this time.")
@click.option(
    "--type",
    "kind",
    type=click.Choice(["production", "staging", "preview"]),
    default="production",
    show_default=True,
    help="What the deployment is for.",
)
@click.option(
    "--strategy",
    type=click.Choice(["swap", "recreate"]),
    help="Start the new server beside the old one, or after it has stopped.",
)
@click.option("--ttl", metavar="TIME", help="When a preview is removed after its last deploy: 72h, 3d, never.")
@click.option("--set", "plain", metavar="KEY=VALUE", multiple=True, help="Set a variable of the project; not a secret.")
@click.option(
    "--secret", "secrets", metavar="KEY", multiple=True, help="Set a secret; its value is asked for or read from stdin."
)
@click.option(
    "--env-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Set the variables of a .env file, as secrets.",
)
@click.option("--replicas", type=int, metavar="N", help="How many servers share its address; as it was unless given.")
@click.option("--fresh", is_flag=True, help="Use neither packages nor an artifact of an earlier build.")
@click.option("--priority", type=int, default=0, metavar="N", help="Builds of a higher one are begun first.")
@click.option("--no-wait", is_flag=True, help="Only queue the build.")
@click.pass_obj
def deploy(
    session: Session,
    source: str,
    team: str | None,
    name: str | None,
    branch: str | None,
    ref: str | None,
    kind: str,
    strategy: str | None,
    ttl: str | None,
    plain: tuple[str, ...],
    secrets: tuple[str, ...],
    env_file: Path | None,
    replicas: int | None,
    fresh: bool,
    priority: int,
    no_wait: bool,
) -> None:
    """Build SOURCE and put it live.

    SOURCE is a project, or a folder, name or id that `projects` lists, or a
    repository's URL, such as https://host/team/repo.git#main:packages/app. Team
    and project are created when missing. Ctrl-C detaches; the build goes on while
    the background process runs.
    """
    assignments = parse_assignments(plain)
    hidden = {**(read_env_file(env_file) if env_file else {}), **ask_secrets(secrets)}
    with session.open_admin() as admin:
        project = ensure_project(admin, source, team, name=name)
        if assignments:
            admin.projects.set_env(project, assignments, secret=False)
        if hidden:
            admin.projects.set_env(project, hidden, secret=True)
        branch = branch or read_ref(source, project)
        build = admin.deploy(
            project,
            branch=branch,
            ref=ref,
            type=kind,
            strategy=strategy,
            replicas=replicas,
            ttl=ttl,
            fresh=fresh,
            priority=priority,
            wait=False,
        )
        full = name_deployment(admin, build.deployment.record)
        _remark_on_env_files(session, admin, project)
        if no_wait:
            _tell_queued(session, admin, build, full)
        else:
            _follow(session, admin, build, full)


def _follow(session: Session, admin: MastraAdmin, build: LiveBuild, name: str) -> None:
    output = session.output
    build = follow_build(session, admin, build, name)
    live = build.deployment
    tell_live(output, f"{name} is live", build.record)
    output.line()
    main, *others = live.urls
    output.lines([f"  {main}", *(f"  also {url}" for url in others)])
    output.result({"deployment": describe_deployment(name, live.record), "build": describe_build(build.record)})
    if not find_running(admin.home, BACKGROUND):
        output.note("Nothing watches over the server yet: it isn't started again should it end.")
        output.note(f"Next: {session.suggest('up --no-example')}")


def _tell_queued(session: Session, admin: MastraAdmin, build: LiveBuild, name: str) -> None:
    output = session.output
    output.done(f"Build #{build.number} of {name} is queued")
    if find_running(admin.home, BACKGROUND):
        output.line(f"  Follow it: {session.suggest(f'logs {name} --build {build.number} -f')}")
    else:
        output.note(f"Nothing works on it until a process does: {session.suggest('up')}")
    record = build.deployment.record
    output.result({"deployment": describe_deployment(name, record), "build": describe_build(build.record)})


def _remark_on_env_files(session: Session, admin: MastraAdmin, project: Project) -> None:
    """The project's own .env files stay where they are: say so as long as the project has no variables."""
    path = project.source_config.get("path")
    found = next((item for item in admin.source.list_projects() if item.path == path), None)
    if found and found.env_files and not admin.projects.list_env(project):
        names = ", ".join(found.env_files)
        session.output.note(f"{names} isn't deployed. To use it: --env-file {Path(found.path) / found.env_files[0]}")
