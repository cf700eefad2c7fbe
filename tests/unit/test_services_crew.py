"""Threads that share work: one slow piece keeps no other waiting, none is done twice at once, all end on stop."""

from __future__ import annotations

import threading
import time

import pytest

from mastra_admin_sdk.errors import LeaseLost, RouterError
from mastra_admin_sdk.services.supervision import crew as crew_module
from mastra_admin_sdk.services.supervision.crew import Crew, do_together


def wait_idle(crew: Crew, *keys: str) -> None:
    deadline = time.monotonic() + 5
    while any(crew.is_busy(key) for key in keys):
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_slow_work_of_one_key_delays_no_other() -> None:
    crew, release, done = Crew("test", 2), threading.Event(), threading.Event()
    crew.submit("slow", release.wait)
    crew.submit("quick", done.set)
    assert done.wait(5)
    assert crew.is_busy("slow")
    release.set()
    crew.stop(5)


def test_work_of_one_key_is_done_once_at_a_time() -> None:
    crew, release = Crew("test", 4), threading.Event()
    assert crew.submit("one", release.wait)
    assert not crew.submit("one", release.wait)
    release.set()
    wait_idle(crew, "one")
    assert crew.submit("one", release.wait)
    crew.stop(5)


def test_no_more_threads_work_than_were_asked_for() -> None:
    crew, release = Crew("test", 3), threading.Event()
    running: list[int] = []
    lock = threading.Lock()

    def work() -> None:
        with lock:
            running.append(1)
        release.wait(5)

    for number in range(10):
        crew.submit(str(number), work)
    deadline = time.monotonic() + 5
    while len(running) < 3 and time.monotonic() < deadline:
        time.sleep(0.005)
    assert len(running) == 3
    release.set()
    wait_idle(crew, *map(str, range(10)))
    assert len(running) == 10
    crew.stop(5)


def test_stopping_drops_what_waits_and_ends_the_threads() -> None:
    crew, release, never = Crew("stops", 1), threading.Event(), threading.Event()
    crew.submit("now", release.wait)
    crew.submit("later", never.set)
    threading.Timer(0.05, release.set).start()
    crew.stop(5)
    assert not never.is_set()
    assert not [thread for thread in threading.enumerate() if thread.name == "mastra-admin-stops"]


@pytest.mark.parametrize(
    ("error", "rests"),
    [(RouterError("It is down."), True), (ValueError("unexpected"), True), (LeaseLost("Another one has it."), False)],
    ids=["expected", "unexpected", "lost"],
)
def test_work_that_fails_rests_before_the_next_of_its_key(error: Exception, rests: bool) -> None:
    crew = Crew("test", 1)

    def fail() -> None:
        raise error

    crew.submit("one", fail)
    wait_idle(crew, "one")
    assert crew.submit("one", lambda: None) is not rests
    assert crew.submit("other", lambda: None)
    crew.stop(5)


def test_after_its_rest_work_is_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew_module, "_LONGEST_REST", 0.01)
    crew, done = Crew("test", 1), threading.Event()

    def fail() -> None:
        raise RouterError("It is down.")

    crew.submit("one", fail)
    deadline = time.monotonic() + 5
    while not crew.submit("one", done.set):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    assert done.wait(5)
    crew.stop(5)


def test_together_all_are_done_before_an_error_is_raised() -> None:
    done: list[str] = []

    def fail() -> None:
        raise RouterError("It is down.")

    def work() -> None:
        time.sleep(0.05)
        done.append("work")

    with pytest.raises(RouterError):
        do_together([fail, work, work], "test")
    assert done == ["work", "work"]
    do_together([], "test")
