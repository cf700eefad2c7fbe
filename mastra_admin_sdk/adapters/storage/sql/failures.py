"""The one place where failures of the database become errors of ours."""

from __future__ import annotations

from sqlalchemy import exc as sa

from mastra_admin_sdk.errors import Conflict, InvalidInput, MastraAdminError, NotFound, StorageError
from mastra_admin_sdk.redaction import Redactor

_DEADLOCKS = frozenset({"40P01", "40001"})
_UNIQUE = frozenset({"23505", "SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"})
_FOREIGN_KEY = frozenset({"23503", "SQLITE_CONSTRAINT_FOREIGNKEY"})
_FULL = frozenset({"53100", "SQLITE_FULL"})
_NO_TABLE = ("no such table", "42P01", "3F000")


def translate(
    exc: sa.SQLAlchemyError, database: str, redactor: Redactor, *, conflict: str = "", missing: str = ""
) -> MastraAdminError:
    """Return our error for one of SQLAlchemy's.

    Parameters:
        exc: what was raised.
        database: the database in words, without password.
        redactor: knows the password.
        conflict: what to say when a rule of uniqueness is broken.
        missing: what to say when a row that is pointed to isn't there.
    """
    original = exc.orig if isinstance(exc, sa.StatementError) else None
    if isinstance(original, MastraAdminError):
        return original
    code = read_code(exc)
    if code in _UNIQUE:
        return Conflict(_name_conflict(original, code) or conflict or "Another record with that key exists already.")
    if code in _FOREIGN_KEY:
        return NotFound(missing or "A record that this one points to doesn't exist.")
    text = redactor.clean(_first_line(original if original is not None else exc))
    if isinstance(exc, sa.IntegrityError | sa.DataError):
        return InvalidInput(f"The database refused a value: {text}.")
    return StorageError(f"A query of {database} failed: {text}.", hint=_advise(code, text))


def is_deadlock(exc: sa.SQLAlchemyError) -> bool:
    """True when the database broke a deadlock and the same work can simply be tried again."""
    return read_code(exc) in _DEADLOCKS


def read_code(exc: BaseException) -> str:
    """Return SQLSTATE (PostgreSQL) or the error's name (SQLite); empty when there is none."""
    original = getattr(exc, "orig", None)
    for attribute in ("sqlite_errorname", "pgcode", "sqlstate"):
        code = getattr(original, attribute, None)
        if code:
            return str(code)
    return ""


def _name_conflict(original: BaseException | None, code: str) -> str:
    constraint = getattr(getattr(original, "diag", None), "constraint_name", None) or ""
    if constraint == "uq_builds_active" or str(original) == "UNIQUE constraint failed: builds.deployment_id":
        return "The deployment has a build in progress already."
    if constraint.startswith("pk_") or code == "SQLITE_CONSTRAINT_PRIMARYKEY":
        return "A record with that id exists already."
    return ""


def _first_line(exc: BaseException) -> str:
    lines = str(exc).strip().splitlines()
    return (lines[0] if lines else type(exc).__name__).rstrip(".")


def _advise(code: str, text: str) -> str:
    if code in _NO_TABLE or _NO_TABLE[0] in text:
        return "Call init() first: it creates the tables."
    if code in _FULL:
        return "Its disk is full: free some space; `mastra-admin gc` removes what isn't kept."
    return "Check that the database runs, can be reached and may be written (`mastra-admin doctor`)."
