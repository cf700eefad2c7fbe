"""The drill: SIGKILL and stop of ingesters, of the engine and of writers, a full disk, cut connections, bad files.

    python -m tests.faults.ingest --rounds 60

Each round writes telemetry whose truth is known, by the writer of the servers' preload and from Python, while something
strikes; then what the store has is compared with what reached the files, by tests/oracle/telemetry_truth.py.

Prints one JSON object. ``produced``: lines that writers were asked to record, and those that the drill put into files
itself; ``written``: lines that reached a file; ``dropped``: lines that a writer counted as dropped, because the disk
was full; ``unaccepted``: lines in the memory of a writer that was killed; ``stored``: spans and log lines in the store;
``lost``, ``duplicated``, ``wrong``: of them; ``uncounted``: lines that are neither written, nor counted as dropped, nor
died with their writer; ``rejects_wrong``: bad lines without exactly one record; ``max_takeover_s``: from the end of an
ingester until another one is in its place; ``unreadable``: rounds after which the store couldn't be asked.
Exit status 0 when nothing is lost, doubled, wrong or uncounted, and every takeover took less than 10 s.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mastra_admin_sdk.errors import MastraAdminError
from tests.faults import ledger, material
from tests.faults.material import Key
from tests.faults.pipeline import Pipeline, Writer, await_takeover, can_mount
from tests.faults.stage import kill, wait_for

LONGEST_TAKEOVER = 10.0
_PATIENCE = 60.0
_SPANS, _FLOOD, _BACKLOG = 400, 6000, 2500
_INSIDE = "MASTRA_DRILL_INSIDE"
_BAD = ("lost", "duplicated", "wrong", "uncounted", "rejects_wrong", "orphans", "stuck", "unreadable")
_SUMS = ("produced", "written", "dropped", "unaccepted", "stored", *_BAD)

Mangle = Callable[[Path, list[bytes], random.Random], None]


@dataclass
class Round:
    """What one round wrote, and where."""

    number: int
    owner: tuple[str, str, str]
    truth: dict[Key, list[str]] = field(default_factory=dict)
    writers: list[Writer] = field(default_factory=list)
    struck_writers: set[int] = field(default_factory=set)
    bad_lines: dict[str, int] = field(default_factory=dict)

    @property
    def build(self) -> str:
        """The id that tells its rows."""
        return self.owner[2]


@dataclass
class Drill:
    """One run: what was done, and what was found."""

    pipeline: Pipeline
    dice: random.Random
    scratch: Path
    counts: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    takeovers: list[float] = field(default_factory=list)
    catch_ups: list[float] = field(default_factory=list)
    details: list[str] = field(default_factory=list)
    _deck: list[str] = field(default_factory=list)

    def run(self, rounds: int) -> None:
        """Play the rounds; every kind of fault gets its turn."""
        self.pipeline.staff()
        for number in range(1, rounds + 1):
            self._play(number)
        self._check_what_is_shown()

    # --- one round ----------------------------------------------------------------------------------------------------

    def _play(self, number: int) -> None:
        faults = self._list_faults()
        name = self._draw(faults)
        names = [name] if self.dice.random() < 0.4 else [name, self.dice.choice(sorted(faults))]
        game = Round(number, ("p", f"d{self.dice.randrange(3)}", f"b{number}"))
        floods = "disk" in names
        self._start_writers(game, _FLOOD if floods else _SPANS)
        for fault in names:
            time.sleep(self.dice.random() * (0.3 if floods else 1))
            faults[fault](game)
            self.faults[fault] += 1
        for writer in game.writers:
            writer.wait(_PATIENCE)
        self.pipeline.staff()
        self._settle(game, names)
        for data in self.scratch.glob("data-*"):
            shutil.rmtree(data)

    def _draw(self, faults: dict[str, Callable[[Round], None]]) -> str:
        if not self._deck:
            self._deck = sorted(faults)
            self.dice.shuffle(self._deck)
        return self._deck.pop()

    def _list_faults(self) -> dict[str, Callable[[Round], None]]:
        mangles: dict[str, Mangle] = {
            "half_written": material.write_in_pieces,
            "truncated": material.write_and_truncate,
            "replaced": material.write_and_replace,
            "gzip": material.write_gzip,
            "torn_gzip": material.write_torn_gzip,
            "compressed_later": material.compress_later,
            "copies": material.write_copies,
            "wrong_clock": material.write_with_wrong_clock,
        }
        strikes: dict[str, Callable[[Round], None]] = {
            "kill_ingester": self._kill_ingester,
            "stop_ingester": self._stop_ingester,
            "kill_engine": self._kill_engine,
            "kill_writer": self._kill_writer,
            "kill_everything": self._kill_everything,
            "cut_connection": self._cut_connection,
            "bad_lines": self._add_bad_lines,
            "months": self._add_months,
        }
        if self.pipeline.disk_is_ours:
            strikes["disk"] = self._fill_disk
        return {**{name: self._mangle(one) for name, one in mangles.items()}, **strikes}

    # --- what is written ----------------------------------------------------------------------------------------------

    def _start_writers(self, game: Round, spans: int) -> None:
        seconds = 0.3 + self.dice.random() * 2
        data = self._generate(game, spans)
        game.writers.append(self.pipeline.start_writer(data.folder, game.owner, f"process-{game.number}", seconds))
        if self.dice.random() < 0.4:
            more = self._generate(game, _SPANS // 2)
            game.writers.append(self.pipeline.start_python_writer(more.folder, game.owner, seconds))

    def _generate(self, game: Round, spans: int) -> material.Material:
        folder = Path(tempfile.mkdtemp(prefix="data-", dir=self.scratch))
        made = material.generate(folder, spans, game.owner, self.dice.randrange(2**31))
        game.truth |= made.truth
        return made

    def _folder(self, game: Round, stream: str = "spans") -> Path:
        _, deployment, build = game.owner
        return self.pipeline.telemetry / deployment / build / "elsewhere" / stream

    def _mangle(self, mangle: Mangle) -> Callable[[Round], None]:
        def strike(game: Round) -> None:
            lines = self._generate(game, _SPANS // 2).spans
            mangle(material.name_file(self._folder(game)), lines, self.dice)

        return strike

    def _add_bad_lines(self, game: Round) -> None:
        bad = [*material.list_bad_lines(), material.make_long_line()]
        lines = material.mix(self._generate(game, _SPANS // 4).spans, bad, self.dice)
        path = material.name_file(self._folder(game))
        torn = self.dice.random() < 0.5
        path.write_bytes(material.join(lines) + (b'{"torn":"at the en' if torn else b""))
        material.rest(path)
        game.bad_lines[str(path.relative_to(self.pipeline.telemetry))] = len(bad) + torn

    def _add_months(self, game: Round) -> None:
        lines = material.shift(self._generate(game, 160), 150)
        material.name_file(self._folder(game)).write_bytes(material.join(lines))

    def _add_backlog(self, game: Round) -> None:
        """Put a big file there at once, so that what strikes next is likely to strike within its insert."""
        made = self._generate(game, _BACKLOG)
        path = material.name_file(self._folder(game))
        draft = path.with_name("draft")
        draft.write_bytes(material.join(made.spans))
        draft.rename(path)
        time.sleep(self.dice.random() * 0.8)

    # --- what strikes -------------------------------------------------------------------------------------------------

    def _kill_ingester(self, game: Round) -> None:
        holder = self._await_holder()
        self._add_backlog(game)
        if holder is not None:
            self._strike_holder(holder, signal.SIGKILL)

    def _stop_ingester(self, game: Round) -> None:
        self.pipeline.staff()  # one that was stopped before wakes up now
        holder = self._await_holder()
        self._add_backlog(game)
        if holder is not None:
            self.faults["stopped_in_transaction"] += self.pipeline.stop(holder)
            self._strike_holder(holder, signal.SIGSTOP)

    def _strike_holder(self, holder: int, number: signal.Signals) -> None:
        os.kill(holder, number)
        if number is signal.SIGKILL:
            for process in self.pipeline.ingesters:
                if process.pid == holder:
                    process.wait(10)
            self.pipeline.staff()
        took = await_takeover(self.pipeline, holder, 4 * LONGEST_TAKEOVER)
        if took is None:
            self._note("stuck", f"nobody took over from {holder} after {number.name}: {self.pipeline.explain()}")
        else:
            self.takeovers.append(took)

    def _await_holder(self) -> int | None:
        mine = {process.pid for process in self.pipeline.ingesters}
        wait_for(lambda: self.pipeline.find_holder() in mine, 20)
        holder = self.pipeline.find_holder()
        return holder if holder in mine else None

    def _kill_engine(self, game: Round) -> None:
        self._add_backlog(game)
        for _ in range(self.dice.randrange(1, 3)):
            if (engine := self.pipeline.find_engine()) is not None:
                kill(engine)
            time.sleep(self.dice.random())

    def _kill_writer(self, game: Round) -> None:
        writer = self.dice.choice(game.writers)
        kill(writer.process.pid)
        writer.wait(10)
        if not writer.has_ended:
            game.struck_writers.add(writer.process.pid)

    def _kill_everything(self, game: Round) -> None:
        self._add_backlog(game)
        self._kill_writer(game)
        pids = [process.pid for process in self.pipeline.ingesters]
        for pid in (*pids, self.pipeline.find_engine()):
            if pid is not None:
                kill(pid)
        for process in self.pipeline.ingesters:
            process.wait(10)
        self.pipeline.staff()

    def _cut_connection(self, game: Round) -> None:
        self._add_backlog(game)
        for _ in range(10):
            self.faults["connections_cut"] += self.pipeline.cut_connections()
            time.sleep(0.05 * self.dice.random())

    def _fill_disk(self, game: Round) -> None:
        # One that begins on a full disk has nowhere to count what it drops.
        wait_for(lambda: all(writer.produced for writer in game.writers), 20)
        self.pipeline.fill_disk()
        try:
            time.sleep(1 + self.dice.random() * 3)
            if self.dice.random() < 0.5:  # some end while it is full
                for writer in game.writers:
                    if "python" not in writer.folder.name:
                        writer.wait(_PATIENCE)
        finally:
            self.pipeline.free_disk()

    # --- what is found ------------------------------------------------------------------------------------------------

    def _settle(self, game: Round, names: list[str]) -> None:
        label = f"round {game.number} ({', '.join(names)})"
        _, deployment, build = game.owner
        folder = self.pipeline.telemetry / deployment / build
        written = ledger.read_written(folder, game.truth)
        started = time.monotonic()
        found: dict[str, int] = {}

        def is_right() -> bool:
            found.update(self._compare(game, written))
            return not any(found[name] for name in ("lost", "duplicated", "wrong", "rejects_wrong"))

        if (problem := self._await(is_right)) is not None:
            self._note("unreadable", f"{label}: {problem}")
            return
        self.catch_ups.append(time.monotonic() - started)
        found |= self._count_lines(game, written)
        for name in _SUMS:
            self.counts[name] += found.get(name, 0)
            if name in _BAD and found.get(name):
                self._tell(f"{name}: {label}: {found}")

    def _await(self, is_right: Callable[[], bool]) -> str | None:
        """Until all is right; then once more, as what came too much may come late. Return why it can't be told."""
        problem: str | None = None

        def try_it() -> bool:
            nonlocal problem
            try:
                found, problem = is_right(), None
            except MastraAdminError as exc:
                found, problem = False, str(exc)
            return found

        wait_for(try_it, _PATIENCE)
        try_it()
        return problem

    def _compare(self, game: Round, written: ledger.Written) -> dict[str, int]:
        sql, build = self.pipeline.admin.sql, {"build": game.build}
        rows = sql(ledger.ROWS, build).itertuples(index=False, name=None)
        found = ledger.check(self.scratch, game.truth, written, rows)
        running = int(sql(ledger.RUNNING, build)["n"].iloc[0])
        logs = sql(ledger.LOGS, build)
        stored, ids = int(logs["stored"].iloc[0]), int(logs["ids"].iloc[0])
        return {
            "stored": found["stored"] + running + stored,
            "lost": found["lost"] + max(0, len(written.running) - running) + max(0, len(written.logs) - ids),
            "duplicated": found["duplicated"] + max(0, running - len(written.running)) + stored - ids,
            "wrong": found["wrong"],
            "rejects_wrong": self._count_wrong_rejects(game),
        }

    def _count_wrong_rejects(self, game: Round) -> int:
        query = "SELECT count() AS n FROM mastra_admin_rejects WHERE path = %(path)s"
        found = {path: int(self.pipeline.admin.sql(query, {"path": path})["n"].iloc[0]) for path in game.bad_lines}
        return sum(abs(found[path] - wanted) for path, wanted in game.bad_lines.items())

    def _count_lines(self, game: Round, written: ledger.Written) -> dict[str, int]:
        """Follow every line: ``produced == written + dropped + unaccepted + uncounted``."""
        by_writer = [ledger.read_written(writer.folder, game.truth).ids for writer in game.writers]
        by_hand = len(written.ids.difference(*by_writer))
        totals: Counter[str] = Counter(written=len(written.ids), produced=by_hand)
        for writer, own in zip(game.writers, by_writer, strict=True):
            dropped = int(writer.read_status().get("dropped", 0))
            missing = writer.produced - len(own) - dropped
            was_killed = writer.process.pid in game.struck_writers
            totals["produced"] += max(writer.produced, len(own) + dropped)
            totals["dropped"] += dropped
            totals["unaccepted" if was_killed else "uncounted"] += max(0, missing) if was_killed else abs(missing)
        return dict(totals)

    def _check_what_is_shown(self) -> None:
        """What people are told must be what happened."""
        overview = self.pipeline.admin.overview()
        rejected = self.pipeline.admin.observability.count_rejects()
        wait_for(lambda: self.pipeline.admin.overview().ingestion.rejected == rejected, 15)
        shown = self.pipeline.admin.overview().ingestion
        if shown.dropped != self.counts["dropped"]:
            self._note("uncounted", f"{shown.dropped} lines are shown as dropped, {self.counts['dropped']} were")
        if shown.rejected != rejected:
            self._note("rejects_wrong", f"{shown.rejected} lines are shown as rejected, {rejected} were")
        if overview.lag.seconds < 0:
            self._note("wrong", f"the lag is negative: {overview.lag}")

    def finish(self) -> None:
        """End everything as a person would; what is left then is an orphan."""
        for item in self.pipeline.close():
            self._note("orphans", f"after down: {item}")

    def _note(self, count: str, detail: str) -> None:
        self.counts[count] += 1
        self._tell(f"{count}: {detail}")

    def _tell(self, detail: str) -> None:
        self.details.append(detail)
        print(detail, file=sys.stderr, flush=True)

    def report(self) -> dict[str, Any]:
        """Return what the program prints."""
        return {
            **{name: self.counts[name] for name in _SUMS},
            "max_takeover_s": round(max(self.takeovers, default=0.0), 2),
            "max_catch_up_s": round(max(self.catch_ups, default=0.0), 2),
            "faults": dict(sorted(self.faults.items())),
            "details": self.details,
        }


def run_drill(rounds: int, seed: int) -> dict[str, Any]:
    """Play so many rounds in a home of their own and return the report."""
    dice = random.Random(seed)
    folder = Path(tempfile.mkdtemp(prefix="ingest-"))
    scratch = folder / "scratch"
    scratch.mkdir()
    drill = Drill(Pipeline(folder, dice, can_mount()), dice, scratch)
    started = time.monotonic()
    try:
        drill.run(rounds)
    finally:
        drill.finish()
    report = {"rounds": rounds, **drill.report(), "seconds": round(time.monotonic() - started, 1), "seed": seed}
    if is_good(report):
        shutil.rmtree(folder, ignore_errors=True)
    return report


def is_good(report: dict[str, Any]) -> bool:
    """True when nothing was lost, doubled or left uncounted, and every takeover was quick."""
    return not any(report[name] for name in _BAD) and report["max_takeover_s"] < LONGEST_TAKEOVER


def main() -> int:
    """Run the drill and print its report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    arguments = parser.parse_args()
    _enter_namespace(arguments)
    report = run_drill(arguments.rounds, arguments.seed)
    print(json.dumps(report))
    return 0 if is_good(report) else 1


def _enter_namespace(arguments: argparse.Namespace) -> None:
    """Go on in a namespace of mounts of our own, where anybody may have a small disk; elsewhere without one."""
    unshare = shutil.which("unshare")
    if (
        _INSIDE in os.environ
        or unshare is None
        or subprocess.run([unshare, "-rm", "true"], capture_output=True).returncode
    ):
        return
    command = [unshare, "-rm", sys.executable, "-m", "tests.faults.ingest"]
    options = ["--rounds", str(arguments.rounds), "--seed", str(arguments.seed)]
    os.execve(unshare, [*command, *options], {**os.environ, _INSIDE: "1"})


if __name__ == "__main__":
    sys.exit(main())
