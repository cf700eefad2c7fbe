"""The drill: SIGKILL of workers, SDK processes, Caddy, servers and builds at random points of deploys.

    python -m tests.faults.deploys --rounds 60

Prints one JSON object. ``lost_builds``: builds that were acknowledged and did not come to the end they should have;
``stuck_builds``: builds that did not end; ``orphan_*``: what runs, listens or is routed without a record, and what is
left after `down` as tests/oracle/left_behind.py sees it; ``wrong_state``: deployments whose state on record isn't what
answers; ``max_recovery_s``: from a kill until everything was as it should be again.
Exit status 0 when all counts are zero and no recovery took 15 s.
"""

from __future__ import annotations

import argparse
import json
import random
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
from mastra_admin_sdk.models import BuildStatus, DeploymentStatus
from tests.faults.stage import Stage, kill, wait_for

LONGEST_RECOVERY = 15.0
_PATIENCE = 90.0
_COUNTS = ("lost_builds", "stuck_builds", "orphan_processes", "orphan_ports", "orphan_routes", "wrong_state")


@dataclass(frozen=True)
class Act:
    """What somebody asked for: a build, if it takes one, the version that is to answer then, and whether it may end
    cancelled. ``stopper`` is the process that stops an app."""

    build_id: str = ""
    version: int | None = None
    may_cancel: bool = False
    stopper: subprocess.Popen[str] | None = None


@dataclass
class Drill:
    """One run: what was done, and what was found."""

    stage: Stage
    dice: random.Random
    expected: dict[str, int | None] = field(default_factory=dict)
    served: dict[str, int] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    killed: set[int] = field(default_factory=set)
    recoveries: list[float] = field(default_factory=list)
    details: list[str] = field(default_factory=list)

    def run(self, rounds: int) -> None:
        """Open the stage and play the rounds."""
        self.stage.open()
        for app in self.stage.apps:
            self.expected[app] = self.stage.versions[app]
            self.served[self._current(app)] = self.stage.versions[app]
        for number in range(1, rounds + 1):
            self._play(number)

    # --- one round ----------------------------------------------------------------------------------------------------

    def _play(self, number: int) -> None:
        app = self.dice.choice(self.stage.apps)
        acts = [self._deploy, self._deploy, self._deploy_elsewhere, self._deploy_and_cancel, self._roll_back]
        act = self.dice.choice([*acts, self._restart, self._stop])
        victim = self.dice.choice(sorted(self._victims()))
        asked = act(app)
        time.sleep(self.dice.random() * 4)
        struck = [victim] if self.dice.random() < 0.75 else [victim, self.dice.choice(sorted(self._victims()))]
        for name in struck:
            self._strike(name)
        started = time.monotonic()
        self.stage.staff()
        if asked.stopper:
            self._await_stop(app, asked.stopper)
        else:
            self._await_build(number, app, asked, may_fail="build" in struck)
        if wait_for(self._is_right, _PATIENCE) is None:
            self._note("wrong_state", f"round {number}: {struck} during {act.__name__} of {app}: {self._describe()}")
        self.recoveries.append(time.monotonic() - started)
        self._count_strays(number)

    def _strike(self, name: str) -> None:
        pids = self._victims()[name]()
        if not pids:
            self.kills[f"{name} (none there)"] += 1
            return
        chosen = pids if name == "everything" else [self.dice.choice(pids)]
        self.killed.update(chosen)
        for pid in chosen:
            kill(pid)
        self.kills[name] += 1
        self._reap()

    def _reap(self) -> None:
        """Collect our own dead children, so that they count as gone and not as zombies that are being looked at."""
        for process in (self.stage.background, self.stage.standby, *self.stage.deployers):
            if process:
                wait_for(lambda process=process: process.poll() is not None, 0.3)

    def _victims(self) -> dict[str, Callable[[], list[int]]]:
        stage = self.stage
        return {
            "background": lambda: [stage.background.pid] if stage.background else [],
            "standby": lambda: [stage.standby.pid] if stage.standby else [],
            "deployer": lambda: [process.pid for process in stage.deployers if process.poll() is None],
            "caddy": stage.list_caddies,
            "server": lambda: [pid for pid, _ in stage.list_servers()],
            "shim": lambda: [shim for _, shim in stage.list_servers()],
            "build": lambda: stage.list_marked(b"MASTRA_ADMIN_BUILD_OF="),
            "everything": lambda: [item["pid"] for item in stage.look_from_outside()["processes"]],
        }

    # --- what people do -----------------------------------------------------------------------------------------------

    def _deploy(self, app: str) -> Act:
        version = self.stage.write(app)
        return Act(self.stage.admin.deploy(app, wait=False).id, version)

    def _deploy_elsewhere(self, app: str) -> Act:
        version = self.stage.write(app)
        return Act(self.stage.deploy_elsewhere(app), version)

    def _deploy_and_cancel(self, app: str) -> Act:
        version = self.stage.write(app)
        build = self.stage.admin.deploy(app, wait=False)
        time.sleep(self.dice.random() * 3)
        build.cancel()
        return Act(build.id, version, may_cancel=True)

    def _restart(self, app: str) -> Act:
        live = self.stage.admin.deployments.get(app)
        return Act(live.restart(wait=False).id, self.served[self._current(app)])

    def _roll_back(self, app: str) -> Act:
        live = self.stage.admin.deployments.get(app)
        previous = live.record.previous_build_id
        if previous is None or previous not in self.served:
            return self._deploy(app)
        return Act(live.rollback(wait=False).id, self.served[previous])

    def _stop(self, app: str) -> Act:
        return Act(stopper=self.stage.stop_elsewhere(app))

    # --- what should be -----------------------------------------------------------------------------------------------

    def _await_build(self, number: int, app: str, asked: Act, *, may_fail: bool) -> None:
        """Wait for the end of a build that was acknowledged; from then on the app should answer what it brought."""
        builds = self.stage.admin.storage.builds
        try:
            ended = wait_for(lambda: builds.get(asked.build_id).is_final, _PATIENCE)
            build = builds.get(asked.build_id)
        except MastraAdminError as exc:
            self._note("lost_builds", f"round {number}: {exc.message}")
            return
        told = f"round {number}: #{build.number} of {app} is {build.status}: {build.error_message}"
        failed = build.status is BuildStatus.FAILED and (may_fail or self._lost_its_server(build.id))
        cancelled = build.status is BuildStatus.CANCELLED and asked.may_cancel
        if ended is None:
            self._note("stuck_builds", told)
        elif build.status is BuildStatus.SUCCEEDED:
            self.expected[app] = self.served[build.id] = asked.version or 0
        elif not failed and not cancelled:
            self._note("lost_builds", told)

    def _await_stop(self, app: str, stopper: subprocess.Popen[str]) -> None:
        """Wait for somebody who stops an app; when they were killed, somebody asks again."""
        if wait_for(lambda: stopper.poll() is not None, _PATIENCE) is None or stopper.returncode:
            self.stage.admin.deployments.get(app).stop()
        self.expected[app] = None

    def _lost_its_server(self, build_id: str) -> bool:
        """True when the server that was to take over was killed: then a build fails, and what served goes on."""
        own = self.stage.admin.storage.processes.list(build_id=build_id)
        return any(pid in self.killed for item in own for pid in (item.pid, item.shim_pid))

    def _is_right(self) -> bool:
        return all(self._is_app_right(app) for app in self.stage.apps)

    def _is_app_right(self, app: str) -> bool:
        live = self.stage.admin.deployments.get(app)
        wanted = self.expected[app]
        if self.stage.ask(app) != wanted:
            return False
        # A build that failed leaves an app that was stopped as failed: it was meant to run by then.
        at_rest = (DeploymentStatus.STOPPED, DeploymentStatus.FAILED)
        if live.status not in (at_rest if wanted is None else (DeploymentStatus.RUNNING,)):
            return False
        build = live.build
        return build is not None and build.record.is_final

    def _current(self, app: str) -> str:
        return str(self.stage.admin.deployments.get(app).record.current_build_id)

    def _describe(self) -> str:
        lives = {app: self.stage.admin.deployments.get(app) for app in self.stage.apps}
        told = [
            f"{app} is {live.status} ({live.record.status_reason}), answers {self.stage.ask(app)}, "
            f"should answer {self.expected[app]}"
            for app, live in lives.items()
            if not self._is_app_right(app)
        ]
        return "; ".join(told)

    # --- strays -------------------------------------------------------------------------------------------------------

    def _count_strays(self, number: int) -> None:
        """Compare what runs with what the records know, once it has come to rest."""
        known = {pid for pair in self.stage.list_servers() for pid in pair}
        ours = {
            process.pid for process in (self.stage.background, self.stage.standby, *self.stage.deployers) if process
        }

        def list_strays() -> list[dict[str, Any]]:
            found = self.stage.look_from_outside()["processes"]
            servers = {pid for pair in self.stage.list_servers() for pid in pair}
            caddies = [item for item in found if "caddy" in item["command"].split()[0]]
            left = [item for item in found if item["pid"] not in servers | ours | known and item not in caddies[:1]]
            return [item for item in left if "embedded" not in item["command"]]

        if wait_for(lambda: not list_strays(), LONGEST_RECOVERY) is None:
            for item in list_strays():
                self._note("orphan_processes", f"round {number}: {item}")
        routes = {route.host for route in self.stage.admin.storage.routes.list()}
        for route in self.stage.admin.router.list_routes():
            if route.host not in routes:
                self._note("orphan_routes", f"round {number}: {route.host}")

    def finish(self) -> None:
        """End everything as a person would; what the oracle finds then is an orphan."""
        left = self.stage.close()
        for item in left["processes"]:
            self._note("orphan_processes", f"after down: {item}")
        for port in left["ports"]:
            self._note("orphan_ports", f"after down: {port}")

    def _note(self, count: str, detail: str) -> None:
        self.counts[count] += 1
        self.details.append(f"{count}: {detail}")
        print(f"{count}: {detail}", file=sys.stderr, flush=True)

    def report(self) -> dict[str, Any]:
        """Return what the program prints."""
        return {
            "rounds": len(self.recoveries),
            **{name: self.counts[name] for name in _COUNTS},
            "max_recovery_s": round(max(self.recoveries, default=0.0), 2),
            "kills": dict(sorted(self.kills.items())),
            "details": self.details,
        }


def run_drill(rounds: int, seed: int, apps: int = 2) -> dict[str, Any]:
    """Play so many rounds in a home of their own and return the report."""
    dice = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="drill-", ignore_cleanup_errors=True) as folder:
        drill = Drill(Stage(Path(folder), apps, dice), dice)
        try:
            drill.run(rounds)
        finally:
            drill.finish()
    return {**drill.report(), "seed": seed}


def is_good(report: dict[str, Any]) -> bool:
    """True when nothing was lost, stuck, orphaned or wrong, and every recovery was quick."""
    return not any(report[name] for name in _COUNTS) and report["max_recovery_s"] < LONGEST_RECOVERY


def main() -> int:
    """Run the drill and print its report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    arguments = parser.parse_args()
    report = run_drill(arguments.rounds, arguments.seed)
    print(json.dumps(report))
    return 0 if is_good(report) else 1


if __name__ == "__main__":
    sys.exit(main())
