"""``admin.health()``: a row a deployment, as observed just now."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
from fakes.observability import FakeObservabilityStore
from fixtures.lines import make_chunk, make_span, new_trace, now
from fixtures.panel import make_build, make_fake_admin, seed

from mastra_admin_sdk import MastraAdmin
from mastra_admin_sdk.errors import EngineUnavailable, InvalidInput
from mastra_admin_sdk.models import AlertStatus, Process, ServerUsage, utc_now
from mastra_admin_sdk.services.monitoring.columns import HEALTH_COLUMNS
from mastra_admin_sdk.services.monitoring.health import measure_cpu


@pytest.fixture
def store() -> FakeObservabilityStore:
    return FakeObservabilityStore()


@pytest.fixture
def admin(tmp_path: Path, store: FakeObservabilityStore) -> Iterator[MastraAdmin]:
    with make_fake_admin(tmp_path / "home", store) as made:
        yield made


def test_health_has_its_columns_when_there_is_no_deployment(admin: MastraAdmin) -> None:
    frame = admin.health()
    assert frame.empty
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == dict(HEALTH_COLUMNS)
    assert (frame.attrs["lag_s"], frame.attrs["supervised"], frame.attrs["window_s"]) == (0.0, False, 300.0)


def test_health_tells_how_a_deployment_does(admin: MastraAdmin, store: FakeObservabilityStore) -> None:
    seeded = seed(admin.storage, admin.home.path)
    failing = make_build(admin.storage, admin.home.path, seeded.deployment)
    owner = {"deploymentId": seeded.deployment.id}
    begun = now() - timedelta(minutes=1)
    failed = {"errorInfo": {"message": "no"}}
    lines = [make_span("ended", new_trace(), "s", begun, 100, **owner) for _ in range(3)]
    store.insert([make_chunk(*lines, make_span("ended", new_trace(), "s", begun, 500, **owner, **failed))])
    admin.alerts.create("errors", kind="error_rate", threshold=0.2, min_count=1, deployment=seeded.deployment)
    admin.alerts.check()
    (row,) = admin.health().to_dict("records")
    assert (row["team"], row["project"], row["deployment"]) == ("search", "weather", "main")
    assert (row["status"], row["desired_state"], row["servers"], row["healthy"]) == ("running", "running", 1, 0)
    assert (row["traces"], row["error_rate"], row["p95_ms"]) == (4, 0.25, pytest.approx(440))
    assert (row["build"], row["last_build"], row["last_build_status"]) == (1, failing.number, "queued")
    assert (row["alerts"], row["restarts"], row["lag_s"], row["dropped"], row["requests"]) == (1, 0, 0.0, 0, 0)
    assert row["url"] == "http://weather.search.localhost:8080"
    frame = admin.health("30s")
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == dict(HEALTH_COLUMNS)
    assert frame["traces"].tolist() == [0]
    assert frame["error_rate"].isna().all()


def test_health_hides_nothing_when_the_store_is_away(
    admin: MastraAdmin, store: FakeObservabilityStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise EngineUnavailable("The engine is away.")

    seed(admin.storage, admin.home.path)
    monkeypatch.setattr(store, "activity", fail)
    frame = admin.health()
    assert frame["status"].tolist() == ["running"]
    assert frame["traces"].isna().all()


def test_rows_are_sorted_by_name(admin: MastraAdmin) -> None:
    for place, slug in enumerate(("weather", "answers", "mail")):
        seed(admin.storage, admin.home.path, name=slug, slug=slug, port=4101 + place)
    assert admin.health()["project"].tolist() == ["answers", "mail", "weather"]


def test_a_window_that_is_none_is_refused(admin: MastraAdmin) -> None:
    with pytest.raises(InvalidInput, match="can't be the window"):
        admin.health("soon")


def test_cpu_is_cores_since_the_last_look() -> None:
    usage = ServerUsage(1, 1, 1, 1, cpu_seconds=12.0)
    ago = utc_now() - timedelta(seconds=10)
    process = Process("d", "b", "127.0.0.1", 1, stats={"cpu_seconds": 7.0, "measured_at": ago.isoformat()})
    assert measure_cpu(process, usage) == pytest.approx(0.5, rel=0.1)
    assert measure_cpu(Process("d", "b", "127.0.0.1", 1, started_at=ago), usage) == pytest.approx(1.2, rel=0.1)
    assert measure_cpu(Process("d", "b", "127.0.0.1", 1), usage) is None


def test_checking_returns_what_every_alert_says(admin: MastraAdmin) -> None:
    admin.alerts.create("late", kind="lag", threshold=60)
    states = admin.alerts.check()
    assert states["alert"].tolist() == ["late"]
    assert states["status"].tolist() == [AlertStatus.OK.value]
    assert states["value"].tolist() == [0.0]
    assert pd.isna(states["last_notified_at"].iloc[0])
