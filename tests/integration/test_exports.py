"""Spans as files for other tools, read back by those tools, and by a collector of our own."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from fixtures.lines import new_trace, now
from fixtures.recorded import make_run, record, recorded_admin
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from mastra_admin_sdk.admin import MastraAdmin
from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.services.collector import otlp_json
from mastra_admin_sdk.services.collector.spans import make_span
from mastra_admin_sdk.services.exports import service
from mastra_admin_sdk.services.telemetry.lines import LineType, TelemetryLine

pytestmark = pytest.mark.slow  # an engine starts, and its answers are waited for

INPUTS = ("{}", '"quoted"', "plain", "[1", "", "é🙂\n", {}, [], 0, False, 1.5, {"a": [1, None]})


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MastraAdmin]:
    with recorded_admin(tmp_path_factory.mktemp("exports")) as opened:
        record(opened, make_run(error="it broke"), project_id="p1")
        record(opened, make_run(start=now() - timedelta(minutes=5)), project_id="p2")
        odd = [make_run(start=now() - timedelta(minutes=9))[2] for _ in INPUTS]
        changed = [
            {**line.data, "traceId": new_trace(), "input": text, "output": number}
            for number, (line, text) in enumerate(zip(odd, INPUTS, strict=True))
        ]
        record(opened, [TelemetryLine(LineType.SPAN, "ended", None, data) for data in changed], project_id="p3")
        old = {**make_run(start=now() - timedelta(days=3))[2].data, "traceId": new_trace(), "input": "long ago"}
        record(opened, [TelemetryLine(LineType.SPAN, "ended", None, old)], project_id="p5")
        running = {**make_run(new_trace())[0].data}
        del running["endTime"]
        other = {**make_run("not-hexadecimal")[0].data}
        lines = [
            TelemetryLine(LineType.SPAN, "started", None, running),
            TelemetryLine(LineType.SPAN, "ended", None, other),
        ]
        record(opened, lines, project_id="p4")
        yield opened


def list_values(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows in a fixed order, with ``None`` for whatever is missing."""
    plain = frame.astype(object).where(frame.notna(), None)
    return sorted(plain.to_dict("records"), key=lambda row: (row["trace_id"], row["span_id"]))


def test_parquet_has_the_columns_and_dtypes_of_spans(admin: MastraAdmin, tmp_path: Path) -> None:
    export = admin.export(tmp_path / "spans.parquet")
    frame, read = admin.spans(limit=None), pd.read_parquet(tmp_path / "spans.parquet")
    assert (export.spans, export.skipped, export.bytes) == (len(frame), 0, export.path.stat().st_size)
    assert list_values(read) == list_values(frame)
    for name in frame.columns:
        # Text of many values is what pandas reads text as.
        expected = "str" if str(frame[name].dtype) == "object" else str(frame[name].dtype)
        assert str(read[name].dtype) == expected, name


def test_a_search_for_text_is_not_limited_to_a_day(admin: MastraAdmin, tmp_path: Path) -> None:
    assert admin.export(tmp_path / "old.parquet", text="long ago").spans == 1


def test_parquet_comes_in_row_groups_that_agree(
    admin: MastraAdmin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "ROWS_AT_ONCE", 4)
    admin.export(tmp_path / "spans.parquet")
    assert pq.read_metadata(tmp_path / "spans.parquet").num_row_groups > 2
    assert list_values(pd.read_parquet(tmp_path / "spans.parquet")) == list_values(admin.spans(limit=None))


def test_an_empty_export_has_the_same_columns(admin: MastraAdmin, tmp_path: Path) -> None:
    admin.export(tmp_path / "full.parquet")
    assert admin.export(tmp_path / "empty.parquet", name="nobody's").spans == 0
    full, empty = (pq.read_schema(tmp_path / f"{name}.parquet") for name in ("full", "empty"))
    assert full.equals(empty)
    assert admin.export(tmp_path / "some.parquet", columns=["name", "duration_ms"], limit=2).spans == 2
    assert list(pd.read_parquet(tmp_path / "some.parquet").columns) == ["name", "duration_ms"]


def parse_request(body: dict[str, Any]) -> ExportTraceServiceRequest:
    """Read OTLP JSON as protobuf does, whose own JSON has ids in base64."""
    for group in body["resourceSpans"]:
        for scoped in group["scopeSpans"]:
            for span in scoped["spans"]:
                for name in ("traceId", "spanId", "parentSpanId"):
                    if name in span:
                        span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()
    return json_format.ParseDict(body, ExportTraceServiceRequest())


def test_otlp_json_is_a_valid_request_with_the_conventions(admin: MastraAdmin, tmp_path: Path) -> None:
    export = admin.export(tmp_path / "spans.json", format="otlp")
    assert export.skipped == 2
    request = parse_request(json.loads((tmp_path / "spans.json").read_text()))
    spans = [span for group in request.resource_spans for scoped in group.scope_spans for span in scoped.spans]
    assert len(spans) == export.spans == len(admin.spans(limit=None)) - 2
    told = {span.name: {pair.key: pair.value for pair in span.attributes} for span in spans}
    llm = told["llm: 'm-1'"]
    assert llm["gen_ai.operation.name"].string_value == "chat"
    assert llm["gen_ai.request.model"].string_value == "m-1"
    assert llm["gen_ai.usage.input_tokens"].int_value == 12
    assert json.loads(llm["gen_ai.input.messages"].string_value) == [
        {"role": "user", "parts": [{"type": "text", "content": "Weather in Rome?"}]}
    ]
    assert told["tool: 'weather'"]["gen_ai.tool.name"].string_value == "weather"
    assert told["agent run"]["gen_ai.conversation.id"].string_value == "t1"
    (failed,) = [span for span in spans if span.status.code == 2]
    assert failed.status.message == "it broke"
    projects = {group.resource.attributes[0].value.string_value for group in request.resource_spans}
    assert projects == {"p1", "p2", "p3", "p5"}


def test_lines_of_otlp_are_requests_by_themselves(
    admin: MastraAdmin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "_SPANS_IN_REQUEST", 5)
    export = admin.export(tmp_path / "spans.jsonl", format="otlp")
    requests = [parse_request(json.loads(line)) for line in (tmp_path / "spans.jsonl").read_text().splitlines()]
    assert len(requests) >= 3
    sizes = [
        sum(len(scoped.spans) for group in each.resource_spans for scoped in group.scope_spans) for each in requests
    ]
    assert sum(sizes) == export.spans


def test_what_was_exported_comes_back_through_the_collector_as_it_was(admin: MastraAdmin, tmp_path: Path) -> None:
    admin.export(tmp_path / "spans.json", format="otlp")
    with recorded_admin(tmp_path / "other") as other:
        for batch in otlp_json.read_spans((tmp_path / "spans.json").read_bytes()):
            spans = [make_span(item, batch) for item in batch.records]
            owner = batch.resource["mastra.admin.project_id"]
            record(other, [TelemetryLine(LineType.SPAN, "ended", None, data) for data in spans], project_id=owner)
        before = [row for row in list_values(admin.spans(limit=None)) if row["project_id"] != "p4"]
        assert list_values(other.spans(limit=None)) == before


def test_openinference_has_the_columns_that_phoenix_takes(admin: MastraAdmin, tmp_path: Path) -> None:
    export = admin.export(tmp_path / "spans.parquet", format="openinference", project=None, type="model_generation")
    read = pd.read_parquet(tmp_path / "spans.parquet")
    assert len(read) == export.spans == 2
    row = read.iloc[0].to_dict()
    assert (row["span_kind"], row["attributes.openinference.span.kind"], row["status_code"]) == ("LLM", "LLM", "OK")
    assert next(iter(row["attributes.llm.input_messages"]))["message.content"] == "Weather in Rome?"
    assert next(iter(row["attributes.llm.output_messages"]))["message.role"] == "assistant"
    assert (row["attributes.llm.model_name"], row["attributes.llm.token_count.total"]) == ("m-1", 17)
    assert (row["attributes.session.id"], row["attributes.user.id"]) == ("t1", "ana")
    assert row["attributes.input.mime_type"] == "application/json"
    assert str(read["start_time"].dtype) == "datetime64[ms, UTC]"


def test_openinference_as_lines_leaves_out_what_is_missing(admin: MastraAdmin, tmp_path: Path) -> None:
    export = admin.export(tmp_path / "spans.jsonl", format="openinference")
    rows = [json.loads(line) for line in (tmp_path / "spans.jsonl").read_text().splitlines()]
    assert (len(rows), export.skipped) == (export.spans, 1)
    assert {row["span_kind"] for row in rows} == {"AGENT", "LLM", "TOOL"}
    assert all(value is not None for row in rows for value in row.values())
    failed = next(row for row in rows if row["status_code"] == "ERROR")
    assert failed["events"][0]["message"] == failed["status_message"] == "it broke"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"format": "csv"}, "no format 'csv'"),
        ({"format": "otlp", "columns": ["name"]}, "takes no columns"),
        ({"count": True}, "takes no count"),
        ({"projct": "x"}, "no filter 'projct'"),
    ],
    ids=["format", "columns", "count", "filter"],
)
def test_what_can_not_be_exported_leaves_what_was_there(
    admin: MastraAdmin, tmp_path: Path, given: dict[str, Any], why: str
) -> None:
    (tmp_path / "spans.parquet").write_text("before")
    with pytest.raises(InvalidInput, match=why):
        admin.export(tmp_path / "spans.parquet", **given)
    assert [path.name for path in tmp_path.iterdir()] == ["spans.parquet"]
    assert (tmp_path / "spans.parquet").read_text() == "before"


@pytest.mark.parametrize(
    ("name", "format", "hint"),
    [
        ("spans.csv", "parquet", "Name it .parquet."),
        ("spans.json", "parquet", 'format="otlp"'),
        ("spans.JSONL", "parquet", 'format="otlp"'),
        ("spans.parquet", "otlp", ".jsonl"),
    ],
)
def test_a_name_that_says_another_format_is_refused(
    admin: MastraAdmin, tmp_path: Path, name: str, format: str, hint: str
) -> None:
    with pytest.raises(InvalidInput, match="makes no") as caught:
        admin.export(tmp_path / name, format=format)
    assert hint in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_named(admin: MastraAdmin, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="can't be written"):
        admin.export(tmp_path / "nowhere" / "spans.parquet")
