"""What can be sent again, and why not; how outcomes differ."""

from __future__ import annotations

import json
from typing import Any, cast

import pandas as pd
import pytest
from fakes.storage import FakeAdminStorage
from fixtures.spans import frame, span

from mastra_admin_sdk.errors import InvalidInput, NotFound
from mastra_admin_sdk.models import Dataset, DatasetItem
from mastra_admin_sdk.services.analysis.cases import Case, CaseReader, make_case, read_messages
from mastra_admin_sdk.services.analysis.outcomes import describe_difference, simplify_output
from mastra_admin_sdk.services.telemetry.service import TelemetryService
from mastra_admin_sdk.services.telemetry.traces import Trace

QUESTION = '[{"role": "user", "content": "weather in Paris"}]'
ONE, TWO = "1" * 32, "2" * 32


def run(**fields: Any) -> dict[str, Any]:
    known = {"type": "agent_run", "entity_id": "weather", "input": QUESTION, "output": '{"text": "sunny", "files": []}'}
    return span("root", None, 0, 100, **{**known, **fields})


def case_of(**fields: Any) -> Case:
    model = span("m", "root", 1, 50, type="model_generation", model="m", input_tokens=7, output_tokens=3)
    return make_case(Trace("t", frame(run(**fields), model)))


class Telemetry:
    """Knows a few traces by their ids."""

    def __init__(self, **traces: pd.DataFrame) -> None:
        self.traces = {name.removeprefix("t"): found for name, found in traces.items()}

    def trace(self, trace_id: str, *, wait: float = 0.0) -> pd.DataFrame:
        if trace_id not in self.traces:
            raise NotFound(f"There is no trace {trace_id!r}.")
        return self.traces[trace_id]

    def complete_trace_id(self, given: str) -> str:
        found = [trace_id for trace_id in self.traces if trace_id.startswith(given)]
        if len(found) != 1:
            raise NotFound(f"No trace begins with {given!r}.")
        return found[0]


def make_reader(storage: FakeAdminStorage | None = None) -> CaseReader:
    telemetry = Telemetry(
        **{f"t{ONE}": frame(run()), f"t{TWO}": frame(run(type="workflow_run", input='{"city": "boom"}'))}
    )
    return CaseReader(storage or FakeAdminStorage(), cast(TelemetryService, telemetry))


def test_a_run_of_an_agent_is_a_case() -> None:
    case = case_of()
    assert (case.id, case.kind, case.target, case.reason) == ("t", "agent", "weather", None)
    assert case.input == [{"role": "user", "content": "weather in Paris"}]
    assert case.old is not None
    assert (case.old.output, case.old.status, case.old.duration_ms) == ("sunny", "ok", 100)
    assert (case.old.input_tokens, case.old.output_tokens, case.old.trace_id) == (7, 3, "t")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"type": "tool_call"}, "no run of an agent or a workflow: it began with 'root' (tool_call)"),
        ({"input": None}, "wasn't recorded"),
        ({"input": '[{"role": "user", "content": "abc… [1234 characters cut]"}]'}, "was cut"),
        ({"input": '[{"role": "user", "content": "abc…[truncated]"}]'}, "was cut"),
        ({"input": '[{"role": "user", "content": "my [REDACTED]"}]'}, "hidden"),
        ({"input": '{"city": "Paris"}'}, "no list of messages"),
        ({"entity_id": None}, "which agent"),
    ],
)
def test_what_cannot_be_sent_says_why(fields: dict[str, Any], reason: str) -> None:
    assert reason in (case_of(**fields).reason or "")


def test_the_outermost_run_counts_wherever_it_stands() -> None:
    outer = span("http", None, 0, 200, type="generic")
    inner = span("sub", "root", 10, 5, type="agent_run", entity_id="helper", input="x")
    case = make_case(Trace("t", frame(inner, outer, run(parent_span_id="http"))))
    assert (case.target, case.reason) == ("weather", None)
    assert case.old is not None
    assert case.old.duration_ms == 100
    # Its parent may be a span of whoever called it, in another program.
    assert case_of(parent_span_id="elsewhere").reason is None


def test_a_trace_without_spans_is_a_case_with_a_reason() -> None:
    assert make_case(Trace("t", frame(run()).iloc[:0])).reason == "It holds no run of an agent or a workflow."


@pytest.mark.parametrize(
    ("value", "messages"),
    [
        ("hello", "hello"),
        (["a", {"role": "user", "content": "b"}], [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]),
        ({"messages": "hello"}, "hello"),
        ({"role": "user", "content": "x"}, [{"role": "user", "content": "x"}]),
        ([], None),
        ([1], None),
        ({"city": "Paris"}, None),
        (7, None),
    ],
)
def test_inputs_of_agents_are_read_as_messages(value: Any, messages: Any) -> None:
    assert read_messages(value) == messages


def test_cases_come_from_ids_frames_lists_and_traces_each_once() -> None:
    reader = make_reader()
    listed = pd.DataFrame({"trace_id": [ONE, TWO, ONE, None]})
    assert [case.id for case in reader.read(listed)] == [ONE, TWO]
    assert [case.id for case in reader.read([TWO, listed, Trace("x", frame(run()))])] == [TWO, ONE, "x"]
    assert [(case.kind, case.input) for case in reader.read(TWO)] == [("workflow", {"city": "boom"})]
    (missing,) = reader.read("3" * 32)
    assert "There is no trace" in (missing.reason or "")
    assert reader.read([]) == []


def test_all_can_be_sent_to_another_target() -> None:
    reader = make_reader()
    (case,) = reader.read(ONE, "agent:better")
    assert (case.kind, case.target, case.reason) == ("agent", "better", None)
    (wrong,) = reader.read(TWO, "agent:better")
    assert "no list of messages" in (wrong.reason or "")
    (missing,) = reader.read("3" * 32, "agent:better")
    assert "There is no trace" in (missing.reason or "")
    with pytest.raises(InvalidInput, match="no target"):
        reader.read(ONE, "better")


def test_a_dataset_brings_what_is_expected() -> None:
    storage = FakeAdminStorage()
    dataset = storage.datasets.create(Dataset("smoke"))
    items = [
        DatasetItem(dataset.id, "Paris?", {"text": "sunny"}, target="agent:weather", source_trace_id=ONE),
        DatasetItem(dataset.id, {"city": "x"}, None, target="workflow:forecast"),
        DatasetItem(dataset.id, "no target"),
        DatasetItem(dataset.id, "as recorded", source_trace_id=ONE),
    ]
    storage.dataset_items.add(items)
    reader = make_reader(storage)
    for source in ("smoke", dataset, list(storage.dataset_items.list(dataset.id))):
        first, second, third, fourth = reader.read(source)
        assert (first.id, first.expected, first.has_expected) == (items[0].id, "sunny", True)
        assert first.old is not None
        assert first.old.output == "sunny"
        assert (second.kind, second.has_expected, second.old, second.reason) == ("workflow", False, None, None)
        assert "which agent or workflow" in (third.reason or "")
        assert (fourth.kind, fourth.target) == ("agent", "weather")


def test_the_beginning_of_a_trace_id_will_do() -> None:
    assert [case.id for case in make_reader().read(ONE[:12])] == [case.id for case in make_reader().read(ONE)]


def test_what_is_no_source_is_refused() -> None:
    reader = make_reader()
    with pytest.raises(NotFound, match="neither the id of a trace nor a dataset"):
        reader.read("smoke")
    with pytest.raises(InvalidInput, match="no column 'trace_id'"):
        reader.read(pd.DataFrame({"x": [1]}))
    for nonsense in (7, None, {"a": 1}, b"x"):
        with pytest.raises(InvalidInput, match="can't be replayed"):
            reader.read(nonsense)


@pytest.mark.parametrize(
    ("output", "simple"),
    [
        ('{"text": "sunny", "files": []}', "sunny"),
        ('{"text": "sunny", "files": ["a.png"]}', {"text": "sunny", "files": ["a.png"]}),
        ('{"text": "x", "object": {"a": 1}}', {"a": 1}),
        ('{"forecast": "rain"}', {"forecast": "rain"}),
        ("plain", "plain"),
        ("{broken", "{broken"),
        ('"quoted"', "quoted"),
        (None, None),
    ],
)
def test_an_output_is_reduced_to_what_it_is_about(output: Any, simple: Any) -> None:
    assert simplify_output(output) == simple


def test_differences_are_shown_by_lines() -> None:
    assert describe_difference("a\nb\nc", "a\nx\nc") == "@@ -1,3 +1,3 @@\n a\n-b\n+x\n c"
    assert describe_difference({"a": 1, "b": 2}, {"b": 2, "a": 1}) is None
    assert '-  "a": 1' in (describe_difference({"a": 1}, {"a": 2}) or "").replace(' "a"', '  "a"')
    assert "too long" in (describe_difference("x\n" * 5000, "y") or "")
    assert len(describe_difference("x" * 50_000, "y") or "") < 4_100
    assert describe_difference("a\n", "a") == "They differ only in how they are written."
    assert describe_difference(None, "a") == "@@ -1 +1 @@\n-null\n+a"
    assert json.dumps(describe_difference("\udcff", "b"))
