"""Who a request comes from, and what they may do.

Views say what they need with `needs`; the guard in `access` finds the principal of each request and holds it to that.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import g

from mastra_admin_sdk.models import Token, TokenScope

from .problems import Refused

_View = TypeVar("_View", bound=Callable[..., Any])

_NEEDS = "__mastra_admin_needs__"
_KEPT_IN = "mastra_admin_principal"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a request comes from.

    ``name`` is who is named in the audit log: a member's email, a token's name, or for the panel's own token whoever
    runs the panel. ``team_id`` and ``project_id`` bind it to one team, or to one project of it; with neither it is for
    all of them. ``is_owner`` is set for the panel's own token, which isn't in the database.
    """

    name: str
    scopes: frozenset[TokenScope]
    team_id: str | None = None
    project_id: str | None = None
    token_id: str | None = None
    member_id: str | None = None
    is_owner: bool = False

    @property
    def is_bound(self) -> bool:
        """True when it is for one team or project alone."""
        return self.team_id is not None or self.project_id is not None

    def can(self, scope: TokenScope | str) -> bool:
        """True when it has a scope; ``admin`` is all of them."""
        return TokenScope(scope) in self.scopes or TokenScope.ADMIN in self.scopes


@dataclass(frozen=True, slots=True)
class Need:
    """What a view asks of whoever calls it: a scope, and with ``everywhere`` that they are bound to no team."""

    scope: TokenScope
    everywhere: bool = False


def needs(scope: TokenScope, *, everywhere: bool = False) -> Callable[[_View], _View]:
    """Declare what a view needs, below its route.

    Without it, GET and HEAD need ``read``, and any other method needs ``admin`` of a principal that is bound to no
    team: what nobody thought about is refused.

    Parameters:
        scope: the scope that it takes.
        everywhere: refuse whoever is bound to a team or project: for what concerns the whole home, such as settings.

    Example:
        >>> @blueprint.post("/deployments/<deployment_id>/restart")
        ... @needs(TokenScope.DEPLOY)
        ... def restart(deployment_id: str) -> Response: ...
    """

    def declare(view: _View) -> _View:
        setattr(view, _NEEDS, Need(scope, everywhere))
        return view

    return declare


def find_need(view: Callable[..., Any] | None, method: str) -> Need:
    """Return what a view needs for a method."""
    # Whichever of the functions around a view was declared.
    outermost = inspect.unwrap(view, stop=lambda item: hasattr(item, _NEEDS)) if view is not None else None
    declared: Need | None = getattr(outermost, _NEEDS, None)
    if declared is not None:
        return declared
    if method in _SAFE_METHODS:
        return Need(TokenScope.READ)
    return Need(TokenScope.ADMIN, everywhere=True)


def check_need(principal: Principal, need: Need) -> None:
    """Refuse a principal that lacks what is needed (403)."""
    if not principal.can(need.scope):
        raise Refused(
            403,
            "forbidden",
            f"{principal.name!r} may not do this: it needs the scope {need.scope.value!r}.",
            hint=f"Sign in with a token that has it; `mastra-admin tokens create NAME --scope {need.scope.value}` "
            "makes one.",
        )
    if need.everywhere and principal.is_bound:
        raise Refused(
            403,
            "forbidden",
            f"{principal.name!r} may not do this: it concerns all teams, and this token is for one of them.",
            hint="Use a token that is bound to no team or project.",
        )


def set_principal(principal: Principal | None) -> None:
    """Say who the request that is handled comes from. Called by the guard alone."""
    setattr(g, _KEPT_IN, principal)


def find_principal() -> Principal | None:
    """Return who the request comes from, ``None`` where nobody has signed in (the sign-in page)."""
    found: Principal | None = getattr(g, _KEPT_IN, None)
    return found


def current_principal() -> Principal:
    """Return who the request comes from.

    Raises:
        Refused: nobody has signed in (401).
    """
    found = find_principal()
    if found is None:
        raise Refused(401, "unauthorized", "This needs a token.", hint="Sign in first.")
    return found


def can(scope: TokenScope | str, *, everywhere: bool = False) -> bool:
    """True when whoever asks has a scope: for templates, to leave out what would be refused."""
    found = find_principal()
    return found is not None and found.can(scope) and not (everywhere and found.is_bound)


def make_owner(name: str) -> Principal:
    """Return the principal of the panel's own token."""
    return Principal(name, frozenset(TokenScope), is_owner=True)


def make_principal(token: Token, name: str, team_id: str | None) -> Principal:
    """Return the principal of an API token; ``name`` acts, ``team_id`` is the team of its project when it has one."""
    return Principal(
        name,
        frozenset(token.scopes),
        team_id=token.team_id or team_id,
        project_id=token.project_id,
        token_id=token.id,
        member_id=token.member_id,
    )
