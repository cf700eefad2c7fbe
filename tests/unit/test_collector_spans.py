"""From what OpenTelemetry's spans and logs are called to what Mastra's are: pure functions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.services.collector import otlp, otlp_json
from mastra_admin_sdk.services.collector.attributes import nest
from mastra_admin_sdk.services.collector.logs import find_level, make_id, make_log, make_metric
from mastra_admin_sdk.services.collector.records import Batch, EventRecord, LogRecord, SpanRecord, format_time
from mastra_admin_sdk.services.collector.spans import find_fault, make_span

START = 1_800_000_000_123_456_789
NONE: Batch[Any] = Batch({}, {}, [])


def make_record(attributes: Mapping[str, Any] | None = None, **fields: Any) -> SpanRecord:
    values: dict[str, Any] = {
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "span_id": "b7ad6b7169203331",
        "parent_id": "",
        "name": "work",
        "kind": 1,
        "start_ns": START,
        "end_ns": START + 1_500_000_000,
        "attributes": attributes or {},
    }
    return SpanRecord(**{**values, **fields})


def convert(attributes: Mapping[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    return make_span(make_record(attributes, **fields), NONE)


def test_a_span_without_conventions_is_generic_and_keeps_all_it_says() -> None:
    batch: Batch[SpanRecord] = Batch(
        {"service.name": "shop", "process.command_args": ["--password", "x"]}, {"name": "lib", "version": "2"}, []
    )
    span = make_span(make_record({"http.request.method": "GET", "http.route": "/a"}, trace_state="k=v"), batch)
    assert span == {
        "id": "b7ad6b7169203331",
        "traceId": "0af7651916cd43dd8448eb211c80319c",
        "name": "work",
        "type": "generic",
        "startTime": "2027-01-15T08:00:00.123Z",
        "endTime": "2027-01-15T08:00:01.623Z",
        "metadata": {
            "otel": {
                "kind": "internal",
                "resource": {"service": {"name": "shop"}},
                "scope": {"name": "lib", "version": "2"},
                "traceState": "k=v",
            }
        },
        "attributes": {"http": {"request": {"method": "GET"}, "route": "/a"}},
        "isEvent": False,
        "isRootSpan": True,
    }


@pytest.mark.parametrize(
    ("attributes", "kind", "found"),
    [
        ({"gen_ai.operation.name": "chat"}, 3, "model_generation"),
        ({"gen_ai.operation.name": "text_completion"}, 3, "model_generation"),
        ({"gen_ai.operation.name": "generate_content"}, 3, "model_generation"),
        ({"gen_ai.operation.name": "embeddings"}, 3, "rag_embedding"),
        ({"gen_ai.operation.name": "execute_tool"}, 1, "tool_call"),
        ({"gen_ai.operation.name": "execute_tool", "mcp.method.name": "tools/call"}, 3, "mcp_tool_call"),
        ({"gen_ai.operation.name": "invoke_agent"}, 1, "agent_run"),
        ({"gen_ai.operation.name": "invoke_workflow"}, 1, "workflow_run"),
        ({"mcp.method.name": "tools/call"}, 2, "mcp_server_request"),
        ({"mcp.method.name": "tools/call"}, 3, "mcp_tool_call"),
        ({"gen_ai.tool.name": "x"}, 1, "tool_call"),
        ({"gen_ai.request.model": "x"}, 3, "model_generation"),
        ({"openinference.span.kind": "LLM"}, 1, "model_generation"),
        ({"openinference.span.kind": "AGENT"}, 1, "agent_run"),
        ({"openinference.span.kind": "CHAIN"}, 1, "generic"),
        ({"traceloop.span.kind": "task"}, 1, "workflow_step"),
        ({"llm.request.type": "chat"}, 1, "model_generation"),
        ({"ai.operationId": "ai.generateText"}, 1, "model_generation"),
        ({"ai.operationId": "ai.streamText.doStream", "gen_ai.request.model": "x"}, 1, "model_inference"),
        ({"mastra.span.type": "workflow_step", "gen_ai.operation.name": "workflow_step"}, 1, "workflow_step"),
        ({"mastra.span.type": "model_inference", "gen_ai.operation.name": "chat"}, 3, "model_inference"),
        ({"mastra.span.type": "DROP TABLE"}, 1, "generic"),
        ({"db.system": "postgresql"}, 3, "generic"),
    ],
    ids=str,
)
def test_conventions_tell_what_a_span_is(attributes: Mapping[str, Any], kind: int, found: str) -> None:
    assert convert(attributes, kind=kind)["type"] == found


def test_a_model_call_has_model_tokens_parameters_and_messages() -> None:
    span = convert(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "anthropic",
            "gen_ai.request.model": "opus",
            "gen_ai.response.model": "opus-2",
            "gen_ai.request.temperature": 0.5,
            "gen_ai.request.max_tokens": 100,
            "gen_ai.response.finish_reasons": ["stop"],
            "gen_ai.usage.input_tokens": 10,
            "gen_ai.usage.output_tokens": 0,
            "gen_ai.usage.cache_read.input_tokens": 4,
            "gen_ai.input.messages": '[{"role": "user"}]',
            "gen_ai.output.messages": [{"role": "assistant"}],
            "gen_ai.conversation.id": "t",
            "gen_ai.agent.name": "Helper",
            "server.address": "api.example.com",
        },
        parent_id="00f067aa0ba902b7",
    )
    attributes = span["attributes"]
    assert (attributes["model"], attributes["responseModel"], attributes["provider"]) == ("opus", "opus-2", "anthropic")
    assert attributes["usage"] == {"inputTokens": 10, "outputTokens": 0, "inputDetails": {"cacheRead": 4}}
    assert attributes["parameters"] == {"temperature": 0.5, "maxOutputTokens": 100}
    assert attributes["finishReason"] == "stop"
    assert attributes["server"] == {"address": "api.example.com"}
    assert "messages" not in json.dumps(attributes)
    assert (span["input"], span["output"]) == ([{"role": "user"}], [{"role": "assistant"}])
    assert (span["entityType"], span["entityId"], span["entityName"]) == ("agent", "Helper", "Helper")
    assert span["metadata"]["threadId"] == "t"
    assert span["parentSpanId"] == "00f067aa0ba902b7"
    assert span["isRootSpan"] is False


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        pytest.param(
            {"gen_ai.system": "openai", "gen_ai.usage.prompt_tokens": 3, "gen_ai.usage.completion_tokens": 2},
            ("openai", 3, 2),
            id="earlier-genai",
        ),
        pytest.param(
            {"llm.provider": "openai", "llm.token_count.prompt": 3, "llm.token_count.completion": 2},
            ("openai", 3, 2),
            id="openinference",
        ),
        pytest.param(
            {"ai.model.provider": "openai", "ai.usage.promptTokens": "3", "ai.usage.completionTokens": 2.0},
            ("openai", 3, 2),
            id="ai-sdk",
        ),
    ],
)
def test_other_libraries_names_are_understood(attributes: Mapping[str, Any], expected: tuple[Any, ...]) -> None:
    found = convert(attributes)["attributes"]
    assert (found["provider"], found["usage"]["inputTokens"], found["usage"]["outputTokens"]) == expected


def test_messages_that_were_flattened_are_put_together() -> None:
    span = convert(
        {
            "gen_ai.prompt.0.role": "system",
            "gen_ai.prompt.0.content": "Be brief.",
            "gen_ai.prompt.10.role": "user",
            "gen_ai.prompt.2.role": "user",
            "llm.output_messages.0.message.role": "assistant",
            "llm.output_messages.0.message.content": "Hi",
        }
    )
    assert span["input"] == [{"role": "system", "content": "Be brief."}, {"role": "user"}, {"role": "user"}]
    assert span["output"] == [{"role": "assistant", "content": "Hi"}]
    assert "attributes" not in span or span["attributes"] == {}


def test_messages_in_events_are_what_was_said() -> None:
    events = [
        EventRecord("gen_ai.user.message", START, {"content": "Hi", "gen_ai.system": "openai"}),
        EventRecord("gen_ai.choice", START, {"index": 0, "message": '{"content": "Hello"}'}),
        EventRecord("cache miss", START, {"key": "k"}),
    ]
    span = convert({"gen_ai.operation.name": "chat"}, events=events)
    assert span["input"] == [{"role": "user", "content": "Hi"}]
    assert span["output"] == [{"index": 0, "message": {"content": "Hello"}}]
    kept = [{"name": "cache miss", "time": "2027-01-15T08:00:00.123Z", "attributes": {"key": "k"}}]
    assert span["metadata"]["otel"]["events"] == kept


def test_a_tool_has_what_went_in_and_came_out() -> None:
    span = convert(
        {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "weather",
            "gen_ai.tool.call.id": "c1",
            "gen_ai.tool.call.arguments": '{"city": "Paris"}',
            "gen_ai.tool.call.result": "sunny",
        }
    )
    assert (span["entityType"], span["entityId"]) == ("tool", "weather")
    assert (span["input"], span["output"]) == ({"city": "Paris"}, "sunny")
    assert (span["attributes"]["toolCallId"], span["attributes"]["success"]) == ("c1", True)


def test_the_name_tells_who_when_no_attribute_does() -> None:
    assert (
        convert({"gen_ai.operation.name": "invoke_agent"}, name="invoke_agent Math Tutor")["entityId"] == "Math Tutor"
    )
    assert "entityId" not in convert({"gen_ai.operation.name": "invoke_agent"}, name="something")
    loop = {"mastra.span.type": "model_generation", "gen_ai.operation.name": "model_generation"}
    assert convert(loop, name="model_generation gpt-5")["attributes"]["model"] == "gpt-5"


def test_spans_of_mastra_s_own_exporter_are_what_they_were() -> None:
    span = convert(
        {
            "gen_ai.operation.name": "workflow_step",
            "mastra.span.type": "workflow_step",
            "mastra.workflow_step.input": '{"city":"boom"}',
            "mastra.workflow_step.output": "text",
            "mastra.workflow_step.step_id": "fetch-weather",
            "mastra.workflow_step.status": "failed",
            "mastra.workflow_step.entry_metadata": '{"a":1}',
            "mastra.metadata.runId": "r",
            "mastra.metadata.threadId": "t",
            "mastra.metadata.resourceId": "u",
            "mastra.metadata.plan": '{"paid":true}',
            "mastra.tags": '["beta"]',
            "error.type": "STEP_FAILED",
            "error.message": "exploded",
        },
        status_code=2,
    )
    assert (span["type"], span["entityId"]) == ("workflow_step", "fetch-weather")
    assert (span["input"], span["output"], span["tags"]) == ({"city": "boom"}, "text", ["beta"])
    assert span["errorInfo"] == {"message": "exploded", "name": "STEP_FAILED"}
    metadata = {name: value for name, value in span["metadata"].items() if name != "otel"}
    assert metadata == {"runId": "r", "threadId": "t", "resourceId": "u", "plan": {"paid": True}}
    assert (span["attributes"]["status"], span["attributes"]["entryMetadata"]) == ("failed", {"a": 1})
    assert set(span["attributes"]["mastra"]) == {"span"}
    assert not {"input", "output"} & set(span["attributes"])


def test_an_exception_is_an_error_only_when_the_status_says_so() -> None:
    raised = EventRecord(
        "exception", START, {"exception.type": "ValueError", "exception.message": "bad", "exception.stacktrace": "at x"}
    )
    failed = convert(events=[raised], status_code=2)
    assert failed["errorInfo"] == {"message": "bad", "name": "ValueError", "stack": "at x"}
    assert "events" not in failed["metadata"]["otel"]
    caught = convert(events=[raised], status_code=0)
    assert "errorInfo" not in caught
    assert caught["metadata"]["otel"]["events"][0]["name"] == "exception"
    assert convert(status_code=2)["errorInfo"] == {"message": "The span failed."}
    assert convert(status_code=2, status_message="timeout")["errorInfo"] == {"message": "timeout"}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"trace_id": ""}, "no trace id"),
        ({"trace_id": "0" * 32}, "no trace id"),
        ({"trace_id": "Z" * 32}, "no trace id"),
        ({"span_id": "abc"}, "no span id"),
        ({"start_ns": 0}, "without a start time"),
    ],
    ids=str,
)
def test_spans_that_can_not_be_kept_say_why(fields: dict[str, Any], words: str) -> None:
    assert words in (find_fault(make_record(**fields)) or "")


def test_times_beyond_every_calendar_are_told() -> None:
    assert format_time(0) == "1970-01-01T00:00:00.000Z"
    with pytest.raises(OverflowError):
        format_time(2**64 - 1 + 10**21)


def test_dots_become_objects_and_names_that_are_also_beginnings_stay() -> None:
    assert nest({"a.b.c": 1, "a.b.d": 2, "e": 3}) == {"a": {"b": {"c": 1, "d": 2}}, "e": 3}
    assert nest({"a": 1, "a.b": 2, "a.b.c": 3}) == {"a": 1, "a.b": 2, "a.b.c": 3}
    assert nest({"a.b": {"x": 1}, "a.b.c": 2}) == {"a": {"b": {"x": 1}, "b.c": 2}}
    assert nest({"..": 1, "a..b": 2, "": 3}) == {"..": 1, "a..b": 2, "": 3}


@given(st.dictionaries(st.from_regex(r"[ab.]{0,6}", fullmatch=True), st.integers(), max_size=8))
@settings(max_examples=200, deadline=None)
def test_nesting_loses_nothing(flat: dict[str, int]) -> None:
    def leaves(value: Any) -> list[int]:
        return [item for below in value.values() for item in leaves(below)] if isinstance(value, dict) else [value]

    assert sorted(leaves(nest(flat))) == sorted(flat.values())


# --- logs and metrics -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "number", "level"),
    [
        ("WARNING", 0, "warn"),
        ("Error", 9, "error"),
        ("CRITICAL", 21, "fatal"),
        ("", 0, "info"),
        ("", 1, "debug"),
        ("", 12, "info"),
        ("", 24, "fatal"),
        ("", 99, "fatal"),
        ("TRACE", 0, "debug"),
    ],
)
def test_severities_become_levels(text: str, number: int, level: str) -> None:
    assert find_level(text, number) == level


def make_log_record(**fields: Any) -> LogRecord:
    values: dict[str, Any] = {
        "time_ns": START,
        "observed_ns": 0,
        "severity_number": 9,
        "severity_text": "",
        "body": "hello",
        "attributes": {},
    }
    return LogRecord(**{**values, **fields})


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (make_log_record(), "hello"),
        (make_log_record(body={"message": "said", "n": 1}), "said"),
        (make_log_record(body={"n": 1}), '{"n": 1}'),
        (make_log_record(body=None, event_name="started"), "started"),
        (make_log_record(body=None, attributes={"exception.message": "bad"}), "bad"),
        (make_log_record(body=None), ""),
    ],
    ids=["text", "message-in-it", "object", "event", "exception", "nothing"],
)
def test_a_log_has_a_message_whatever_its_body_is(record: LogRecord, message: str) -> None:
    assert make_log(record, NONE, now_ns=START)["message"] == message


def test_a_log_of_mastra_has_its_data_where_it_was() -> None:
    record = make_log_record(
        attributes={"mastra.log.city": "Paris", "mastra.metadata.runId": "r"}, trace_id="0" * 32, observed_ns=1
    )
    assert make_log(record, NONE, now_ns=0) == {
        "timestamp": "2027-01-15T08:00:00.123Z",
        "level": "info",
        "message": "hello",
        "source": "otlp",
        "metadata": {"runId": "r"},
        "data": {"city": "Paris"},
    }


def test_ids_are_made_of_what_is_said() -> None:
    assert make_id("a", {"b": 1, "c": 2}) == make_id("a", {"c": 2, "b": 1})
    assert make_id("a", {"b": 1}) != make_id("a", {"b": 2})


# --- both encodings ---------------------------------------------------------------------------------------------------


def make_request() -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.append(KeyValue(key="service.name", value=AnyValue(string_value="shop")))
    scoped = group.scope_spans.add()
    scoped.scope.name = "lib"
    span = scoped.spans.add(
        trace_id=bytes.fromhex("0af7651916cd43dd8448eb211c80319c"),
        span_id=bytes.fromhex("b7ad6b7169203331"),
        name="work",
        kind=3,
        start_time_unix_nano=START,
        end_time_unix_nano=START + 1,
    )
    values = {
        "text": AnyValue(string_value="x"),
        "flag": AnyValue(bool_value=True),
        "count": AnyValue(int_value=2**60),
        "share": AnyValue(double_value=0.5),
        "list": AnyValue(array_value=ArrayValue(values=[AnyValue(int_value=1), AnyValue()])),
        "object": AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key="a", value=AnyValue(string_value="b"))])),
        "nothing": AnyValue(),
    }
    span.attributes.extend(KeyValue(key=key, value=value) for key, value in values.items())
    span.events.add(name="e", time_unix_nano=START)
    span.links.add(trace_id=b"\x01" * 16, span_id=b"\x02" * 8)
    span.status.code = 2
    span.status.message = "bad"
    return request


JSON_REQUEST = {
    "resourceSpans": [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
            "scopeSpans": [
                {
                    "scope": {"name": "lib"},
                    "spans": [
                        {
                            "traceId": "0AF7651916CD43DD8448EB211C80319C",
                            "spanId": "b7ad6b7169203331",
                            "name": "work",
                            "kind": "SPAN_KIND_CLIENT",
                            "startTimeUnixNano": str(START),
                            "endTimeUnixNano": START + 1,
                            "attributes": [
                                {"key": "text", "value": {"stringValue": "x"}},
                                {"key": "flag", "value": {"boolValue": True}},
                                {"key": "count", "value": {"intValue": str(2**60)}},
                                {"key": "share", "value": {"doubleValue": 0.5}},
                                {"key": "list", "value": {"arrayValue": {"values": [{"intValue": 1}, {}]}}},
                                {
                                    "key": "object",
                                    "value": {"kvlistValue": {"values": [{"key": "a", "value": {"stringValue": "b"}}]}},
                                },
                                {"key": "nothing"},
                            ],
                            "events": [{"name": "e", "timeUnixNano": str(START)}],
                            "links": [{"traceId": "01" * 16, "spanId": "02" * 8}],
                            "status": {"code": 2, "message": "bad"},
                            "aFieldOfTheFuture": {"x": 1},
                        }
                    ],
                }
            ],
        }
    ]
}


def test_protobuf_and_json_say_the_same() -> None:
    told = otlp.read_spans(make_request().SerializeToString())
    assert otlp_json.read_spans(json.dumps(JSON_REQUEST).encode()) == told
    (span,) = told[0].records
    assert span.attributes == {
        "text": "x",
        "flag": True,
        "count": 2**60,
        "share": 0.5,
        "list": [1, None],
        "object": {"a": "b"},
        "nothing": None,
    }
    assert (span.trace_id, span.kind, span.status_code) == ("0af7651916cd43dd8448eb211c80319c", 3, 2)


def test_ids_in_base64_are_understood() -> None:
    span = {"traceId": "CvdlGRbNQ92ESOshHIAxnA==", "spanId": "t61rcWkgMzE=", "startTimeUnixNano": "1"}
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()
    (found,) = otlp_json.read_spans(body)[0].records
    assert (found.trace_id, found.span_id) == ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")


def test_logs_in_both_encodings_say_the_same() -> None:
    request = ExportLogsServiceRequest()
    record = (
        request.resource_logs.add()
        .scope_logs.add()
        .log_records.add(
            time_unix_nano=START, severity_number=13, severity_text="WARN", trace_id=b"\x01" * 16, event_name="e"
        )
    )
    record.body.bytes_value = b"123456"
    plain = {
        "timeUnixNano": str(START),
        "severityNumber": 13,
        "severityText": "WARN",
        "traceId": "01" * 16,
        "eventName": "e",
        "body": {"bytesValue": "MTIzNDU2"},
    }
    body = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [plain]}]}]}).encode()
    assert otlp_json.read_logs(body) == otlp.read_logs(request.SerializeToString())
    assert otlp_json.read_logs(body)[0].records[0].body == "[6 bytes]"


def test_metrics_in_both_encodings_say_the_same() -> None:
    request = ExportMetricsServiceRequest()
    metrics = request.resource_metrics.add().scope_metrics.add().metrics
    metrics.add(name="g", unit="s").gauge.data_points.add(time_unix_nano=START, as_double=1.5)
    metrics.add(name="s").sum.data_points.add(time_unix_nano=START, as_int=3)
    metrics.add(name="h").histogram.data_points.add(
        time_unix_nano=START, count=3, sum=6.0, explicit_bounds=[1.0], bucket_counts=[1, 2]
    )
    metrics.add(name="empty")
    time = {"timeUnixNano": str(START)}
    told = [
        {"name": "g", "unit": "s", "gauge": {"dataPoints": [{**time, "asDouble": 1.5}]}},
        {"name": "s", "sum": {"dataPoints": [{**time, "asInt": "3"}]}},
        {
            "name": "h",
            "histogram": {
                "dataPoints": [{**time, "count": "3", "sum": 6, "explicitBounds": [1.0], "bucketCounts": ["1", "2"]}]
            },
        },
        {"name": "empty"},
    ]
    body = json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": told}]}]}).encode()
    (batch,) = otlp.read_points(request.SerializeToString())
    assert otlp_json.read_points(body) == [batch]
    assert [point.value for point in batch.records] == [1.5, 3.0, 6.0]
    metric = make_metric(batch.records[2], batch, now_ns=0)
    assert metric["metadata"] == {"kind": "histogram", "count": 3, "bounds": [1.0], "counts": [1, 2]}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"\xff\xfe",
        b'{"resourceSpans": {}}',
        b'{"resourceSpans": [1]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": 5}]}]}]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"startTimeUnixNano": "soon"}]}]}]}',
        b'{"resourceSpans": [{"resource": 5, "scopeSpans": [{}]}]}',
        b"[" * 100_000,
    ],
    ids=repr,
)
def test_what_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        otlp_json.read_spans(body)


def test_what_is_no_protobuf_is_refused() -> None:
    for body in (b"\xff", b"not a message", make_request().SerializeToString()[:-3]):
        with pytest.raises(InvalidInput, match="no OTLP message"):
            otlp.read_spans(body)
