"""What was said in a span, as messages of one form, whichever way Mastra recorded it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_PARTS = ("content", "parts")
_TOOL_CALLS = ("toolCalls", "tool_calls")


@dataclass(frozen=True, slots=True)
class ToolCall:
    """That a model wants a tool to be called; ``arguments`` is JSON."""

    name: str
    arguments: str
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """Something that was said. ``result_of`` is the id of the tool call that it answers."""

    role: str
    text: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    result_of: str | None = None


def read_messages(value: Any, role: str) -> list[Message]:
    """Return the messages in a span's input or output.

    Parameters:
        value: the JSON value.
        role: whose words they are where that isn't said: ``user`` for input, ``assistant`` for output.
    """
    if value is None:
        return []
    if isinstance(value, Mapping) and isinstance(value.get("messages"), list):
        value = value["messages"]
    items = value if isinstance(value, list) else [value]
    return [_read_message(item, role) for item in items]


def _read_message(item: Any, role: str) -> Message:
    if not isinstance(item, Mapping):
        return Message(role, item if isinstance(item, str) else _dump(item))
    parts = next((item[name] for name in _PARTS if item.get(name) is not None), item.get("text"))
    calls: list[Any] = next((item[name] for name in _TOOL_CALLS if isinstance(item.get(name), list)), [])
    tool_calls = [*_find_calls(parts), *(_read_call(call) for call in calls if isinstance(call, Mapping))]
    text = _read_text(parts)
    if text is None and not tool_calls and "object" in item:
        text = _dump(item["object"])
    said = item.get("role")
    result_of = item.get("toolCallId") or item.get("tool_call_id") or _find_result(parts)
    if text is None and not tool_calls and parts is None:
        text = _dump(item)
    return Message(said if isinstance(said, str) else role, text, tuple(tool_calls), result_of)


def _read_text(parts: Any) -> str | None:
    if parts is None or isinstance(parts, str):
        return parts or None
    if isinstance(parts, Mapping):
        return _read_text(parts.get("parts", parts.get("content", parts.get("text"))))
    if not isinstance(parts, list):
        return _dump(parts)
    texts = [text for part in parts if (text := _read_part(part))]
    return "\n".join(texts) or None


def _read_part(part: Any) -> str | None:
    if isinstance(part, str):
        return part
    if not isinstance(part, Mapping) or part.get("type") == "tool-call":
        return None
    if part.get("type") == "tool-result":
        return _dump(part.get("output", part.get("result")))
    found = part.get("text", part.get("content"))
    return found if isinstance(found, str) else None


def _find_calls(parts: Any) -> list[ToolCall]:
    if not isinstance(parts, list):
        return []
    return [_read_call(part) for part in parts if isinstance(part, Mapping) and part.get("type") == "tool-call"]


def _read_call(call: Mapping[str, Any]) -> ToolCall:
    inner = call.get("payload") or call.get("function") or call
    name = inner.get("toolName") or inner.get("name") or ""
    arguments: Any = next((inner[key] for key in ("input", "args", "arguments", "toolInput") if key in inner), {})
    identifier = inner.get("toolCallId") or call.get("id")
    told = arguments if isinstance(arguments, str) else _dump(arguments)
    return ToolCall(str(name), told, identifier if isinstance(identifier, str) else None)


def _find_result(parts: Any) -> str | None:
    if not isinstance(parts, Sequence) or isinstance(parts, str):
        return None
    found = (
        part.get("toolCallId") for part in parts if isinstance(part, Mapping) and part.get("type") == "tool-result"
    )
    return next((each for each in found if isinstance(each, str)), None)


def _dump(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
