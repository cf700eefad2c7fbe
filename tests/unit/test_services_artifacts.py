"""Which artifacts may go, for any history of deploys, rollbacks and promotions."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from mastra_admin_sdk.models import Build, BuildStatus, Deployment, Process
from mastra_admin_sdk.services.builds.artifacts import get_owner_id, list_doomed

PLACES = ("main", "staging", "preview")
SERVED = BuildStatus.SUCCEEDED

History = list[tuple[int, BuildStatus, int | None]]
"""For each build: which deployment, how it ended, and which earlier build's artifact it ran if not one of its own."""

histories = st.lists(
    st.tuples(
        st.integers(0, len(PLACES) - 1),
        st.sampled_from([SERVED, SERVED, SERVED, BuildStatus.FAILED, BuildStatus.QUEUED, BuildStatus.DEPLOYING]),
        st.none() | st.integers(0, 30),
    ),
    max_size=30,
)


def play(history: History) -> tuple[list[Deployment], list[Build]]:
    """Return the records that a history leaves."""
    builds: list[Build] = []
    current: dict[str, list[str]] = {place: [] for place in PLACES}
    for number, (place, status, of) in enumerate(history, start=1):
        earlier = [item for item in builds if item.status is SERVED]
        ran = get_owner_id(earlier[of % len(earlier)]) if of is not None and earlier else None
        artifact = {} if ran else {"path": f"/artifacts/{number}"}
        build = Build(PLACES[place], number, status=status, artifact_build_id=ran, artifact=artifact, id=f"#{number}")
        builds.append(build)
        if status is SERVED:
            current[PLACES[place]].insert(0, build.id)
    deployments = [
        Deployment(
            "project",
            place,
            place,
            id=place,
            current_build_id=next(iter(served), None),
            previous_build_id=next(iter(served[1:]), None),
        )
        for place, served in current.items()
    ]
    return deployments, builds


def choose(history: History, keep: int, alive: list[Process] | None = None) -> set[str]:
    deployments, builds = play(history)
    return {item.build.id for item in list_doomed(deployments, builds, alive or [], lambda _: keep)}


@given(histories, st.integers(0, 5))
def test_nothing_that_is_needed_ever_goes(history: History, keep: int) -> None:
    deployments, builds = play(history)
    doomed = choose(history, keep)
    owners = {build.id: get_owner_id(build) for build in builds}
    in_use = {owners[each] for item in deployments for each in (item.current_build_id, item.previous_build_id) if each}
    waiting = {get_owner_id(build) for build in builds if not build.is_final}
    assert doomed.isdisjoint(in_use | waiting)
    for deployment in deployments:
        served = [item for item in reversed(builds) if item.deployment_id == deployment.id and item.status is SERVED]
        own = {owners[each] for each in (deployment.current_build_id, deployment.previous_build_id) if each}
        others = [each for each in dict.fromkeys(map(get_owner_id, served)) if each not in own]
        assert doomed.isdisjoint(others[:keep])


@given(histories)
def test_keeping_more_never_removes_more(history: History) -> None:
    removed = [choose(history, keep) for keep in range(4)]
    assert all(later <= earlier for earlier, later in pairwise(removed))
    assert choose(history, 100) == {
        build.id for build in play(history)[1] if build.artifact and build.status is BuildStatus.FAILED
    }


@given(histories, st.integers(0, 29))
def test_what_a_server_runs_stays(history: History, place: int) -> None:
    _, builds = play(history)
    if builds:
        build = builds[place % len(builds)]
        alive = [Process(build.deployment_id, build.id, "127.0.0.1", 1)]
        assert get_owner_id(build) not in choose(history, 0, alive)
