"""Lines of telemetry files that are erased: in their place, found by their bytes, while others write and read."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fixtures.lines import make_log, make_span, new_trace, now

from mastra_admin_sdk.errors import ObservabilityError
from mastra_admin_sdk.ports.observability import Erasure
from mastra_admin_sdk.services.privacy.files import erase_files
from mastra_admin_sdk.services.privacy.matching import USER_KEYS, list_mentions, make_matcher


def write(root: Path, name: str, lines: Sequence[str], *, stream: str = "spans", end: str = "\n") -> Path:
    path = root / "d" / "b" / "p" / stream / name
    path.parent.mkdir(parents=True, exist_ok=True)
    body = ("\n".join(lines) + end).encode()
    path.write_bytes(gzip.compress(body) if name.endswith(".gz") else body)
    return path


def erase(root: Path, erasure: Erasure, **more: Any) -> tuple[int, int]:
    found = erase_files(root, make_matcher(erasure), **more)
    return found.files, found.lines


def test_lines_of_a_trace_are_written_over_in_their_place(tmp_path: Path) -> None:
    gone, stays = new_trace(), new_trace()
    lines = [make_span("ended", trace, "s", now(), 1, name="é" * 9) for trace in (gone, stays, gone)]
    path = write(tmp_path, "1_a.jsonl.open", lines)
    log = write(tmp_path, "1_a.jsonl", [make_log("x", now(), correlationContext={"traceId": gone})], stream="logs")
    before = path.read_bytes()
    assert erase(tmp_path, Erasure(trace_ids=(gone,)), dry_run=True) == (2, 3)
    assert path.read_bytes() == before
    assert erase(tmp_path, Erasure(trace_ids=(gone,))) == (2, 3)
    after = path.read_bytes().split(b"\n")
    assert [len(line) for line in after] == [len(line) for line in before.split(b"\n")]
    assert [json.loads(line)["type"] for line in after[:3]] == ["erased", "span", "erased"]
    assert after[1].decode() == lines[1]
    assert json.loads(log.read_text()) == {"type": "erased"}
    assert erase(tmp_path, Erasure(trace_ids=(gone,))) == (0, 0)


def test_a_line_that_is_still_written_is_left_until_it_is_whole(tmp_path: Path) -> None:
    trace = new_trace()
    line = make_span("ended", trace, "s", now(), 1)
    path = write(tmp_path, "1_a.jsonl.open", [line, line[:40]], end="")
    assert erase(tmp_path, Erasure(trace_ids=(trace,))) == (1, 1)
    assert path.read_text().endswith(line[:40])


def test_long_lines_and_many_of_them_are_found(tmp_path: Path) -> None:
    gone = new_trace()
    lines = [
        make_span("ended", gone if number % 3 else new_trace(), "s", now(), 1, input="x" * 200_000)
        for number in range(30)
    ]
    path = write(tmp_path, "1_a.jsonl", lines)
    assert erase(tmp_path, Erasure(trace_ids=(gone,))) == (1, 20)
    assert gone.encode() not in path.read_bytes()


def test_a_compressed_file_is_written_anew(tmp_path: Path) -> None:
    gone, stays = new_trace(), new_trace()
    lines = [make_span("ended", trace, "s", now(), 1) for trace in (gone, stays)]
    path = write(tmp_path, "1_a.jsonl.gz", lines)
    assert erase(tmp_path, Erasure(trace_ids=(gone,))) == (1, 1)
    assert gzip.decompress(path.read_bytes()).decode() == lines[1] + "\n"
    torn = write(tmp_path, "2_b.jsonl.gz", [lines[0]] * 2000)
    torn.write_bytes(torn.read_bytes()[:-20])
    assert erase(tmp_path, Erasure(trace_ids=(gone,)))[0] == 1
    assert not torn.exists()


@pytest.mark.parametrize(
    "user", ["u1", 'o\'neil "x"', "é🙂", "back\\slash"], ids=["plain", "quotes", "unicode", "escape"]
)
def test_who_is_mentioned_is_found_however_it_is_spelled(user: str) -> None:
    matches = make_matcher(Erasure(trace_ids=(), mentions=list_mentions(USER_KEYS, user)))
    inner = json.dumps({"resourceId": user}, ensure_ascii=False)
    for data in ({"resourceId": user}, {"a": [{"user_id": user}]}, {"text": inner}, {"text": f"got {inner} back"}):
        for spaces in ((",", ":"), (", ", ": ")):
            for ascii_only in (True, False):
                line = json.dumps({"data": data}, ensure_ascii=ascii_only, separators=spaces)
                assert matches(line.encode()), line
    for data in ({"resourceId": user + "x"}, {"other": user}, {"text": user}):
        assert not matches(json.dumps(data, ensure_ascii=False).encode())


def test_an_owner_s_lines_are_found_by_their_own_time() -> None:
    moment = now()
    old = make_span("ended", "t", "s", moment - timedelta(days=2), 1, projectId="p", deploymentId="d", buildId="b")
    new = make_log("x", moment, projectId="p", deploymentId="d", buildId="b")
    other = make_span("ended", "t", "s", moment, 1, projectId="q")
    cases = {
        Erasure(project_id="p"): [True, True, False],
        Erasure(project_id="p", until=moment - timedelta(days=1)): [True, False, False],
        Erasure(since=moment - timedelta(days=1)): [False, True, True],
        Erasure(deployment_ids=("d", "x")): [True, True, False],
        Erasure(deployment_ids=()): [False, False, False],
        Erasure(build_id="b"): [True, True, False],
    }
    for erasure, expected in cases.items():
        matches = make_matcher(erasure)
        assert [matches(line.encode()) for line in (old, new, other)] == expected, erasure
    assert not make_matcher(Erasure(project_id="p"))(b"p {broken")


def test_a_file_that_can_not_be_changed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = new_trace()
    write(tmp_path, "1_a.jsonl", [make_span("ended", trace, "s", now(), 1)])

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.pwrite", refuse)
    with pytest.raises(ObservabilityError, match=r"1_a\.jsonl could not be erased"):
        erase(tmp_path, Erasure(trace_ids=(trace,)))
