"""Where tables stand and how long they are kept, as text: statements for one machine and for a cluster."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mastra_admin_sdk.adapters.observability.clickhouse import ClickHouseStore, schema
from mastra_admin_sdk.adapters.observability.clickhouse.retention import MAX_DAYS, Retention, Signal
from mastra_admin_sdk.adapters.observability.clickhouse.topology import (
    ONE_MACHINE,
    Topology,
    find_name,
    is_kept,
    spread,
)
from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.home import open_home
from mastra_admin_sdk.registry import make_observability
from mastra_admin_sdk.settings import load_settings

CLUSTER = Topology("prod", True, "mastra")
MADE = re.compile(r"CREATE (?:TABLE|VIEW|MATERIALIZED VIEW) IF NOT EXISTS (\w+) ON CLUSTER 'prod'")

TABLE = (
    "CREATE TABLE IF NOT EXISTS t\n(\n    trace_id String\n)\nENGINE = ReplacingMergeTree(version)\nORDER BY trace_id"
)
VIEW = "CREATE VIEW IF NOT EXISTS v AS\nSELECT * FROM t FINAL"
FILLING = "CREATE MATERIALIZED VIEW IF NOT EXISTS f TO t AS\nSELECT 1 FROM n WHERE x NOT IN\n(\n    SELECT x FROM t\n)"


# --- topology ---------------------------------------------------------------------------------------------------------


def test_on_one_machine_statements_stay_as_they_are() -> None:
    assert spread([TABLE, VIEW, FILLING], ONE_MACHINE) == [TABLE, VIEW, FILLING]
    assert ONE_MACHINE.find_kept("t") == "t"
    assert ONE_MACHINE.describe() == ""


def test_a_table_that_keeps_rows_is_replicated_on_each_shard_and_one_above_spreads_them() -> None:
    local, above = spread([TABLE], CLUSTER)
    assert local.startswith("CREATE TABLE IF NOT EXISTS t_local ON CLUSTER 'prod'\n(")
    path = "'/clickhouse/tables/prod/{database}/{table}/{shard}', '{replica}'"
    assert f"ENGINE = ReplicatedReplacingMergeTree({path}, version)\nORDER BY" in local
    assert above == (
        "CREATE TABLE IF NOT EXISTS t ON CLUSTER 'prod' AS t_local "
        "ENGINE = Distributed('prod', 'mastra', 't_local', cityHash64(trace_id))"
    )
    plain, _ = spread([TABLE], Topology("prod", False, "mastra"))
    assert "ENGINE = ReplacingMergeTree(version)" in plain


def test_a_view_to_read_from_reads_its_own_shard() -> None:
    *_, local, above = spread([TABLE, VIEW], CLUSTER)
    assert local == "CREATE VIEW IF NOT EXISTS v_local ON CLUSTER 'prod' AS\nSELECT * FROM t_local FINAL"
    assert above.endswith("v ON CLUSTER 'prod' AS v_local ENGINE = Distributed('prod', 'mastra', 'v_local')")


def test_a_view_that_fills_a_table_looks_on_all_shards_and_sends_along_what_it_looks_for() -> None:
    *_, filling = spread([TABLE, FILLING], CLUSTER)
    assert filling.startswith("CREATE MATERIALIZED VIEW IF NOT EXISTS f ON CLUSTER 'prod' TO t AS\n")
    assert "x GLOBAL NOT IN\n(\n    SELECT x FROM t\n)" in filling


def test_the_whole_schema_stands_on_every_node() -> None:
    one, many = schema.list_statements(90), schema.list_statements(90, CLUSTER)
    assert all(MADE.match(text) for text in many)
    for name in map(find_name, filter(is_kept, one)):
        assert {name, f"{name}_local"} <= {find_name(text) for text in many}
    looking = [text for text in many if text.startswith("CREATE MATERIALIZED VIEW")]
    assert not any(re.search(r"(?<!GLOBAL )(?<!GLOBAL NOT )\bIN\s*\(\s*SELECT", text) for text in looking)
    assert all("cityHash64(" in text for text in many if "ENGINE = Distributed" in text and not is_a_view_of(text, one))


def is_a_view_of(statement: str, one: list[str]) -> bool:
    return f"CREATE VIEW IF NOT EXISTS {find_name(statement)} " in "\n".join(one)


def test_all_rows_of_a_trace_and_all_copies_of_a_line_go_to_one_shard() -> None:
    text = "\n".join(schema.list_statements(90, CLUSTER))
    keys = dict(re.findall(r"Distributed\('prod', 'mastra', 'mastra_admin_(\w+)_local', (.+)\)", text))
    assert keys["spans_finished"] == keys["spans_open"] == "cityHash64(trace_id)"
    assert keys["logs"] == keys["scores"] == "cityHash64(if(trace_id = '', id, trace_id))"
    assert keys["rejects"] == "cityHash64(key)"


@pytest.mark.parametrize("replicated", [True, False], ids=["replicas", "no-replicas"])
def test_what_keeps_nothing_is_dropped_with_what_stands_above_it(replicated: bool) -> None:
    statements = schema.list_statements(90, Topology("prod", replicated, "mastra"))
    stations = schema.list_stations(statements)
    assert stations[0] == "mastra_admin_span_lines"
    assert {"mastra_admin_spans", "mastra_admin_spans_local", "mastra_admin_logs"} <= set(stations)
    assert not {f"{find_name(text)}_local" for text in schema.list_statements(90) if is_kept(text)} & set(stations)


def test_a_migration_alters_the_part_on_each_shard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "MIGRATIONS", {9: ("ALTER TABLE {{mastra_admin_logs}} ADD COLUMN x String",)})
    assert schema.list_migration(9) == ["ALTER TABLE mastra_admin_logs ADD COLUMN x String"]
    assert schema.list_migration(9, CLUSTER) == [
        "ALTER TABLE mastra_admin_logs_local ON CLUSTER 'prod' ADD COLUMN x String"
    ]


@pytest.mark.parametrize("name", ["it's", "a b", "x; DROP", "{cluster", "`x`"])
def test_what_can_not_be_a_cluster_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="name of a ClickHouse cluster"):
        ClickHouseStore("clickhouse://db/mastra", cluster=name)


def test_a_cluster_may_be_a_macro_and_needs_a_server() -> None:
    assert Topology("{cluster}").on_cluster == " ON CLUSTER '{cluster}'"
    with pytest.raises(InvalidInput, match="needs the URL"):
        ClickHouseStore(home="/nowhere", cluster="prod")


# --- retention --------------------------------------------------------------------------------------------------------


def test_signals_are_kept_as_long_as_all_or_as_they_say() -> None:
    retention = Retention(30, {"logs": 14, "scores": 0})
    assert [retention.find(signal) for signal in Signal] == [30, 14, 30, 0, 30, 30]
    made = "\n".join(schema.list_statements(retention))
    lives = dict(re.findall(r"EXISTS mastra_admin_(\w+)\n\([^;]*?\)\nENGINE[^;]*?INTERVAL (\d+) DAY", made))
    assert lives["logs"] == "14"
    assert lives["spans_finished"] == lives["metrics"] == lives["rejects"] == "30"
    assert "kind = 'score', toDateTime64('1970-01-02', 3, 'UTC')" in made


@pytest.mark.parametrize(
    ("days", "signals", "text"),
    [
        (-1, {}, "Telemetry can't be kept for -1 days"),
        (MAX_DAYS + 1, {}, "can't be kept for 10001 days"),
        (90, {"logs": -1}, "Logs can't be kept for -1 days"),
        (90, {"logs": True}, "Logs can't be kept for True days"),
        (90, {"log": 5}, "no signal 'log'"),
    ],
    ids=["negative", "beyond-2106", "negative-signal", "flag", "misspelt"],
)
def test_days_that_can_not_be_are_refused(days: int, signals: dict[str, int], text: str) -> None:
    with pytest.raises(InvalidInput, match=text) as caught:
        ClickHouseStore("clickhouse://db", retention_days=days, retention=signals)
    assert caught.value.hint


def test_settings_say_where_telemetry_is_and_how_long_it_stays(tmp_path: Path) -> None:
    settings = load_settings(
        {"home": str(tmp_path), "telemetry_days": 30},
        {
            "MASTRA_ADMIN_TELEMETRY_DAYS_LOGS": "14",
            "MASTRA_ADMIN_CLICKHOUSE_URL": "clickhouse://db/mastra",
            "MASTRA_ADMIN_CLICKHOUSE_CLUSTER": "prod",
            "MASTRA_ADMIN_CLICKHOUSE_REPLICATED": "no",
        },
    )
    store = make_observability(open_home(settings.home), settings)
    assert isinstance(store, ClickHouseStore)
    assert store._retention == Retention(30, {"logs": 14})
    assert store._topology == Topology("prod", False, "mastra")
