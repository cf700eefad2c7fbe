"""What git says, for people: what happened to which repository, and what to do next."""

from __future__ import annotations

import re

from mastra_admin_sdk.adapters.source.local.names import show_reference
from mastra_admin_sdk.errors import SourceError

from .addresses import Address, redact
from .command import GitFailed
from .refs import Advertised, suggest_refs

_HINTS = (
    (
        r"could not read (Username|Password)|terminal prompts disabled|Authentication failed|HTTP Basic|error: 40[13]",
        "It wants to know who you are: set up git's credential helper, or MASTRA_ADMIN_GIT_CREDENTIALS.",
    ),
    (
        r"Permission denied \(|publickey|Host key verification failed",
        "Add your key to the SSH agent, and log in with ssh once to accept the host's key.",
    ),
    (r"Could not resolve host|Connection refused|timed out|Couldn't connect|unreachable", "Look at host and network."),
    (r"certificate|SSL", "Name the certificates to trust with GIT_SSL_CAINFO, or in git's own configuration."),
    (r"dubious ownership", "Another user owns it: allow it with `git config --global --add safe.directory <folder>`."),
    (r"not found|does not appear to be a git repository|does not exist", "Look at the address, and at your access."),
    (r"No space left|Disk quota", "Free some disk space and try again."),
    (r"transport '.*' not allowed", "Only https, http, ssh, git and folders are fetched from."),
)


def explain_failure(address: Address, what: str, error: GitFailed) -> SourceError:
    """Return the error for a git command that failed; ``what`` says what can't be done."""
    text = "\n".join([str(error), *error.lines])
    hint = next((hint for pattern, hint in _HINTS if re.search(pattern, text)), "Try it with git on the command line.")
    return SourceError(
        f"The repository {redact(address.url)} {what}: {str(error).rstrip('.')}.",
        hint=hint,
        evidence={"command": f"git {error.command}", "exit_code": error.exit_code, "output": error.lines},
    )


def impossible_ref(address: Address, ref: object) -> SourceError:
    """Return the error for what no branch, tag or commit can be called."""
    return SourceError(
        f"The repository {redact(address.url)} has no branch, tag or commit {show_reference(str(ref))}.",
        hint="That can't be the name of one.",
    )


def missing_ref(address: Address, ref: str | None, advertised: Advertised) -> SourceError:
    """Return the error for a branch, tag or commit that a repository doesn't have."""
    url = redact(address.url)
    if not advertised.refs and ref is None:
        return SourceError(f"The repository {url} is empty: it has no commit yet.", hint="Push something first.")
    if ref is None:
        return SourceError(f"The repository {url} names no branch as its own.", hint=_name_one(advertised))
    return SourceError(
        f"The repository {url} has no branch, tag or commit {show_reference(ref)}.", hint=suggest_refs(ref, advertised)
    )


def _name_one(advertised: Advertised) -> str:
    return f"Name a branch. {suggest_refs('', advertised)}"
