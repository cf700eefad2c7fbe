"""The events that a viewer of a build log is sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from mastra_admin_panel.streams import stream_build
from mastra_admin_sdk.models import Build, BuildStatus, LogLine, utc_now


@dataclass
class ScriptedBuild:
    """A build whose log does what a script says: a line, ``None`` for a pause, or a status it changes to."""

    script: Iterable[LogLine | BuildStatus | None]
    record: Build = field(default_factory=lambda: Build("d", status=BuildStatus.BUILDING))

    def poll_log(self, after: int = 0) -> Iterator[LogLine | None]:
        for step in self.script:
            if isinstance(step, BuildStatus):
                self.record = replace(self.record, status=step)
            elif step is None or step.number > after:
                yield step

    def refresh(self) -> ScriptedBuild:
        return self


@dataclass
class Clock:
    """Moves on by a second at each look."""

    now: float = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def line(number: int, text: str = "x") -> LogLine:
    return LogLine(number, utc_now(), "out", text)


def run(script: Iterable[LogLine | BuildStatus | None], after: int = 0, ping: float = 100.0) -> list[Any]:
    build: Any = ScriptedBuild(script)
    return list(stream_build(build, after, ping_seconds=ping, clock=Clock()))


def kinds(events: list[Any]) -> list[str | None]:
    return [event and event["type"] for event in events]


def test_lines_go_out_together_when_there_is_a_pause() -> None:
    events = run([line(1), line(2), None, line(3), None])
    assert kinds(events) == ["build", "log", None, "log", None, "end"]
    assert [item[0] for item in events[1]["lines"]] == [1, 2]


def test_a_flood_goes_out_in_bounded_messages() -> None:
    events = run([line(number) for number in range(1, 1201)])
    assert [len(event["lines"]) for event in events if event["type"] == "log"] == [500, 500, 200]
    long = run([line(number, "y" * 16_000) for number in range(1, 21)])
    assert max(len(event["lines"]) for event in long if event["type"] == "log") <= 9


def test_known_lines_arent_sent_again() -> None:
    events = run([line(1), line(2), line(3)], after=2)
    assert [item[0] for item in events[1]["lines"]] == [3]


def test_a_change_of_the_record_is_told() -> None:
    events = run([None, BuildStatus.DEPLOYING, None, None, BuildStatus.SUCCEEDED])
    assert kinds(events) == ["build", None, "build", None, "end"]
    assert events[2]["build"]["status"] == "deploying"
    assert events[-1]["build"]["status"] == "succeeded"


def test_silence_is_filled_with_pings() -> None:
    assert kinds(run([None] * 6, ping=3.0)).count("ping") == 2


def test_the_last_lines_come_before_the_end() -> None:
    assert kinds(run([line(1)])) == ["build", "log", "end"]
