"""What to do next after a command of a build failed, told from what it printed: pure."""

from __future__ import annotations

from collections.abc import Sequence

_DISAGREEMENT = "package.json and the lock file don't agree: run `{} install` in the project, then deploy again."

_SIGNS: tuple[tuple[str, str], ...] = (
    ("can only install packages when your package.json and package-lock.json", _DISAGREEMENT.format("npm")),
    ("ERR_PNPM_OUTDATED_LOCKFILE", _DISAGREEMENT.format("pnpm")),
    ("ERR_PNPM_LOCKFILE_CONFIG_MISMATCH", _DISAGREEMENT.format("pnpm")),
    ("Your lockfile needs to be updated", _DISAGREEMENT.format("yarn")),
    ("YN0028", _DISAGREEMENT.format("yarn")),
    ("lockfile had changes, but lockfile is frozen", _DISAGREEMENT.format("bun")),
    ("ERESOLVE", "Two dependencies ask for versions that exclude each other: solve it in package.json."),
    ("ENOSPC", "The disk is full: free some space, then deploy again."),
    ("heap out of memory", "The build ran out of memory: set NODE_OPTIONS=--max-old-space-size=4096 for the project."),
    ("ENOTFOUND", "The package registry can't be reached: look at the network and the proxy settings."),
    ("ECONNREFUSED", "The package registry can't be reached: look at the network and the proxy settings."),
    ("E401", "The package registry asks for a login: set it up in ~/.npmrc of the user who builds."),
    ("E404", "A package or version doesn't exist in the registry: look at package.json."),
)


def suggest_next(lines: Sequence[str]) -> str:
    """Return a sentence that fits what a failed command printed."""
    for sign, hint in _SIGNS:
        if any(sign in line for line in lines):
            return hint
    return "Mend what its last lines say, then deploy again."
