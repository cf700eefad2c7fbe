"""Errors as a build keeps them: described as JSON, free of secrets, and made into errors again."""

from __future__ import annotations

import logging
import traceback
from typing import Any, TypeVar

from mastra_admin_sdk import errors
from mastra_admin_sdk.errors import BuildCancelled, BuildError, MastraAdminError
from mastra_admin_sdk.models import Build, BuildStatus
from mastra_admin_sdk.redaction import Redactor

logger = logging.getLogger(__name__)

_Error = TypeVar("_Error", bound=MastraAdminError)


def explain(error: Exception, redactor: Redactor) -> MastraAdminError:
    """Return what to tell people of an error that ended a build, without the secrets that it may quote."""
    if isinstance(error, MastraAdminError):
        # A hint is a sentence of ours, which may name a branch or a folder; what tools said stands in the evidence.
        hint, evidence = redactor.clean_sentence(error.hint), _clean(error.evidence, redactor)
        return _make(type(error), redactor.clean(error.message), hint, evidence)
    if isinstance(error, OSError):
        where = f" on {error.filename}" if error.filename else ""
        return BuildError(
            redactor.clean(f"It failed{where}: {error.strerror or error}."),
            hint="Look at free disk space and the permissions of the home folder.",
        )
    # The text of a foreign exception may quote anything: neither the record nor our own log takes it as it is.
    logger.error("A build failed inside MastraAdmin:\n%s", redactor.clean("".join(traceback.format_exception(error))))
    return BuildError(
        redactor.clean(f"MastraAdmin itself failed: {type(error).__name__}: {error}"),
        hint="Please report this with the log.",
    )


def describe_error(error: MastraAdminError) -> dict[str, object]:
    """Return an error as JSON, in the one shape that records, the command line and the panel use."""
    return {"code": error.code, "message": error.message, "hint": error.hint, "details": error.evidence}


def make_error(build: Build) -> MastraAdminError:
    """Return the error that a build ended with, as its own class again."""
    stored = dict(build.error)
    prefix = f"Build #{build.number}"
    message = build.error_message or f"{prefix} was {build.status}."
    if not message.startswith(f"{prefix} "):
        message = f"{prefix} {build.status}: {message}"
    # One that was cancelled while it waited has no error of its own.
    default = BuildCancelled if build.status is BuildStatus.CANCELLED else BuildError
    return _make(
        _KINDS.get(str(stored.get("code")), default),
        message,
        str(stored.get("hint") or ""),
        {**dict(stored.get("details") or {}), "build_log": build.log_path},
    )


def _make(kind: type[_Error], message: str, hint: str, evidence: dict[str, Any]) -> _Error:
    # Some classes take other arguments than the base; what they made of them is known already.
    error = kind.__new__(kind)
    MastraAdminError.__init__(error, message, hint=hint, evidence=evidence)
    return error


def _clean(value: Any, redactor: Redactor) -> Any:
    if isinstance(value, str):
        return redactor.clean(value)
    if isinstance(value, list | tuple):
        return [_clean(item, redactor) for item in value]
    if isinstance(value, dict):
        return {key: _clean(item, redactor) for key, item in value.items()}
    return value


def _list_kinds() -> dict[str, type[MastraAdminError]]:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, MastraAdminError)]
    return {_make(kind, "", "", {}).code: kind for kind in kinds}


_KINDS = _list_kinds()
