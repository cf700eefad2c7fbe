"""The one error tree of MastraAdmin.

::

    MastraAdminError
    ├── InvalidInput               a value from outside can't be used as it is
    │   └── SettingError           a setting has a value of the wrong kind
    ├── NotFound                   nothing goes by that name or id
    ├── Conflict                   it exists already, or another change was first
    │   ├── StaleState             a compare-and-set found another state than expected
    │   └── LeaseLost              a role was taken over by another process
    ├── HomeError                  the home folder can't be used
    ├── StorageError               the database failed or can't be reached
    ├── SourceError                a project's source can't be read
    ├── BuildError                 a build ended without an artifact
    │   ├── CommandFailed          a command of the build exited with an error
    │   ├── BuildCancelled         somebody cancelled it
    │   ├── BuildSuperseded        a newer one took its place in the queue
    │   └── PhaseTimeout           a phase took longer than its limit
    ├── ServerError                a server could not be started, reached or stopped
    │   ├── NoFreePort             every port of the range is taken
    │   ├── ServerUnhealthy        it never answered its health check
    │   └── RequestFailed          a request to a deployment got no usable answer
    ├── RouterError                the reverse proxy failed or refused a change
    ├── ObservabilityError         telemetry can't be stored or read
    │   ├── EngineUnavailable      the analytics engine can't be reached or started
    │   ├── QueryError             the engine refused or failed a query
    │   └── WriteFailed            telemetry could not be put on the disk
    ├── AccessDenied               a token isn't for what was asked for
    │   └── InvalidToken           a token isn't known, has expired or was revoked
    ├── SecretError                a secret can't be read or written
    ├── ToolMissing                a program that is needed isn't there
    └── ForkedProcess              an object was used after a fork

Every message says what was attempted, on what, what happened and what to do next. ``hint`` holds the last part,
``evidence`` the proof (a command, its exit code, the last lines). None of them ever holds a secret: text from
processes is redacted before it gets here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class MastraAdminError(Exception):
    """Base of all errors that MastraAdmin raises on purpose.

    Parameters:
        message: what was attempted, on what, and what happened.
        hint: what to do next; empty when nothing sensible can be said.
        evidence: facts that prove it, such as ``{"exit_code": 1, "log_tail": [...]}``; JSON-able.
    """

    def __init__(self, message: str, *, hint: str = "", evidence: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.evidence: dict[str, Any] = dict(evidence or {})

    @property
    def code(self) -> str:
        """A stable name for programs: the class name in snake_case, such as ``not_found``."""
        name = type(self).__name__
        return "".join(f"_{char.lower()}" if char.isupper() else char for char in name).lstrip("_")

    def __str__(self) -> str:
        return "\n".join([self.message, *_evidence_lines(self.evidence), *([self.hint] if self.hint else [])])

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.message, self.hint, self.evidence))


def _rebuild(kind: type[MastraAdminError], message: str, hint: str, evidence: dict[str, Any]) -> MastraAdminError:
    error = kind.__new__(kind)
    MastraAdminError.__init__(error, message, hint=hint, evidence=evidence)
    return error


def _evidence_lines(evidence: Mapping[str, Any]) -> list[str]:
    lines = [f"  {key}: {value}" for key, value in evidence.items() if not isinstance(value, list | tuple)]
    for key, value in evidence.items():
        if isinstance(value, list | tuple) and value:
            lines += [f"  {key}:", *(f"    {line}" for line in value[-20:])]
    return lines


class InvalidInput(MastraAdminError):
    """Raised when a value that came from outside can't be used as it is."""


class SettingError(InvalidInput):
    """Raised when a setting has a value of the wrong kind."""


class NotFound(MastraAdminError):
    """Raised when nothing goes by the name or id that was asked for."""


class Conflict(MastraAdminError):
    """Raised when a change would break a rule of uniqueness, or another change came first."""


class StaleState(Conflict):
    """Raised when a compare-and-set found another state than the caller expected."""


class LeaseLost(Conflict):
    """Raised when a role or a claim was taken over by another process."""


class HomeError(MastraAdminError):
    """Raised when the home folder can't be created, written, or belongs to a newer version."""


class StorageError(MastraAdminError):
    """Raised when the database can't be reached or fails."""


class SourceError(MastraAdminError):
    """Raised when the source of a project can't be read or copied."""


class BuildError(MastraAdminError):
    """Raised when a build ends without an artifact."""


class CommandFailed(BuildError):
    """Raised when a command of a build exits with an error.

    ``evidence`` has ``command`` (as typed), ``exit_code`` and ``log_tail`` (the last lines, redacted).
    """

    def __init__(
        self, message: str, *, command: Sequence[str], exit_code: int, log_tail: Sequence[str] = (), hint: str = ""
    ) -> None:
        super().__init__(
            message,
            hint=hint,
            evidence={"command": " ".join(command), "exit_code": exit_code, "log_tail": list(log_tail)},
        )


class BuildCancelled(BuildError):
    """Raised inside a build when somebody cancelled it."""


class BuildSuperseded(BuildError):
    """Raised when a newer build of the same deployment took the place of one that was queued.

    ``evidence`` has ``superseded_by`` (the newer one's id) and ``number`` (its number).
    """


class PhaseTimeout(BuildError):
    """Raised when a phase of a build takes longer than its limit."""


class ServerError(MastraAdminError):
    """Raised when a server can't be started, reached or stopped."""


class NoFreePort(ServerError):
    """Raised when every port of the range is taken."""


class ServerUnhealthy(ServerError):
    """Raised when a server doesn't answer its health check in time; ``evidence`` has its last lines."""


class RequestFailed(ServerError):
    """Raised when a request to a deployment gets no usable answer."""


class RouterError(MastraAdminError):
    """Raised when the reverse proxy can't be reached or refuses a change."""


class ObservabilityError(MastraAdminError):
    """Raised when telemetry can't be stored or read."""


class EngineUnavailable(ObservabilityError):
    """Raised when the analytics engine can't be reached or started."""


class QueryError(ObservabilityError):
    """Raised when the analytics engine refuses or fails a query."""


class WriteFailed(ObservabilityError):
    """Raised when telemetry can't be put on the disk: it is full, failed, or can't be written."""


class AccessDenied(MastraAdminError):
    """Raised when a token is good, but not for what was asked for."""


class InvalidToken(AccessDenied):
    """Raised when a token isn't known, has expired or was revoked."""


class SecretError(MastraAdminError):
    """Raised when a secret can't be encrypted, decrypted or its key can't be read."""


class ToolMissing(MastraAdminError):
    """Raised when a program that is needed (Node, Caddy, a CLI) isn't there or doesn't run."""


class ForkedProcess(MastraAdminError):
    """Raised when an object that owns connections or threads is used after a fork."""
