"""Searches with regular expressions, in a process of their own: some expressions take forever, and hold all threads.

``python -m mastra_admin_sdk.linelog.searching_apart`` reads a `Job` as JSON and prints what was found.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import threading
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mastra_admin_sdk.errors import InvalidInput, MastraAdminError

from .parts import open_parts
from .searching import Found, Query, search_parts

_MOST_SECONDS = 6.0
_MOST_MEMORY = 1024**3
_NICE = 10
_PLACES = threading.BoundedSemaphore(2)
"""Searches at a time: whoever sends many of them would else take all processors."""


@dataclass(frozen=True, slots=True)
class Job:
    """One search."""

    path: str
    query: Query
    after: int | None
    before: int | None
    limit: int


def search_apart(job: Job, home: Path | None) -> Found:
    """Do a search in another process, which is ended when it takes too long.

    Parameters:
        home: the home on whose behalf it runs; it carries that in its environment.

    Raises:
        InvalidInput: the expression isn't valid, takes too long, or has to wait too long for those of others.
    """
    if not _PLACES.acquire(timeout=_MOST_SECONDS):
        raise InvalidInput(
            "Too many searches with regular expressions run right now.",
            hint="Try again in some seconds, or search for a text without regex.",
            evidence={"field": "q"},
        )
    try:
        return _search_in_process(job, home)
    finally:
        _PLACES.release()


def _search_in_process(job: Job, home: Path | None) -> Found:
    try:
        ended = subprocess.run(
            [sys.executable, "-I", "-m", __name__],
            input=json.dumps(asdict(job)).encode(),
            env={"MASTRA_ADMIN_HOME": str(home)} if home else {},
            capture_output=True,
            timeout=_MOST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as exc:
        raise _refuse(job, f"took longer than {_MOST_SECONDS:.0f} s") from exc
    if ended.returncode != 0:
        raise _refuse(job, "took too much time or memory")
    answer: dict[str, Any] = json.loads(ended.stdout)
    if "error" in answer:
        raise InvalidInput(answer["error"], hint=answer["hint"], evidence={"field": "q"})
    return Found([(number, moment, stream, text) for number, moment, stream, text in answer["rows"]], answer["next"])


def main() -> None:
    """Do the search that standard input asks for."""
    os.nice(_NICE)
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (int(_MOST_SECONDS) + 1, int(_MOST_SECONDS) + 1))
    given = json.load(sys.stdin)
    sys.stdout.write(json.dumps(_search(Job(**{**given, "query": Query(**given["query"])}))))


def _search(job: Job) -> dict[str, Any]:
    try:
        with ExitStack() as stack:
            found = search_parts(
                open_parts(Path(job.path), stack), job.query, after=job.after, before=job.before, limit=job.limit
            )
    except MastraAdminError as exc:
        return {"error": exc.message, "hint": exc.hint}
    return {"rows": found.rows, "next": found.next}


def _refuse(job: Job, what: str) -> InvalidInput:
    return InvalidInput(
        f"The search for the regular expression {job.query.text[:100]!r} {what}.",
        hint="Make it simpler; nested repetitions such as (a+)+ are slow.",
        evidence={"field": "q"},
    )


if __name__ == "__main__":
    main()
