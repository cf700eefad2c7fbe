"""The program: its commands, and the group that holds them."""

from __future__ import annotations

import click

from mastra_admin_sdk import __version__

from . import (
    alerts,
    analysis,
    background,
    builds,
    datasets,
    delete,
    demo,
    deploy,
    deployments,
    doctor,
    domains,
    env,
    example,
    exports,
    gc,
    health,
    history,
    logs,
    members,
    panel,
    privacy,
    projects,
    questions,
    schedules,
    scores,
    servers,
    service,
    settings,
    telemetry,
    tokens,
    trace,
    watch,
    webhooks,
)
from .group import AdminGroup


@click.group(
    "mastra-admin", cls=AdminGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80}
)
@click.version_option(__version__, prog_name="mastra-admin")
def cli() -> None:
    """Run Mastra servers on this machine and see what their agents do.

    Start with `mastra-admin up`; `mastra-admin demo` shows all of it in a home that is removed afterwards.

    \b
    Exit codes: 0 ok, 1 something failed, 2 wrong usage or value, 3 not found,
    4 somebody else was first, 130 interrupted, 141 the reader went away.
    """


for _command in (
    background.up,
    background.down,
    demo.demo,
    example.example,
    projects.projects,
    deploy.deploy,
    deployments.ps,
    health.health,
    logs.logs,
    telemetry.traces,
    trace.trace,
    questions.spans,
    questions.tail,
    questions.latency,
    questions.usage,
    questions.errors,
    questions.threads,
    questions.metrics,
    questions.scores,
    questions.feedback,
    telemetry.sql,
    deployments.stop,
    deployments.start,
    deployments.restart,
    deployments.rollback,
    servers.scale,
    servers.limits,
    deployments.promote,
    builds.cancel,
    delete.delete,
    watch.watch,
    schedules.schedules,
    webhooks.webhooks,
    members.members,
    tokens.tokens,
    alerts.alerts,
    history.builds,
    history.diff,
    analysis.compare,
    analysis.replay,
    scores.score,
    scores.label,
    scores.note,
    datasets.datasets,
    exports.export,
    privacy.telemetry,
    history.events,
    env.env,
    domains.domains,
    gc.gc,
    doctor.doctor,
    service.service,
    settings.settings,
    settings.version,
    panel.panel,
):
    cli.add_command(_command)


def main() -> None:
    """Run the program with the arguments of this process and exit with its code."""
    cli.main()
