"""Datasets: made from traces and tables, filled, taken along as files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from fakes.observability import FakeObservabilityStore
from fakes.router import FakeRouter
from fakes.runner import FakeRunner
from fakes.source import FakeProjectSource
from fakes.storage import FakeAdminStorage
from fixtures.lines import make_chunk, make_span, new_trace, now

from mastra_admin_sdk.admin import MastraAdmin
from mastra_admin_sdk.errors import Conflict, InvalidInput, NotFound


@pytest.fixture
def admin(tmp_path: Path) -> Iterator[MastraAdmin]:
    with MastraAdmin(
        home=tmp_path / "home", storage=FakeAdminStorage(), source=FakeProjectSource(), runner=FakeRunner(),
        router=FakeRouter(), observability=FakeObservabilityStore(),
    ) as opened:  # fmt: skip
        yield opened


def record(admin: MastraAdmin, *, root: str = "agent_run", **fields: object) -> str:
    trace, moment = new_trace(), now()
    said = {"input": [{"content": "hi"}], "output": {"text": "ho"}, "entityId": "weather"} | fields
    lines = [
        make_span("ended", trace, "a" * 16, moment, 9, type=root, **said),
        make_span("ended", trace, "b" * 16, moment, 5, type="workflow_run", parentSpanId="a" * 16, entityId="inner"),
        make_span("ended", trace, "c" * 16, moment, 5, type="tool_call", parentSpanId="b" * 16, input={"city": "Rome"}),
    ]
    admin.observability.insert([make_chunk(*lines)])
    return trace


def test_the_outermost_run_of_a_trace_is_taken(admin: MastraAdmin) -> None:
    agent, request = record(admin), record(admin, root="generic")
    dataset = admin.datasets.create("one", traces=[agent, admin.trace(request)], description="two runs")
    first, second = dataset.items()
    assert (first.input, first.expected, first.target) == ([{"content": "hi"}], {"text": "ho"}, "agent:weather")
    assert (first.source_trace_id, first.source_span_id) == (agent, "a" * 16)
    assert second.target == "workflow:inner"
    assert dataset.add(admin.traces()) == 0
    assert len(dataset) == 2
    event = next(iter(admin.events.list()))
    assert (event.action, event.object_type) == ("create", "dataset")


def test_what_a_person_wrote_stays_text(admin: MastraAdmin) -> None:
    trace = record(admin, input="42", output="[1")
    (item,) = admin.datasets.create("numbers", traces=trace)
    assert (item.input, item.expected) == ("42", "[1")


def test_a_table_with_span_ids_names_the_spans(admin: MastraAdmin) -> None:
    record(admin)
    dataset = admin.datasets.create("tools", traces=admin.spans(type="tool_call"), expected=False)
    (item,) = dataset
    assert (item.input, item.expected, item.target) == ({"city": "Rome"}, None, None)


def test_what_can_not_be_taken_leaves_no_dataset(admin: MastraAdmin) -> None:
    trace, moment = new_trace(), now()
    admin.observability.insert([make_chunk(make_span("ended", trace, "a" * 16, moment, 1, type="generic"))])
    with pytest.raises(InvalidInput, match="no agent or workflow"):
        admin.datasets.create("none", traces=trace)
    with pytest.raises(NotFound):
        admin.datasets.create("none", traces="unknown")
    with pytest.raises(NotFound):
        admin.datasets.create("none", traces=pd.DataFrame({"trace_id": [trace], "span_id": ["zz"]}))
    with pytest.raises(InvalidInput, match="no column 'trace_id'"):
        admin.datasets.create("none", traces=pd.DataFrame({"id": [1]}))
    assert list(admin.datasets) == []


def test_items_come_from_tables_and_faults_are_named(admin: MastraAdmin) -> None:
    frame = pd.DataFrame({"input": ["q", {"a": 1}], "expected": [1.5, None], "target": ["agent:x", None]})
    dataset = admin.datasets.from_frame("two", frame)
    assert [(item.input, item.expected, item.target) for item in dataset] == [
        ("q", 1.5, "agent:x"),
        ({"a": 1}, None, None),
    ]
    assert dict(dataset.frame().dtypes.astype(str)) == {
        "id": "object", "input": "object", "expected": "object", "target": "category", "metadata": "object",
        "trace_id": "object", "span_id": "object", "created_at": "datetime64[ms, UTC]",
    }  # fmt: skip
    for bad, why in (
        ({"inptu": "x"}, "no column 'input'"),
        ({"input": {1, 2}}, "row 0, column 'input'"),
        ({"input": "x", "target": "tool:y"}, "column 'target'"),
        ({"input": "x", "metadata": [1]}, "column 'metadata'"),
    ):
        with pytest.raises(InvalidInput, match=why):
            dataset.add(frame=[bad])
    with pytest.raises(InvalidInput, match="traces or a table"):
        dataset.add()
    assert len(dataset) == 2


@pytest.mark.parametrize("name", ["items.jsonl", "items.csv"])
def test_a_file_brings_the_same_items_back(admin: MastraAdmin, tmp_path: Path, name: str) -> None:
    rows = [
        {"input": {"q": 'é🙂\n"x"'}, "expected": [1, None, True], "target": "workflow:w", "metadata": {"k": 1}},
        {"input": "plain, text", "expected": "1"},
        {"input": 3.5, "trace_id": "t", "span_id": "s"},
    ]
    dataset = admin.datasets.create("from", frame=rows)
    written = dataset.export(tmp_path / name)
    assert written.stat().st_mode & 0o777 == 0o600
    again = admin.datasets.load("to", written)
    same = ["input", "expected", "target", "metadata", "trace_id", "span_id"]
    assert again.frame()[same].to_dict("records") == dataset.frame()[same].to_dict("records")
    with pytest.raises(InvalidInput, match="no format 'txt'"):
        dataset.export(tmp_path / "items.txt")
    (tmp_path / "bad.jsonl").write_text('{"input": 1}\n{broken\n')
    with pytest.raises(InvalidInput, match="Line 2"):
        admin.datasets.load("bad", tmp_path / "bad.jsonl")


def test_datasets_are_found_by_name_or_id_and_deleted(admin: MastraAdmin) -> None:
    dataset = admin.datasets.create("one", frame=[{"input": 1}])
    with pytest.raises(Conflict) as taken:
        admin.datasets.create("one")
    assert "another name" in taken.value.hint
    with pytest.raises(NotFound) as missing:
        admin.datasets.get("on")
    assert missing.value.hint == "Did you mean 'one'?"
    with pytest.raises(InvalidInput, match="no name"):
        admin.datasets.create(" ")
    other = admin.datasets.create("two", frame=[{"input": 2}])
    assert admin.datasets.get(dataset.id).name == "one"
    assert dict(zip(*(admin.datasets.frame()[name] for name in ("name", "items")), strict=True)) == {"one": 1, "two": 1}
    with pytest.raises(NotFound):
        dataset.remove(other.items()[0].id)
    assert dataset.remove(dataset.items()[0].id) == 1
    admin.datasets.delete("one")
    with pytest.raises(NotFound):
        admin.datasets.get("one")
