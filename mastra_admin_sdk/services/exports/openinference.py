"""Spans as OpenInference names them, flat, in the columns that Phoenix's DataFrames have."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mastra_admin_sdk.services.collector import conventions as names

from .messages import Message, read_messages
from .rows import SpanRow

if TYPE_CHECKING:
    import pyarrow as pa

_KINDS: Mapping[str, str] = {
    **{kind: told for told, kind in names.OPENINFERENCE.items() if kind != "generic"},
    **dict.fromkeys(names.TOOLS, "TOOL"),
}
_OTHER = "CHAIN"
_STATUS = {"ok": "OK", "error": "ERROR"}
_JSON, _TEXT = "application/json", "text/plain"


def make_record(row: SpanRow) -> dict[str, Any]:
    """Return a span by column; what it doesn't have is ``None``. Only generations are ``LLM``: their steps repeat them.

    Times are UTC datetimes.
    """
    kind = _KINDS.get(row.type, _OTHER)
    return {
        "name": row.name,
        "span_kind": kind,
        "parent_id": row.parent_id,
        "start_time": _read_time(row.start_ns),
        "end_time": _read_time(row.end_ns),
        "status_code": _STATUS.get(row.status, "UNSET"),
        "status_message": row.error or "",
        "events": _list_events(row),
        "context.span_id": row.span_id,
        "context.trace_id": row.trace_id,
        "attributes.openinference.span.kind": kind,
        **_tell_value("input", row.input),
        **_tell_value("output", row.output),
        **(_tell_model(row) if kind == "LLM" else {}),
        "attributes.tool.name": (row.entity_name or row.entity_id) if kind == "TOOL" else None,
        "attributes.agent.name": (row.entity_name or row.entity_id) if kind == "AGENT" else None,
        "attributes.session.id": row.thread_id,
        "attributes.user.id": row.resource_id,
        "attributes.metadata": _dump({**row.metadata, **row.owners, "mastra_type": row.type}),
    }


def make_schema() -> pa.Schema:
    """Return the types of all columns, for Parquet."""
    import pyarrow as pa

    text, time, count = pa.string(), pa.timestamp("ms", tz="UTC"), pa.int64()
    call = pa.struct([(f"tool_call.{name}", text) for name in ("id", "function.name", "function.arguments")])
    message = pa.struct(
        [
            ("message.role", text),
            ("message.content", text),
            ("message.tool_call_id", text),
            ("message.tool_calls", pa.list_(call)),
        ]
    )
    event = pa.struct([("name", text), ("timestamp", time), ("message", text)])
    kinds = {"start_time": time, "end_time": time, "events": pa.list_(event)}
    kinds |= dict.fromkeys(_MESSAGES, pa.list_(message)) | dict.fromkeys(_COUNTS, count)
    return pa.schema([(name, kinds.get(name, text)) for name in COLUMNS])


_MESSAGES = ("attributes.llm.input_messages", "attributes.llm.output_messages")
_COUNTS = tuple(f"attributes.llm.token_count.{name}" for name in ("prompt", "completion", "total"))
COLUMNS: tuple[str, ...] = (
    *("name", "span_kind", "parent_id", "start_time", "end_time", "status_code", "status_message", "events"),
    *("context.span_id", "context.trace_id", "attributes.openinference.span.kind"),
    *(f"attributes.{side}.{name}" for side in ("input", "output") for name in ("value", "mime_type")),
    *("attributes.llm.model_name", "attributes.llm.provider", "attributes.llm.invocation_parameters"),
    *_MESSAGES,
    *_COUNTS,
    *("attributes.tool.name", "attributes.agent.name", "attributes.session.id", "attributes.user.id"),
    "attributes.metadata",
)
"""All columns, in their order."""


def _tell_value(side: str, value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    kind = _TEXT if isinstance(value, str) else _JSON
    return {f"attributes.{side}.value": _dump(value), f"attributes.{side}.mime_type": kind}


def _tell_model(row: SpanRow) -> dict[str, Any]:
    parameters = row.attributes.get("parameters")
    tokens = [count for count in (row.input_tokens, row.output_tokens) if count is not None]
    counts = dict(zip(_COUNTS, (row.input_tokens, row.output_tokens, sum(tokens) if tokens else None), strict=True))
    said = (read_messages(row.input, "user"), read_messages(row.output, "assistant"))
    return {
        "attributes.llm.model_name": row.model,
        "attributes.llm.provider": row.provider,
        "attributes.llm.invocation_parameters": _dump(parameters) if parameters else None,
        **{name: [_make_message(each) for each in given] for name, given in zip(_MESSAGES, said, strict=True)},
        **counts,
    }


def _make_message(message: Message) -> dict[str, Any]:
    calls = [
        {
            "tool_call.id": call.id,
            "tool_call.function.name": call.name,
            "tool_call.function.arguments": call.arguments,
        }
        for call in message.tool_calls
    ]
    told = {
        "message.role": message.role,
        "message.content": message.text,
        "message.tool_call_id": message.result_of,
        "message.tool_calls": calls or None,
    }
    return {name: value for name, value in told.items() if value is not None}


def _list_events(row: SpanRow) -> list[dict[str, Any]]:
    if row.status != "error":
        return []
    return [{"name": "exception", "timestamp": _read_time(row.end_ns or row.start_ns), "message": row.error or ""}]


def _read_time(nanoseconds: int | None) -> datetime | None:
    return None if nanoseconds is None else datetime.fromtimestamp(nanoseconds / 1e9, UTC)


def _dump(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
