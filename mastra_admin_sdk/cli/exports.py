"""``mastra-admin export``: spans as files for other tools."""

from __future__ import annotations

from pathlib import Path

import click

from mastra_admin_sdk.display.text import format_bytes

from .group import AdminCommand
from .session import Session


@click.command(cls=AdminCommand)
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["parquet", "otlp", "openinference"]),
    default="parquet",
    show_default=True,
    help="Of the file; with the ending .jsonl otlp and openinference are lines.",
)
@click.option("--project", help="Only those of a project.")
@click.option("--deployment", help="Only those of a deployment.")
@click.option("--build", help="Only those of a build, such as weather-agent#3.")
@click.option("--since", help="How far back: 30m, 24h, 7d, or an ISO time with its zone.")
@click.option("--until", help="As --since; not included.")
@click.option("--type", "kind", help="Only spans of a type, such as agent_run.")
@click.option("--status", type=click.Choice(["ok", "error", "running"]), help="Only those that ended so.")
@click.option("--user", help="Only those of a user (resource id).")
@click.option("--thread", help="Only those of a thread.")
@click.option("--limit", type=click.IntRange(min=1), help="How many, newest first; all unless given.")
@click.pass_obj
def export(session: Session, /, path: Path, form: str, kind: str | None, **filters: str | int | None) -> None:
    """Write spans to file PATH.

    It is there when all is written; before that, what was there stays.

    \b
    mastra-admin export spans.parquet --project weather-agent --since 7d
    mastra-admin export spans.jsonl --format otlp
    """
    with session.open_admin() as admin:
        found = admin.export(path, format=form, type=kind, **filters)
    output = session.output
    output.done(f"Wrote {found.spans:,} spans to {found.path} ({format_bytes(found.bytes)})")
    if found.skipped:
        output.note(f"{found.skipped:,} spans were left out: they run still, or have ids that {form} has no room for.")
    output.result(
        {
            "path": str(found.path),
            "format": found.format,
            "spans": found.spans,
            "skipped": found.skipped,
            "bytes": found.bytes,
        }
    )
