"""A home full of records: teams, projects, deployments with builds, servers and routes, written straight to storage."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, insert

from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.adapters.storage.sql import tables
from mastra_admin_sdk.adapters.storage.sql.rows import Codec
from mastra_admin_sdk.host import boot_id, start_ticks
from mastra_admin_sdk.linelog import LineLog
from mastra_admin_sdk.models import (
    Build,
    BuildStatus,
    Deployment,
    DeploymentStatus,
    DeploymentType,
    DesiredState,
    Event,
    Process,
    ProcessStatus,
    Project,
    Route,
    Team,
    new_id,
    utc_now,
)

_PHASES = {"copy": 0.2, "install": 12.1, "build": 9.4, "start": 1.1, "health": 0.9, "route": 0.1, "drain": 0.4}
_LOG_LINES = 2000
_BRANCHES = ("main", "next", "fix-timeouts", "tools", "memory")


@dataclass(frozen=True, slots=True)
class Plan:
    """Who there is to be, before anything is stored: telemetry names them too."""

    teams: tuple[Team, ...]
    projects: tuple[Project, ...]
    deployments: tuple[Deployment, ...]


def make_plan(deployments: int) -> Plan:
    """Return teams with four projects each, and five deployments a project."""
    projects_wanted = -(-deployments // len(_BRANCHES))
    teams = tuple(Team(f"Team {number}", f"team-{number}") for number in range(-(-projects_wanted // 4)))
    projects = tuple(
        Project(teams[number // 4].id, f"Agent {number}", f"agent-{number}", source_config={"path": f"/srv/{number}"})
        for number in range(projects_wanted)
    )
    made = [
        Deployment(
            projects[number // len(_BRANCHES)].id,
            branch := _BRANCHES[number % len(_BRANCHES)],
            branch,
            type=DeploymentType.PRODUCTION if branch == "main" else DeploymentType.STAGING,
        )
        for number in range(deployments)
    ]
    return Plan(teams, projects, tuple(made))


def store_records(admin: MastraAdmin, plan: Plan, builds: int, ports: Sequence[int], pid: int) -> None:
    """Store the plan with so many builds in all; the first deployments are served by a process on these ports."""
    chance = random.Random(5)
    serving = dict(zip((item.id for item in plan.deployments), ports, strict=False))
    each = builds // len(plan.deployments)
    rows: dict[str, list[Any]] = {name: [] for name in ("builds", "processes", "routes", "events")}
    current: dict[str, Build] = {}
    for deployment in plan.deployments:
        made = list(_make_builds(admin, deployment, each, chance))
        rows["builds"] += made
        rows["events"] += [Event("bench", "queue", "build", build.id, time=build.queued_at) for build in made]
        good = [build for build in made if build.status is BuildStatus.SUCCEEDED]
        if good:
            current[deployment.id] = good[-1]
        if deployment.id in serving and deployment.id in current:
            rows["processes"].append(_make_process(current[deployment.id], serving[deployment.id], pid))
            rows["routes"].append(
                Route(f"{deployment.id}.localhost", "127.0.0.1", serving[deployment.id], deployment.id)
            )
    admin.storage._database.write(lambda connection: _insert(connection, plan, rows))  # type: ignore[attr-defined]
    for deployment in plan.deployments:
        _settle(admin, deployment, current.get(deployment.id), deployment.id in serving)
    _write_log(current[plan.deployments[0].id])


def _insert(connection: Connection, plan: Plan, rows: dict[str, list[Any]]) -> None:
    named: list[tuple[Any, Sequence[Any]]] = [
        (tables.teams, plan.teams),
        (tables.projects, plan.projects),
        (tables.deployments, plan.deployments),
        *((getattr(tables, name), found) for name, found in rows.items()),
    ]
    for table, records in named:
        if records:
            codec: Codec[Any] = Codec(type(records[0]))
            connection.execute(insert(table), [codec.encode(record) for record in records])


def _make_builds(admin: MastraAdmin, deployment: Deployment, count: int, chance: random.Random) -> Iterator[Build]:
    for number in range(1, count + 1):
        at = utc_now() - timedelta(hours=(count - number) * 4, seconds=chance.random() * 3600 + 60)
        failed = chance.random() < 0.15
        build_id = new_id()
        yield Build(
            deployment.id,
            number,
            status=BuildStatus.FAILED if failed else BuildStatus.SUCCEEDED,
            queued_at=at,
            started_at=at,
            completed_at=at + timedelta(seconds=24),
            phases={name: seconds * (0.8 + 0.4 * chance.random()) for name, seconds in _PHASES.items()},
            error_message="npm ci ended with code 1." if failed else None,
            ref=deployment.branch,
            commit=f"{chance.getrandbits(160):040x}",
            actor="ana@example.com",
            artifact={} if failed else {"path": str(admin.home.artifacts / build_id), "entry": "index.mjs"},
            log_path=str(admin.home.build_logs / f"{build_id}.log"),
            id=build_id,
            created_at=at,
        )


def _make_process(build: Build, port: int, pid: int) -> Process:
    ticks = start_ticks(pid)
    return Process(
        build.deployment_id,
        build.id,
        "127.0.0.1",
        port,
        status=ProcessStatus.RUNNING,
        pid=pid,
        start_ticks=ticks,
        shim_pid=pid,
        shim_start_ticks=ticks,
        boot_id=boot_id(),
        trace_status={"traced": True},
    )


def _settle(admin: MastraAdmin, deployment: Deployment, current: Build | None, is_served: bool) -> None:
    storage = admin.storage
    url = f"http://{deployment.id}.localhost:8080"
    storage.deployments.update(
        deployment.id,
        current_build_id=current.id if current else None,
        public_url=url if current else None,
        desired_state=DesiredState.RUNNING if is_served else DesiredState.STOPPED,
    )
    status = DeploymentStatus.RUNNING if is_served else DeploymentStatus.STOPPED
    storage.deployments.transition(deployment.id, status, expected=[DeploymentStatus.PENDING])


def _write_log(build: Build) -> None:
    record = replace(build)
    with LineLog(build_path := _path(record)) as log:
        for number in range(_LOG_LINES):
            log.write(f"line {number} of {build_path.name}", stream="out")


def _path(build: Build) -> Any:
    from pathlib import Path

    return Path(build.log_path or "")
