"""What was said in a span, as messages of one form."""

from __future__ import annotations

from typing import Any

import pytest

from mastra_admin_sdk.services.exports.messages import Message, ToolCall, read_messages

CITY = {"city": "Rome"}
CALL = ToolCall("weather", '{"city": "Rome"}', "c1")
FUNCTION = {"id": "c1", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}
PART = {"type": "tool-call", "toolName": "weather", "toolCallId": "c1", "input": CITY}
TEXTS = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]


@pytest.mark.parametrize(
    ("value", "messages"),
    [
        (None, []),
        ("hi", [Message("user", "hi")]),
        ([{"role": "system", "content": "be kind"}, "hi"], [Message("system", "be kind"), Message("user", "hi")]),
        ({"messages": [{"role": "user", "content": "hi"}]}, [Message("user", "hi")]),
        ([{"role": "user", "content": TEXTS}], [Message("user", "a\nb")]),
        ([{"role": "user", "content": {"parts": [{"type": "text", "text": "a"}]}}], [Message("user", "a")]),
        ({"text": "ho", "toolCalls": [{"toolName": "weather", "toolCallId": "c1", "args": {"city": "Rome"}}]},
         [Message("user", "ho", (CALL,))]),
        ({"toolCalls": [{"payload": {"toolName": "weather", "toolCallId": "c1", "args": {"city": "Rome"}}}]},
         [Message("user", None, (CALL,))]),
        ([{"role": "assistant", "tool_calls": [FUNCTION]}],
         [Message("assistant", None, (CALL,))]),
        ([{"role": "assistant", "content": [PART]}],
         [Message("assistant", None, (CALL,))]),
        ([{"role": "tool", "content": [{"type": "tool-result", "toolCallId": "c1", "output": {"t": 21}}]}],
         [Message("tool", '{"t": 21}', (), "c1")]),
        ({"object": {"a": 1}}, [Message("user", '{"a": 1}')]),
        ({"city": "Rome"}, [Message("user", '{"city": "Rome"}')]),
        (5, [Message("user", "5")]),
    ],
)  # fmt: skip
def test_messages_are_read_however_they_were_recorded(value: Any, messages: list[Message]) -> None:
    assert read_messages(value, "user") == messages
