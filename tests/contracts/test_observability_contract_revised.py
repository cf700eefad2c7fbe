"""What people say of traces replaces what they said before; what programs say never does."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from fixtures.lines import iso, make_chunk, make_line, new_trace, now

from mastra_admin_sdk.ports.columns import ANNOTATION_PREFIX
from mastra_admin_sdk.ports.observability import Listing, ObservabilityStore, TelemetryFilter


@pytest.mark.parametrize(
    ("kind", "listing", "column"),
    [("score", Listing.SCORES, "reason"), ("feedback", Listing.FEEDBACK, "comment")],
    ids=["score", "feedback"],
)
def test_the_newest_of_one_id_is_read(store: ObservabilityStore, kind: str, listing: Listing, column: str) -> None:
    trace, start = new_trace(), now() - timedelta(minutes=1)

    def put(id: str, text: str, seconds: int, **more: Any) -> None:
        moment = iso(start + timedelta(seconds=seconds))
        data = {"timestamp": moment, "traceId": trace, "author": "ana", column: text, **more}
        store.insert([make_chunk(make_line(kind, data, id=f"{id}{trace}"))])

    def read(**more: Any) -> list[str]:
        frame = getattr(store, listing)(TelemetryFilter(trace_id=trace, **more))
        assert set(frame["author"]) <= {"ana"}
        return list(frame[column])

    put(ANNOTATION_PREFIX, "first", 1)
    put(ANNOTATION_PREFIX, "second", 3)
    put(f"{ANNOTATION_PREFIX}other", "third", 2)
    put("programs-", "fourth", 4)
    put("programs-", "fifth", 5)
    assert read() == ["fifth", "fourth", "second", "third"]
    assert read(text="first") == []
    assert store.count(listing, TelemetryFilter(trace_id=trace)) == 4
    put(ANNOTATION_PREFIX, "", 6, removed=True)
    assert read() == ["fifth", "fourth", "third"]
    put(ANNOTATION_PREFIX, "again", 7)
    assert read(limit=1) == ["again"]
    assert read(columns=(column, "author")) == ["again", "fifth", "fourth", "third"]
