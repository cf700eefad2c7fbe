"""What websockets and server-sent events have in common: what a request asks for, and how long it may look on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from flask import request

from mastra_admin_sdk.errors import InvalidToken, MastraAdminError

from ..context import Panel, current_panel
from ..lookup import find_build, find_deployment, find_process
from ..openapi import make_field_error
from ..principals import Principal, current_principal
from ..problems import Refused
from .feed import Feed
from .messages import ENDED
from .sources import BuildSource, ProcessSource, ServerSource, Source
from .viewers import Start, Viewer

CHECK_SECONDS = 10.0
"""How often it is looked whether a viewer's token is still good."""

_LARGEST = 2**53 - 1


def find_build_log(build_id: str) -> Source:
    """Return the log of a build that the principal may see."""
    return BuildSource(find_build(build_id))


def find_process_log(process_id: str) -> Source:
    """Return the log of a server that the principal may see."""
    return ProcessSource(current_panel().admin, find_process(process_id))


def find_deployment_log(deployment_id: str) -> Source:
    """Return the log of a deployment's server, if the principal may see it; ``?replica=`` chooses one of several."""
    return ServerSource(current_panel().admin, find_deployment(deployment_id), _read_number("replica"))


FINDERS: Mapping[str, Callable[[str], Source]] = {
    "builds": find_build_log,
    "deployments": find_deployment_log,
    "processes": find_process_log,
}
"""By the noun in the address."""


def read_start() -> Start:
    """Return where the request wants to begin: ``?after=`` (with ``&process=``) or ``?tail=``.

    Raises:
        InvalidInput: a number is none.
    """
    return Start(_read_number("after"), _read_number("tail"), request.args.get("process") or None)


def parse_mark(mark: str) -> tuple[Start, bool]:
    """Return where to go on after a mark of `messages.make_mark`, and whether it was that of the end."""
    is_ended = mark.endswith(f":{ENDED}")
    place, _, number = mark.removesuffix(f":{ENDED}").rpartition(":")
    return Start(parse_number("Last-Event-ID", number), place=place or None), is_ended


def parse_number(name: str, text: str) -> int:
    """Return a whole number; `InvalidInput` when it is none or out of range."""
    # Digits alone: int() would also take "+1", "1_0" and other scripts' digits.
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1
    if not 0 <= number <= _LARGEST:
        raise make_field_error({name: "It should be a whole number from 0 up."})
    return number


@contextmanager
def take_place(panel: Panel) -> Iterator[None]:
    """Count as a viewer.

    Raises:
        Refused: there are too many (503).
    """
    if not panel.viewers.acquire(blocking=False):
        raise Refused(503, "too_many_viewers", "Too many people follow logs right now.", hint="Try again later.")
    try:
        yield
    finally:
        panel.viewers.release()


class Watch:
    """Looks now and then whether a viewer may still look on. Made and used within its request."""

    def __init__(self) -> None:
        self._principal, self._panel = current_principal(), current_panel()
        self._due_at = time.monotonic() + CHECK_SECONDS

    def check(self, feed: Feed, viewer: Viewer) -> None:
        """Send the viewer away if its feed has died, or, every `CHECK_SECONDS`, if its token isn't good any more."""
        if feed.is_ending:
            viewer.done.set()
        if time.monotonic() < self._due_at:
            return
        self._due_at = time.monotonic() + CHECK_SECONDS
        try:
            _check(self._panel, self._principal)
        except InvalidToken:
            feed.refuse(viewer, Refused(401, "unauthorized", "This session has ended.", hint="Sign in again."))
        except MastraAdminError:
            # The database is away for a moment; the next look tells.
            return


def _check(panel: Panel, principal: Principal) -> None:
    if principal.token_id is not None:
        panel.admin.tokens.check(principal.token_id)


def _read_number(name: str) -> int | None:
    text = request.args.get(name)
    return None if text is None else parse_number(name, text)
