"""Sending inputs to a deployment: a few at a time, at a bounded rate, until all are answered or somebody interrupts."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mastra_admin_sdk.errors import MastraAdminError
from mastra_admin_sdk.models import utc_now

from .cases import Case

Send = Callable[[Case], Mapping[str, Any]]
OnAnswer = Callable[[int], None]

_POLL = 0.1


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of sending one input: the deployment's answer, or why there is none."""

    sent_at: datetime
    body: Mapping[str, Any] | None = None
    error: str | None = None


class Sender:
    """Sends inputs from a few threads.

    Parameters:
        send: sends one and returns the answer; its errors are kept, not raised.
        concurrency: how many are under way at most.
        rate: how many are begun in a second at most; no limit unless given.
    """

    def __init__(self, send: Send, *, concurrency: int, rate: float | None = None) -> None:
        self._send, self._concurrency = send, concurrency
        self._pause = 1 / rate if rate else 0.0
        self._lock, self._stopping = threading.Lock(), threading.Event()
        self._next_start = 0.0
        self.sent: dict[int, datetime] = {}
        self.answers: dict[int, Answer] = {}
        self.interrupted = False

    def run(self, cases: Sequence[Case], on_answer: OnAnswer) -> None:
        """Send those that can be sent, in their order; ``answers`` has what came of each by its place.

        After an interrupt nothing more is sent, and what is under way is waited for; after a second one not even that.
        """
        pending = deque(place for place, case in enumerate(cases) if case.reason is None)
        threads = [
            threading.Thread(target=self._work, args=(pending, cases), name=f"replay-{number}", daemon=True)
            for number in range(min(self._concurrency, len(pending)))
        ]
        try:
            for thread in threads:
                thread.start()
            self._watch(threads, on_answer)
        except KeyboardInterrupt:
            self._stop()
            self._wait_for_the_last(threads, on_answer)
        except BaseException:
            self._stop()
            raise

    def _stop(self) -> None:
        self.interrupted = True
        self._stopping.set()

    def _wait_for_the_last(self, threads: Sequence[threading.Thread], on_answer: OnAnswer) -> None:
        try:
            self._watch(threads, on_answer)
        except KeyboardInterrupt:
            return  # the threads end by themselves when their answer or time-out comes; it isn't waited for

    def _watch(self, threads: Sequence[threading.Thread], on_answer: OnAnswer) -> None:
        told = -1
        while True:
            alive = [thread for thread in threads if thread.is_alive()]
            if told != len(self.answers):
                told = len(self.answers)
                on_answer(told)
            if not alive:
                return
            alive[0].join(_POLL)

    def _work(self, pending: deque[int], cases: Sequence[Case]) -> None:
        while not self._stopping.is_set():
            with self._lock:
                place = pending.popleft() if pending else None
                start = max(self._next_start, time.monotonic())
                self._next_start = start + self._pause
            if place is None or self._stopping.wait(max(start - time.monotonic(), 0.0)):
                return
            self.answers[place] = self._send_one(place, cases[place])

    def _send_one(self, place: int, case: Case) -> Answer:
        sent_at = self.sent[place] = utc_now()
        try:
            return Answer(sent_at, self._send(case))
        except MastraAdminError as exc:
            return Answer(sent_at, error=_describe(exc))
        except Exception as exc:  # one answer that nobody foresaw must not end the others
            return Answer(sent_at, error=f"{type(exc).__name__}: {exc}")


def _describe(error: MastraAdminError) -> str:
    body = str(error.evidence.get("body") or "").strip()
    return f"{error.message} {body[:500]}".strip()
