"""What the services advise in Python, as it is done on the command line (pure)."""

from __future__ import annotations

import re
from collections.abc import Callable

# What stands after `$` is a command of this program.
_WORDS = [
    (r'admin\.webhooks\.rotate\("([^"]+)"\)', r"`$webhooks create \1 --rotate`"),
    (r'admin\.webhooks\.create\("([^"]+)"\)', r"`$webhooks create \1`"),
    (r"admin\.alerts\.create\(…\) makes one", "`$alerts create` makes one"),
    (r"Give it one with update\(webhook=…\)", "Give it one with `$alerts update`"),
    (r"Give clear= a number", "Give --clear a number"),
    (r"Leave min_count= out", "Leave --min-count out"),
    (r"admin\.schedules\.list\(\) returns all there are", "`$schedules list` shows all there are"),
    (r", or admin\.tokens\.create\(…\)", ""),
    (r"admin\.members\.list\(\) returns all there are", "`$members list` shows all there are"),
    (r"admin\.tokens\.list\(\) returns all there are", "`$tokens list` shows all there are"),
    (r"admin\.tokens\.list\(\) shows", "`$tokens list` shows"),
    (
        r'Use it with admin\.projects\.get\("([^"]+)"\), or give this one another name',
        r"Deploy the one that is there: `$deploy \1`, or give this one another name with --name",
    ),
    (r'Use it with admin\.teams\.get\("([^"]+)"\)', r"Name it with --team \1"),
    (
        r"tie the project to its repository: admin\.projects\.relink\(…, git=…\)",
        "create one with `projects create --git`",
    ),
    (r", or admin\.start\(\)", ""),
    (r"wait for one with trace\(id, wait=10\)\. admin\.traces\(\) lists", "look again then. `$traces` lists"),
    (r"32 hex digits; admin\.traces\(\) lists", "32 hex digits; `$traces` lists"),
    (r"admin\.traces\(\) lists those", "`$traces` lists those"),
    (r"Start it with \.start\(\)", "Start it with `start`"),
    (
        r"two numbers, such as 3\.1: see env_versions\(\)",
        "two numbers, such as 3.1: `env versions --deployment` lists them",
    ),
    (r"see env_versions\(\)", "`env versions` lists them"),
    (
        r"Give source= \(a folder's project, a URL\) or git=",
        "Give SOURCE (a folder, a name that `projects` lists) or --git",
    ),
    (r"a number of rows, or None for all", "a number of rows, or all"),
    (r"None for the setting server_memory_mb", "default for what the settings say"),
    (r"datetime\(…, tzinfo=UTC\) or …Z|(datetime\(…, )?tzinfo=UTC\)?", "…Z"),
    (r"MASTRA_ADMIN_HOME or home=…", "MASTRA_ADMIN_HOME or --home"),
    (r'or use format="(\w+)"', r"or use --format \1"),
    (r'(Deploy with|Use|Choose) (type|tls|strategy)="(\w+)"', r"\1 --\2 \3"),
]
_RULES = [(re.compile(pattern), words) for pattern, words in _WORDS]
_COMMAND = re.compile(r"`\$([^`]*)`")


def translate(text: str, suggest: Callable[[str], str] = "mastra-admin {}".format) -> str:
    """Return a hint for somebody at the command line; ``suggest`` makes a command a line to be pasted."""
    for pattern, words in _RULES:
        text = pattern.sub(words, text)
    return _COMMAND.sub(lambda found: f"`{suggest(found[1])}`", text)
