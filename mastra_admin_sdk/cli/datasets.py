"""``mastra-admin datasets``: inputs and what is expected of them, made from traces and files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mastra_admin_sdk.display.text import relative_time
from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.models import utc_now

from .frames import iterate_records
from .group import AdminCommand
from .session import Session
from .tables import Column, render_table

if TYPE_CHECKING:
    from mastra_admin_sdk.services.datasets.collection import LiveDataset

_COLUMNS = (
    Column("DATASET", shrink=True),
    Column("ITEMS", right=True),
    Column("CHANGED"),
    Column("ABOUT", shrink=True),
)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_ITEM_COLUMNS = (Column("INPUT", shrink=True), Column("EXPECTED", shrink=True), Column("TARGET"))


@click.group()
def datasets() -> None:
    """List, make, fill, show and export datasets."""


@datasets.command("list", cls=AdminCommand)
@click.pass_obj
def list_datasets(session: Session) -> None:
    """List all datasets."""
    with session.open_admin() as admin:
        rows = list(iterate_records(admin.datasets.frame()))
        now = utc_now()
        cells = [
            (item.name, len(item), relative_time(item.record.updated_at, now), item.description)
            for item in admin.datasets.list()
        ]
    session.output.result(rows)
    if not rows:
        session.output.line("There is no dataset. `mastra-admin datasets create NAME --trace ID` makes one.")
        return
    session.output.lines(render_table(_COLUMNS, cells, width=session.output.width))


@datasets.command(cls=AdminCommand)
@click.argument("name")
@click.option("--trace", "traces", multiple=True, metavar="ID", help="Add the run of a trace; may be given again.")
@click.option(
    "--file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Add what a .jsonl or .csv has."
)
@click.option("--about", default="", help="What it is for.")
@click.pass_obj
def create(session: Session, name: str, traces: tuple[str, ...], file: Path | None, about: str) -> None:
    """Make dataset NAME."""
    if traces and file:
        raise InvalidInput("A dataset is made of traces or of a file.", hint="Give one, and `datasets add` the others.")
    with session.open_admin() as admin:
        if file:
            made = admin.datasets.load(name, file, description=about)
        else:
            made = admin.datasets.create(name, traces=traces or None, description=about)
        _tell(session, made, f"Made {made.name} with {len(made)} items")


@datasets.command(cls=AdminCommand)
@click.argument("name")
@click.argument("traces", metavar="TRACE...", nargs=-1, required=True)
@click.pass_obj
def add(session: Session, name: str, traces: tuple[str, ...]) -> None:
    """Add the runs of traces to dataset NAME."""
    with session.open_admin() as admin:
        found = admin.datasets.get(name)
        count = found.add(traces)
        _tell(session, found, f"Added {count} items to {found.name}, which has {len(found)}")


@datasets.command(cls=AdminCommand)
@click.argument("name")
@click.pass_obj
def show(session: Session, name: str) -> None:
    """Show the items of dataset NAME."""
    with session.open_admin() as admin:
        rows = list(iterate_records(admin.datasets.get(name).frame()))
    session.output.result(rows)
    cells = [(_shorten(row["input"]), _shorten(row["expected"]), row["target"]) for row in rows]
    session.output.lines(render_table(_ITEM_COLUMNS, cells, width=session.output.width))


@datasets.command("export", cls=AdminCommand)
@click.argument("name")
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
@click.pass_obj
def export_dataset(session: Session, name: str, path: Path) -> None:
    """Write the items of dataset NAME to PATH: .jsonl or .csv."""
    with session.open_admin() as admin:
        found = admin.datasets.get(name)
        written = found.export(path)
        _tell(session, found, f"Wrote {len(found)} items to {written}", path=str(written))


@datasets.command(cls=AdminCommand)
@click.argument("name")
@click.pass_obj
def delete(session: Session, name: str) -> None:
    """Remove dataset NAME with its items."""
    with session.open_admin() as admin:
        found = admin.datasets.get(name)
        facts = {"name": found.name, "items": len(found), "id": found.id}
        found.delete()
    session.output.done(f"Deleted {facts['name']} with {facts['items']} items")
    session.output.result(facts)


def _tell(session: Session, found: LiveDataset, sentence: str, **more: Any) -> None:
    session.output.done(sentence)
    session.output.result({"name": found.name, "items": len(found), "id": found.id, **more})


def _shorten(value: object) -> str:
    import json

    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)
