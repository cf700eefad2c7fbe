"""Rows that are erased are in no table any more, and come back with no repeated insert of other lines."""

from __future__ import annotations

from datetime import timedelta

from fixtures.lines import iso, make_chunk, make_line, make_log, make_span, new_trace, now

from mastra_admin_sdk.ports.observability import Erasure, ObservabilityStore, Stream, TelemetryFilter

NOTHING = {"spans": 0, "logs": 0, "metrics": 0, "scores": 0, "feedback": 0, "rejects": 0}


def fill(store: ObservabilityStore, trace: str, project: str, *, minutes: int = 1) -> None:
    """Store one of everything for a trace: two ended spans, one of them begun before, and one that runs."""
    moment = now() - timedelta(minutes=minutes)
    owner = {"projectId": project, "deploymentId": f"{project}-d", "buildId": f"{project}-b"}
    point = {"timestamp": iso(moment), "traceId": trace, "name": "m", "scorerName": "s", "feedbackType": "f"}
    lines = [
        make_span("started", trace, "s1", moment, **owner),
        make_span("started", trace, "s3", moment, **owner),
        make_span("ended", trace, "s1", moment, 5, **owner),
        make_span("ended", trace, "s2", moment, 5, **owner),
        *(make_line(kind, {**point, "value": 1, "score": 1}, **owner) for kind in ("metric", "score", "feedback")),
        make_span("paused", trace, "s4", moment, **owner),
    ]
    logs = [make_log("hello", moment, traceId=trace, **owner), make_log("free", moment, **owner)]
    store.insert([make_chunk(*lines, path=trace), make_chunk(*logs, stream=Stream.LOGS, path=trace)])


def count(store: ObservabilityStore, project: str) -> tuple[int, int, int, int, int]:
    asked = TelemetryFilter(project_id=project, limit=None)
    rejects = store.rejects(limit=100_000)
    return (
        len(store.spans(asked)),
        len(store.logs(asked)),
        len(store.metrics(asked)),
        len(store.scores(asked)),
        int(rejects["path"].isin([project]).sum()),
    )


def test_traces_go_with_all_that_belongs_to_them(store: ObservabilityStore) -> None:
    gone, stays, project = new_trace(), new_trace(), new_trace()
    fill(store, gone, project)
    fill(store, stays, project)
    erasure = Erasure(trace_ids=(gone, "nobody's"))
    there = {"spans": 3, "logs": 1, "metrics": 1, "scores": 1, "feedback": 1, "rejects": 1}
    assert store.erase(erasure, dry_run=True) == there
    assert count(store, project)[:4] == (6, 4, 2, 2)
    assert store.erase(erasure) == there
    assert store.trace(gone).empty
    assert len(store.trace(stays)) == 3
    assert count(store, project)[:4] == (3, 3, 1, 1)
    assert list(store.traces(TelemetryFilter(project_id=project))["trace_id"]) == [stays]
    assert store.erase(erasure) == NOTHING
    paths = set(store.rejects(limit=100_000)["path"])
    assert gone not in paths
    assert stays in paths


def test_what_is_left_can_be_inserted_again_without_bringing_it_back(store: ObservabilityStore) -> None:
    gone, project = new_trace(), new_trace()
    fill(store, gone, project)
    store.erase(Erasure(trace_ids=(gone,)))
    fill(store, new_trace(), project)
    assert store.trace(gone).empty


def test_lines_that_mention_somebody_go_as_well(store: ObservabilityStore) -> None:
    project, trace, moment = new_trace(), new_trace(), now()
    said = {"resourceId": "u'1\\n"}
    log = make_log("x", moment, projectId=project, data=said)
    other = make_log("y", moment, projectId=project, data={"resourceId": "u'1\\nx"})
    store.insert([make_chunk(log, other, stream=Stream.LOGS)])
    store.insert([make_chunk(make_span("paused", trace, "s", moment, metadata=said), path=project)])
    found = store.erase(Erasure(trace_ids=(), mentions=('"resourceId":"u\'1\\\\n"',)))
    assert found == {**NOTHING, "logs": 1, "rejects": 1}
    assert list(store.logs(TelemetryFilter(project_id=project))["message"]) == ["y"]


def test_what_belongs_to_an_owner_goes_by_its_own_time(store: ObservabilityStore) -> None:
    project, other, old, new = (new_trace() for _ in range(4))
    fill(store, old, project, minutes=60)
    fill(store, new, project, minutes=1)
    fill(store, new_trace(), other, minutes=60)
    half = now() - timedelta(minutes=30)
    assert store.erase(Erasure(project_id=project, until=half))["spans"] == 3
    assert store.trace(old).empty
    assert count(store, project)[:4] == (3, 2, 1, 1)
    assert store.erase(Erasure(project_id=project, deployment_ids=("unknown",))) == NOTHING
    assert store.erase(Erasure(build_id=f"{project}-b", since=half))["logs"] == 2
    assert count(store, project)[:4] == (0, 0, 0, 0)
    assert count(store, other)[:4] == (3, 2, 1, 1)


def test_more_traces_than_fit_into_one_question(store: ObservabilityStore) -> None:
    project = new_trace()
    traces = [new_trace() for _ in range(3)]
    for trace in traces:
        fill(store, trace, project)
    others = tuple(f"none-{number}" for number in range(2_000))
    found = store.erase(Erasure(trace_ids=(traces[0], *others, traces[1])))
    assert (found["spans"], found["metrics"]) == (6, 2)
    assert list(store.traces(TelemetryFilter(project_id=project))["trace_id"]) == [traces[2]]


def test_a_line_that_was_erased_in_its_file_says_nothing(store: ObservabilityStore) -> None:
    trace, path = new_trace(), new_trace()
    blank = '{"type":"erased"' + " " * 50 + "}"
    store.insert([make_chunk(blank, make_span("ended", trace, "s1", now(), 1), blank, path=path)])
    store.insert([make_chunk(blank, make_log("x", now(), traceId=trace), stream=Stream.LOGS, path=path)])
    assert len(store.trace(trace)) == len(store.logs(TelemetryFilter(trace_id=trace))) == 1
    assert path not in set(store.rejects(limit=100_000)["path"])
