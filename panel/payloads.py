"""Texts of agents as they are shown: without control characters, indented when they are JSON, cut when very long."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mastra_admin_sdk.display.text import format_bytes, printable

LONGEST = 20_000
"""Characters of a payload that a page shows."""
_LONGEST_LINE = 500


@dataclass(frozen=True, slots=True)
class Payload:
    """What went into a span, came out, or is said about it. ``whole_size`` is set when the text was cut."""

    name: str
    title: str
    text: str
    size: str
    whole_size: str = ""


def make_payload(name: str, title: str, value: Any) -> Payload | None:
    """Return a payload, or ``None`` for one that says nothing."""
    text = value or "" if isinstance(value, str | None) else json.dumps(value, ensure_ascii=False, default=str)
    if text in {"", "{}", "[]", "null"}:
        return None
    size = format_bytes(len(text.encode("utf-8", "replace")))
    shown = indent_json(text)
    cut = f"{LONGEST:,} of {len(shown):,} characters" if len(shown) > LONGEST else ""
    return Payload(name, title, clean_lines(shown, LONGEST), size, cut)


def shape_line(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a log line as templates show it: its first line, what follows that, and its data.

    ``key`` tells it from other lines of a list.
    """
    message = row["message"] or ""
    first, _, rest = message.partition("\n")
    is_long = bool(rest.strip()) or len(first) > _LONGEST_LINE
    said = "\0".join(str(row.get(name)) for name in ("timestamp", "level", "message", "process_id", "span_id", "data"))
    return {
        **row,
        "message": clean_line(first, _LONGEST_LINE) or "(empty)",
        "body": clean_lines(message, LONGEST) if is_long else "",
        "data": clean_lines(indent_json(row["data"]), LONGEST) if row["data"] not in {None, "", "{}"} else "",
        "key": hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()[:20],
    }


def indent_json(text: str) -> str:
    """Return JSON with line ends and indents; other text, and a JSON text without its quotes, as it is."""
    if not text.lstrip().startswith(("{", "[", '"')):
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text  # it only looks like JSON
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def clean_line(text: str, longest: int) -> str:
    """Return a text on one line, fit to be shown, cut to some characters."""
    cleaned = printable(text[: longest + 1])
    return cleaned if len(text) <= longest else f"{cleaned[:longest]}…"


def clean_lines(text: str, longest: int) -> str:
    """Return a text with its lines, fit to be shown, cut to some characters."""
    cleaned = "\n".join(printable(line.replace("\t", "    ")) for line in text[:longest].split("\n"))
    return cleaned if len(text) <= longest else f"{cleaned}…"
