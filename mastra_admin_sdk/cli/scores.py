"""``mastra-admin score``, ``label`` and ``note``: saying something about a trace or span."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .frames import iterate_records
from .group import AdminCommand
from .session import Session

if TYPE_CHECKING:
    import pandas as pd

C = TypeVar("C", bound=Callable[..., Any])


def _target_options(command: C) -> C:
    for option in reversed(
        (
            click.option("--span", "span_id", metavar="ID", help="A span of it; the whole trace unless given."),
            click.option("--author", help="Who says it; you unless given."),
            click.option("--remove", is_flag=True, help="Take back what was said."),
        )
    ):
        command = option(command)
    return command


@click.command(cls=AdminCommand)
@click.argument("trace_id", metavar="TRACE")
@click.argument("name")
@click.argument("score", type=float, required=False)
@click.option("--reason", help="Why.")
@_target_options
@click.pass_obj
def score(session: Session, /, trace_id: str, **given: Any) -> None:
    """Give trace TRACE the number SCORE under a NAME.

    Another one of the same author and name replaces it.

    \b
    mastra-admin score 6854cc3c7627802cd5339c2bbe162a6d helpful 0.5
    """
    with session.open_admin() as admin:
        found = admin.score(trace_id=trace_id, **given)
    _tell(session, found)


@click.command(cls=AdminCommand)
@click.argument("trace_id", metavar="TRACE")
@click.argument("label", required=False)
@click.option("--name", default="label", show_default=True, help="What the label is about.")
@click.option("--comment", help="Words beside it.")
@_target_options
@click.pass_obj
def label(session: Session, /, trace_id: str, **given: Any) -> None:
    """Put trace TRACE into the class LABEL.

    Another one of the same author and name replaces it.

    \b
    mastra-admin label 6854cc3c7627802cd5339c2bbe162a6d good --name quality
    """
    with session.open_admin() as admin:
        found = admin.label(trace_id=trace_id, **given)
    _tell(session, found)


@click.command(cls=AdminCommand)
@click.argument("trace_id", metavar="TRACE")
@click.argument("comment", required=False)
@click.option("--name", default="note", show_default=True, help="What the note is about.")
@_target_options
@click.pass_obj
def note(session: Session, /, trace_id: str, **given: Any) -> None:
    """Leave the words COMMENT on trace TRACE.

    Others of the same author and name are replaced.

    \b
    mastra-admin note 6854cc3c7627802cd5339c2bbe162a6d "the tool was slow"
    """
    with session.open_admin() as admin:
        found = admin.annotate(trace_id=trace_id, **given)
    _tell(session, found)


def _tell(session: Session, found: pd.DataFrame) -> None:
    (row,) = iterate_records(found)
    what = f"span {row['span_id']}" if row["span_id"] else f"trace {row['trace_id']}"
    session.output.done(f"{str(row['outcome']).capitalize()}: {row['name']} of {what}, by {row['author']}")
    session.output.result(row)
