"""Spans as OTLP JSON with OpenTelemetry's conventions for GenAI.

The names are those that the collector reads; ``mastra.…`` says besides what they leave out, so that what is exported
here and sent to a collector of ours comes back as it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from mastra_admin_sdk.services.collector import conventions as names

from .messages import Message, read_messages
from .rows import SpanRow

_OPERATIONS: Mapping[str, str] = {
    "model_generation": "chat",
    "agent_run": "invoke_agent",
    "tool_call": "execute_tool",
    "workflow_run": "invoke_workflow",
    "rag_embedding": "embeddings",
    "rag_vector_operation": "retrieval",
}
_INTERNAL, _CLIENT = 1, 3
_OK, _ERROR = 1, 2
_BEGINS_JSON = ("", "{", "[")


def make_request(rows: Iterable[SpanRow], version: str) -> dict[str, Any]:
    """Return an ``ExportTraceServiceRequest`` in OTLP JSON: ids in hexadecimal, 64-bit numbers as text."""
    groups: dict[tuple[tuple[str, str], ...], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(sorted(row.owners.items())), []).append(make_span(row))
    return {"resourceSpans": [_make_group(dict(owner), spans, version) for owner, spans in groups.items()]}


def make_span(row: SpanRow) -> dict[str, Any]:
    """Return one span; its ids must be OpenTelemetry's, and it must have ended."""
    return {
        "traceId": row.trace_id,
        "spanId": row.span_id,
        **({"parentSpanId": row.parent_id} if row.parent_id else {}),
        "name": row.name,
        "kind": _CLIENT if row.type == "model_generation" else _INTERNAL,
        "startTimeUnixNano": str(row.start_ns),
        "endTimeUnixNano": str(row.end_ns or row.start_ns),
        "attributes": _make_pairs(_list_attributes(row)),
        "status": {"code": _ERROR, "message": row.error or ""} if row.status == "error" else {"code": _OK},
    }


def _make_group(owner: Mapping[str, str], spans: list[dict[str, Any]], version: str) -> dict[str, Any]:
    told = {f"mastra.admin.{name}": value for name, value in owner.items()}
    resource = {"service.name": owner.get("project_id") or "mastra", **told}
    scope = {"name": "mastra-admin", "version": version}
    return {"resource": {"attributes": _make_pairs(resource)}, "scopeSpans": [{"scope": scope, "spans": spans}]}


def _list_attributes(row: SpanRow) -> dict[str, Any]:
    told: dict[str, Any] = {
        "gen_ai.operation.name": _OPERATIONS.get(row.type),
        "gen_ai.provider.name": row.provider,
        "gen_ai.request.model": row.model,
        "gen_ai.usage.input_tokens": row.input_tokens,
        "gen_ai.usage.output_tokens": row.output_tokens,
        "gen_ai.conversation.id": row.thread_id,
        "user.id": row.resource_id,
        "error.type": _find_error_type(row),
        **_name_entity(row),
        **_tell_messages(row),
        "mastra.span.type": row.type,
        f"mastra.{row.type}.input": row.input,
        f"mastra.{row.type}.output": row.output,
        names.OWN_RECORD: _make_own_record(row),
    }
    return {name: value for name, value in told.items() if value is not None}


def _find_error_type(row: SpanRow) -> str | None:
    # By the conventions it is `_OTHER` where no class of errors is known.
    return "_OTHER" if row.status == "error" else None


def _name_entity(row: SpanRow) -> dict[str, Any]:
    if row.type in names.TOOLS:
        return {"gen_ai.tool.name": row.entity_name or row.entity_id}
    if row.type == "workflow_run":
        return {"gen_ai.workflow.name": row.entity_name or row.entity_id}
    if row.type in {"agent_run", *names.MODELS}:
        return {"gen_ai.agent.id": row.entity_id, "gen_ai.agent.name": row.entity_name}
    return {}


def _tell_messages(row: SpanRow) -> dict[str, Any]:
    if row.type in names.TOOLS:
        told = {"gen_ai.tool.call.arguments": row.input, "gen_ai.tool.call.result": row.output}
        return {name: _dump(value) for name, value in told.items() if value is not None}
    if row.type not in {"agent_run", "model_generation"}:
        return {}
    messages = {
        "gen_ai.input.messages": read_messages(row.input, "user"),
        "gen_ai.output.messages": read_messages(row.output, "assistant"),
    }
    return {name: _dump([_make_message(each) for each in said]) for name, said in messages.items() if said}


def _make_message(message: Message) -> dict[str, Any]:
    parts: list[dict[str, Any]] = []
    if message.text is not None and message.result_of:
        parts.append({"type": "tool_call_response", "id": message.result_of, "response": message.text})
    elif message.text is not None:
        parts.append({"type": "text", "content": message.text})
    for call in message.tool_calls:
        identifier = {"id": call.id} if call.id else {}
        parts.append({"type": "tool_call", **identifier, "name": call.name, "arguments": call.arguments})
    return {"role": message.role, "parts": parts}


def _make_own_record(row: SpanRow) -> str:
    """Return as JSON what the conventions have no room for, or would not bring back as it was."""
    # Text that looks like JSON is read as that, and what is empty is left out, by those who know only the conventions.
    misread = {
        name: value
        for name, value in (("input", row.input), ("output", row.output))
        if value is not None and (not value or (isinstance(value, str) and value.lstrip()[:1] in _BEGINS_JSON))
    }
    told = {
        "entityId": row.entity_id,
        "entityName": row.entity_name,
        "attributes": row.attributes or None,
        "metadata": row.metadata or None,
        "errorInfo": {"message": row.error} if row.status == "error" else None,
        **misread,
    }
    return _dump(told)


def _make_pairs(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": name, "value": _make_value(value)} for name, value in attributes.items()]


def _make_value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    return {"stringValue": _dump(value)}


def _dump(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
