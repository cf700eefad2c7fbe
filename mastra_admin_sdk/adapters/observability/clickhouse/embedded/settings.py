"""Settings of a statement: which are known here, and how those of ClickHouse are in force for one statement alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from .sessions import EngineError, Session, quote

COLUMNS_BY_TEXT = "columns_by_text"
"""Setting by which a client promises that values of parameters don't change the types of its query's columns."""

_OURS = frozenset({"readonly", "max_execution_time", COLUMNS_BY_TEXT})
_READONLY = 164
_SWITCHES = {"0": "false", "1": "true"}


def take_parameters(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the values of a query's placeholders, by name: they travel as settings ``param_…``."""
    return {name.removeprefix("param_"): value for name, value in settings.items() if name.startswith("param_")}


def refuse_settings(settings: Mapping[str, str]) -> None:
    """Refuse a query's settings, but for those that are known here.

    Raises:
        EngineError: with the names of the others.
    """
    refused = [name for name in settings if name not in _OURS and not name.startswith("param_")]
    if refused:
        raise EngineError(_READONLY, f"Cannot modify {', '.join(sorted(refused))} in readonly mode.")


@contextmanager
def changed_settings(session: Session, settings: Mapping[str, str]) -> Iterator[None]:
    """Put settings of ClickHouse into force on a session, and the former ones back afterwards."""
    wanted = {name: value for name, value in settings.items() if name not in _OURS}
    before = _read(session, wanted)
    changes = {name: value for name, value in wanted.items() if before.get(name) not in {value, _SWITCHES.get(value)}}
    try:
        session.set(changes)
        yield
    finally:
        session.set({name: before[name] for name in changes if name in before})


def _read(session: Session, names: Mapping[str, str]) -> dict[str, str]:
    wanted = [name for name in names if re.fullmatch(r"\w+", name)]
    if not wanted:
        return {}
    values = session.run(f"SELECT {', '.join(f'toString(getSetting({quote(name)}))' for name in wanted)}")
    return dict(zip(wanted, values.decode().rstrip("\n").split("\t"), strict=True))
