"""From a span of OpenTelemetry to one as Mastra exports it: pure functions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from . import conventions as names
from .attributes import Attributes, as_list, drop_empty, nest, read_json, to_camel
from .records import Batch, EventRecord, SpanRecord, format_time

_TRACE_ID, _SPAN_ID = re.compile(r"[0-9a-f]{32}"), re.compile(r"[0-9a-f]{16}")
_TYPE = re.compile(r"[a-z][a-z0-9_]{0,63}")
_KINDS = ("", "internal", "server", "client", "producer", "consumer")
_ERROR = 2
_EXCEPTION = "exception"
_OWN = ("entityId", "entityName", "errorInfo", "attributes", "metadata")


def find_fault(record: SpanRecord) -> str | None:
    """Return why a span can't be kept, ``None`` when it can."""
    if not _TRACE_ID.fullmatch(record.trace_id) or not record.trace_id.strip("0"):
        return f"{record.trace_id[:40]!r} is no trace id"
    if not _SPAN_ID.fullmatch(record.span_id) or not record.span_id.strip("0"):
        return f"{record.span_id[:20]!r} is no span id"
    if record.start_ns <= 0:
        return "a span without a start time"
    return None


def make_span(record: SpanRecord, batch: Batch[SpanRecord]) -> dict[str, Any]:
    """Return a span's ``data`` as docs/telemetry-format.md has it.

    Types, entities, tokens, messages and errors go where Mastra has them; every other attribute is kept in
    ``attributes`` under its own name, and ``metadata.otel`` says where the span came from.

    Raises:
        OverflowError: a time that no calendar has.
    """
    given = Attributes(record.attributes)
    kind = find_type(given, record)
    entity_type, entity_id, entity_name = _find_entity(kind, given, record)
    said = _read_events(record.events)
    own = _take_own_record(given)
    data = {
        "id": record.span_id,
        "traceId": record.trace_id,
        "parentSpanId": record.parent_id if record.parent_id.strip("0") else None,
        "name": record.name,
        "type": kind,
        "startTime": format_time(record.start_ns),
        "endTime": format_time(record.end_ns) if record.end_ns else None,
        "entityType": entity_type,
        "entityId": entity_id,
        "entityName": entity_name,
        "input": _take_input(kind, given) or said.get("input"),
        "output": _take_output(kind, given) or said.get("output"),
        "errorInfo": _find_error(record, given),
        "tags": as_list(given.take(["mastra.tags", "ai.telemetry.metadata.tags", "tag.tags"])),
        # Last, as they keep what the others didn't take.
        "metadata": _make_metadata(given, record, batch),
        "attributes": _make_attributes(kind, given, record),
    }
    flags = {"isEvent": False, "isRootSpan": data["parentSpanId"] is None}
    # Where it says nothing there was nothing.
    without = [name for name, value in own.items() if value is None]
    return {name: value for name, value in {**drop_empty(data), **flags, **own}.items() if name not in without}


def find_type(given: Attributes, record: SpanRecord) -> str:
    """Return what a span is in Mastra's terms; ``generic`` when nothing tells."""
    own = given.find_text(["mastra.span.type"])
    if own and _TYPE.fullmatch(own):
        return own
    tables = (
        (names.OPERATIONS, "gen_ai.operation.name", str.lower),
        (names.OPENINFERENCE, "openinference.span.kind", str.upper),
        (names.OPENLLMETRY, "traceloop.span.kind", str.lower),
        (names.AI_SDK, "ai.operationId", str),
        (names.REQUESTS, "llm.request.type", str.lower),
    )
    for table, name, spell in tables:
        told = table.get(spell(given.find_text([name]) or ""))
        if told:
            return "mcp_tool_call" if told == "tool_call" and given.find(["mcp.method.name"]) else told
    if given.find(["mcp.method.name"]):
        return "mcp_tool_call" if _KINDS[record.kind % len(_KINDS)] == "client" else "mcp_server_request"
    if given.find(["gen_ai.tool.name"]):
        return "tool_call"
    return "model_generation" if given.find(["gen_ai.request.model"]) else "generic"


def _take_own_record(given: Attributes) -> dict[str, Any]:
    """Return what an export of ours says of a span itself: it comes back as it was."""
    own = given.take([names.OWN_RECORD])
    if not isinstance(own, dict):
        return {}
    spoken = {name: own[name] for name in ("input", "output") if own.get(name) is not None}
    return {name: own.get(name) for name in _OWN} | spoken


def _find_entity(kind: str, given: Attributes, record: SpanRecord) -> tuple[str | None, str | None, str | None]:
    told = _find_identifier(given, record)
    agent, name = given.find_text(names.AGENT_ID), given.find_text(names.AGENT_NAME)
    if kind in names.TOOLS:
        tool = given.find_text(names.TOOL_NAME) or told
        return "tool", tool, tool
    if kind == "agent_run":
        own = given.find_text(["traceloop.entity.name"]) or told
        return "agent", agent or name or own, name or agent or own
    if kind == "workflow_run":
        workflow = given.find_text(names.WORKFLOW_NAME) or told
        return "workflow_run", workflow, workflow
    if kind.startswith("workflow_"):
        step = given.find_text(names.STEP_NAME) or told
        return ("workflow_step", step, step) if kind == "workflow_step" else (None, None, None)
    return ("agent", agent or name, name or agent) if agent or name else (None, None, None)


def _find_identifier(given: Attributes, record: SpanRecord) -> str | None:
    """Return what the name of a span tells: by the conventions it is ``<operation> <what>``."""
    operation = given.find_text(["gen_ai.operation.name"])
    if operation and record.name.startswith(f"{operation} "):
        return record.name[len(operation) + 1 :].strip() or None
    return None


def _take_input(kind: str, given: Attributes) -> Any:
    own = given.take([f"mastra.{kind}.input", *(names.TOOL_INPUT if kind in names.TOOLS else ()), *names.INPUT])
    return own if own is not None else given.take_numbered(names.NUMBERED_INPUT)


def _take_output(kind: str, given: Attributes) -> Any:
    own = given.take([f"mastra.{kind}.output", *(names.TOOL_OUTPUT if kind in names.TOOLS else ()), *names.OUTPUT])
    return own if own is not None else given.take_numbered(names.NUMBERED_OUTPUT)


def _read_events(events: Sequence[EventRecord]) -> dict[str, Any]:
    """Return what was said as ``input`` and ``output``, where it stands in events."""
    heard: list[Any] = []
    told: list[Any] = []
    for event in events:
        attributes = {name: read_json(value) for name, value in event.attributes.items()}
        if event.name in names.MESSAGE_EVENTS:
            heard.append({"role": names.MESSAGE_EVENTS[event.name], **_find_message(attributes)})
        elif event.name == "gen_ai.choice":
            told.append(_find_message(attributes))
        else:
            heard += as_list(attributes.get("gen_ai.input.messages", attributes.get("gen_ai.prompt")))
            told += as_list(attributes.get("gen_ai.output.messages", attributes.get("gen_ai.completion")))
    return drop_empty({"input": heard, "output": told})


def _find_message(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return nest({name: value for name, value in attributes.items() if name not in {"gen_ai.system"}})


def _find_error(record: SpanRecord, given: Attributes) -> dict[str, Any] | None:
    """Return the error of a span whose status says so; an exception that was caught is no error."""
    if record.status_code != _ERROR:
        return None
    found = _find_exception(record)
    raised = found.attributes if found else {}
    kind = raised.get("exception.type") or given.find_text(["error.type", "exception.type"])
    message = (
        record.status_message
        or raised.get("exception.message")
        or given.find_text(["error.message", "exception.message"])
    )
    stack = raised.get("exception.stacktrace") or given.find_text(["exception.stacktrace"])
    return drop_empty({"message": message or kind or "The span failed.", "name": kind, "stack": stack})


def _find_exception(record: SpanRecord) -> EventRecord | None:
    """Return what a span failed with: the last exception of one whose status is an error."""
    if record.status_code != _ERROR:
        return None
    return next((event for event in reversed(record.events) if event.name == _EXCEPTION), None)


def _make_metadata(given: Attributes, record: SpanRecord, batch: Batch[SpanRecord]) -> dict[str, Any]:
    found = {
        "threadId": given.find_text(names.THREAD),
        "resourceId": given.find_text(names.USER),
        "runId": given.find_text(names.RUN),
    }
    return drop_empty(
        {**given.take_below("mastra.metadata."), **drop_empty(found), "otel": _make_origin(record, batch)}
    )


def _make_origin(record: SpanRecord, batch: Batch[SpanRecord]) -> dict[str, Any]:
    raised = _find_exception(record)
    others = (event for event in record.events if event is not raised and not _is_message(event))
    links = [
        {**link, "attributes": nest(link["attributes"])} if "attributes" in link else link for link in record.links
    ]
    return drop_empty(
        {
            "kind": _KINDS[record.kind] if 0 <= record.kind < len(_KINDS) else None,
            **batch.origin,
            "events": [_describe_event(event) for event in others],
            "links": links,
            "traceState": record.trace_state,
        }
    )


def _describe_event(event: EventRecord) -> dict[str, Any]:
    time = {"time": format_time(event.time_ns)} if event.time_ns else {}
    return {"name": event.name, **time, **drop_empty({"attributes": nest(event.attributes)})}


def _is_message(event: EventRecord) -> bool:
    spoken = ("gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.prompt", "gen_ai.completion")
    known = event.name in names.MESSAGE_EVENTS or event.name == "gen_ai.choice"
    return known or any(name in event.attributes for name in spoken)


def _make_attributes(kind: str, given: Attributes, record: SpanRecord) -> dict[str, Any]:
    finish = as_list(read_json(given.find(names.FINISH)))
    parameters = {own: given.find([name]) for name, own in names.PARAMETERS.items()}
    found = {
        "model": given.find_text(names.MODEL) or (_find_identifier(given, record) if kind in names.CALLS else None),
        "provider": given.find_text(names.PROVIDER),
        "usage": _find_usage(given),
        "parameters": drop_empty({name: read_json(value) for name, value in parameters.items()}),
        "finishReason": finish[0] if finish else None,
        "instructions": given.take(names.INSTRUCTIONS),
        **{own: given.find_text(candidates) for own, candidates in names.FACTS.items()},
    }
    if kind in names.TOOLS and record.end_ns:
        found["success"] = record.status_code != _ERROR
    below = {to_camel(name): value for name, value in given.take_below(f"mastra.{kind}.").items()}
    return {**given.rest(), **drop_empty(below), **drop_empty(found)}


def _find_usage(given: Attributes) -> dict[str, Any]:
    details = {"cacheRead": given.find_count(names.CACHE_READ), "cacheWrite": given.find_count(names.CACHE_WRITE)}
    return drop_empty(
        {
            "inputTokens": given.find_count(names.INPUT_TOKENS),
            "outputTokens": given.find_count(names.OUTPUT_TOKENS),
            "inputDetails": drop_empty(details),
            "outputDetails": drop_empty({"reasoning": given.find_count(names.REASONING)}),
        }
    )
