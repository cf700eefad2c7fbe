"""Scores, notes and labels on a real store: written, read back, replaced, taken back, refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from fixtures.lines import new_trace
from fixtures.recorded import make_run, record, recorded_admin

from mastra_admin_sdk.admin import MastraAdmin
from mastra_admin_sdk.errors import InvalidInput, NotFound

pytestmark = pytest.mark.slow  # an engine starts, and its answers are waited for

SPAN = "a" * 16


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MastraAdmin]:
    with recorded_admin(tmp_path_factory.mktemp("annotations")) as opened:
        yield opened


@pytest.fixture
def trace(admin: MastraAdmin) -> str:
    trace = new_trace()
    record(admin, make_run(trace))
    return trace


def test_a_score_is_read_back_and_joins_its_span(admin: MastraAdmin, trace: str) -> None:
    written = admin.score(trace_id=trace, span_id=SPAN, name="helpful", score=0.75, reason="short", author="ana")
    assert written.to_dict("records") == [
        {"trace_id": trace, "span_id": SPAN, "name": "helpful", "author": "ana", "outcome": "written"}
    ]
    scores = admin.scores(trace_id=trace)
    (row,) = scores.to_dict("records")
    assert (row["name"], row["score"], row["reason"], row["author"]) == ("helpful", 0.75, "short", "ana")
    assert (row["project_id"], row["deployment_id"], row["build_id"]) == ("p", "d", "b")
    joined = admin.spans(trace_id=trace).merge(scores, on=["trace_id", "span_id"], suffixes=("", "_score"))
    assert list(joined["type"]) == ["agent_run"]


def test_the_same_author_and_name_replaces_and_others_stand_beside(admin: MastraAdmin, trace: str) -> None:
    admin.score(trace_id=trace, name="helpful", score=0, author="ana")
    admin.score(trace_id=trace, name="helpful", score=1, author="bob")
    admin.score(trace_id=trace, span_id=SPAN, name="helpful", score=0.3, author="ana")
    again = admin.score(trace_id=trace, name="helpful", score=0.5, author="ana")
    assert list(again["outcome"]) == ["replaced"]
    found = admin.scores(trace_id=trace)
    assert sorted(zip(found["author"], found["score"], found["span_id"].notna(), strict=True)) == [
        ("ana", 0.3, True),
        ("ana", 0.5, False),
        ("bob", 1.0, False),
    ]
    assert list(admin.score(trace_id=trace, name="helpful", author="bob", remove=True)["outcome"]) == ["removed"]
    assert "bob" not in set(admin.scores(trace_id=trace)["author"])
    with pytest.raises(NotFound):
        admin.score(trace_id=new_trace(), name="helpful", author="bob", remove=True)


def test_a_table_of_spans_is_scored_under_a_name_of_its_own(admin: MastraAdmin, trace: str) -> None:
    spans = admin.spans(trace_id=trace, type=["agent_run", "model_generation"])
    spans["score"] = [1, True]
    with pytest.raises(InvalidInput, match="names of spans"):
        admin.score(spans)
    assert list(admin.score(spans, name="kept")["outcome"]) == ["written", "written"]
    assert sorted(admin.scores(trace_id=trace, name="kept")["span_id"]) == [SPAN, "b" * 16]


def test_notes_and_labels_are_feedback(admin: MastraAdmin, trace: str) -> None:
    admin.label(trace_id=trace, name="topic", label="weather", comment="plainly")
    admin.annotate(trace_id=trace, value=7)
    admin.annotate([{"trace_id": trace, "name": "remark", "comment": "slow"}])
    found = admin.feedback(trace_id=trace).set_index("name")
    assert (found.loc["topic", "label"], found.loc["topic", "comment"]) == ("weather", "plainly")
    assert (found.loc["note", "value"], found.loc["remark", "comment"]) == (7.0, "slow")
    chosen = admin.feedback(name="topic", trace_id=trace)
    chosen = chosen[chosen["label"] == "weather"]
    assert len(admin.spans(trace_id=list(chosen["trace_id"]))) == 3


def test_rows_that_can_not_be_used_are_named_and_nothing_is_written(admin: MastraAdmin, trace: str) -> None:
    table = pd.DataFrame(
        {"trace_id": [trace, trace, 5, None], "name": ["a", "b", "c", "d"], "score": [1, "x", 2, float("inf")]},
        index=["one", "two", "three", "four"],
    )
    with pytest.raises(InvalidInput, match=r"row 'two', column 'score'.*3 faults") as failure:
        admin.score(table)
    assert any("row 'three', column 'trace_id'" in fault for fault in failure.value.evidence["faults"])
    assert admin.scores(trace_id=trace).empty


def test_what_is_not_stored_is_refused_or_skipped(admin: MastraAdmin, trace: str) -> None:
    targets = [{"trace_id": trace}, {"trace_id": "unknown"}, {"trace_id": trace, "span_id": "no"}]
    rows = [{**target, "score": 1} for target in targets]
    with pytest.raises(NotFound, match=r"'unknown'.*row 1.*1 more") as refused:
        admin.score(rows, name="q")
    assert admin.scores(trace_id=trace).empty
    assert 'unknown="skip"' in refused.value.hint
    with pytest.raises(NotFound, match=r"a trace 'nope'\.") as alone:
        admin.label(trace_id="nope", label="x")
    assert alone.value.evidence == {"unknown": ["nope"]}
    assert "unknown" not in alone.value.hint
    with pytest.raises(InvalidInput, match="unknown can't be 'ignore'"):
        admin.score(rows, name="q", unknown="ignore")  # type: ignore[arg-type]
    outcomes = admin.score(rows, name="q", unknown="skip")["outcome"]
    assert list(outcomes) == ["written", "unknown", "unknown"]
    assert len(admin.scores(trace_id=trace)) == 1


def test_what_was_said_survives_the_engine(admin: MastraAdmin, trace: str, tmp_path: Path) -> None:
    admin.score(trace_id=trace, name="kept", score=1)
    admin.observability.stop()
    assert list(admin.scores(trace_id=trace)["score"]) == [1.0]


def test_a_table_without_rows_is_no_error(admin: MastraAdmin) -> None:
    empty = admin.score(pd.DataFrame(columns=["trace_id", "score"]), name="x")
    assert list(empty.columns) == ["trace_id", "span_id", "name", "author", "outcome"]
    assert empty.empty
