"""Ids of traces, whole or as tables show them."""

from __future__ import annotations

import re

from mastra_admin_sdk.errors import InvalidInput, NotFound
from mastra_admin_sdk.ports.observability import ObservabilityStore

LENGTH = 32
"""Characters of a whole id."""

SHORTEST = 6
"""Characters that the beginning of an id needs."""

_BEGINNING = re.compile(f"[0-9a-f]{{{SHORTEST},{LENGTH - 1}}}")
_NAMED = 3


def complete_trace_id(store: ObservabilityStore, given: str) -> str:
    """Return the id of the one trace that begins so; a whole id as it is, whether or not it is stored.

    Raises:
        NotFound: no trace begins so, or too little is given.
        InvalidInput: several do.
    """
    if len(given) >= LENGTH:
        return given
    found = store.find_traces(given, _NAMED + 1)
    if given in found:
        return given
    if not _BEGINNING.fullmatch(given):
        raise NotFound(
            f"There is no trace {given!r}.",
            hint=f"Give its id, or at least the first {SHORTEST} of its {LENGTH} hex characters.",
        )
    if not found:
        raise NotFound(
            f"No trace begins with {given!r}.",
            hint="admin.traces() lists those that are stored.",
        )
    if len(found) > 1:
        named = " and ".join(found[:_NAMED])
        raise InvalidInput(f"Several traces begin with {given!r}.", hint=f"Give more of it; such as {named}.")
    return found[0]
