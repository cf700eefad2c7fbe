"""Small parts of the engine that need no engine: its log, versions, blocks of text, and what is said of errors."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
from clickhouse_driver import Client
from clickhouse_driver.errors import ServerException

from mastra_admin_sdk.adapters.observability.clickhouse import inserts
from mastra_admin_sdk.adapters.observability.clickhouse.embedded import server, sessions, upgrade
from mastra_admin_sdk.adapters.observability.clickhouse.embedded.blocks import encode_text_block
from mastra_admin_sdk.adapters.observability.clickhouse.embedded.logfile import EngineLog
from mastra_admin_sdk.adapters.observability.clickhouse.embedded.record import EngineRecord
from mastra_admin_sdk.adapters.observability.clickhouse.embedded.sessions import EngineError
from mastra_admin_sdk.adapters.observability.clickhouse.embedded.settings import refuse_settings, take_parameters
from mastra_admin_sdk.adapters.observability.clickhouse.embedded.statements import keeps_columns, leave_out_format
from mastra_admin_sdk.adapters.observability.clickhouse.translation import make_query_error
from mastra_admin_sdk.errors import EngineUnavailable

if TYPE_CHECKING:
    from mastra_admin_sdk.adapters.observability.clickhouse.embedded.connection import Engine

RECORD = EngineRecord(1, "boot", 2, 3, "26.9.2.1", 0.0, "o", "r", package=upgrade.PACKAGE, contract=1)


# --- the log ----------------------------------------------------------------------------------------------------------


def test_a_long_log_moves_to_a_second_file_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "engine.log"
    with path.open("ab", buffering=0) as file:
        log = EngineLog(path, max_bytes=100)
        file.write(b"short\n")
        assert log.rotate() is False
        file.write(b"x" * 200 + b"\n")
        assert log.rotate() is True
        file.write(b"after\n")
        log.close()
    assert path.read_bytes() == b"after\n"
    assert (tmp_path / "engine.log.1").read_bytes() == b"short\n" + b"x" * 200 + b"\n"
    assert all(os.stat(each).st_mode & 0o77 == 0 for each in tmp_path.glob("engine.log.*"))


# --- versions ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("package", "version", "outdated"),
    [
        (upgrade.PACKAGE, "99.1.1", False),
        ("0", "99.1.1", True),
        ("99.0", "99.1.1", False),
        (upgrade.PACKAGE, "20.1.1", True),
    ],
    ids=["same", "older-package", "newer-package", "older-chdb"],
)
def test_an_engine_is_outdated_when_package_or_chdb_are_older(package: str, version: str, outdated: bool) -> None:
    assert upgrade.is_outdated(replace(RECORD, package=package, version=version)) is outdated


def test_an_engine_of_a_newer_contract_is_refused() -> None:
    upgrade.check_usable(RECORD)
    with pytest.raises(EngineUnavailable, match="can't use it"):
        upgrade.check_usable(replace(RECORD, contract=99))


def test_a_data_folder_tells_which_chdb_opened_it(tmp_path: Path) -> None:
    assert upgrade.read_version(tmp_path) == "0"
    upgrade.check_data(tmp_path)
    upgrade.write_version(tmp_path, "26.9.2.1")
    assert upgrade.read_version(tmp_path) == "26.9.2.1"
    upgrade.write_version(tmp_path, "99.1")
    with pytest.raises(EngineUnavailable, match=r"last opened by chDB 99\.1"):
        upgrade.check_data(tmp_path)


@pytest.mark.parametrize(
    ("older", "newer"), [("0.1.0", "0.2"), ("0.9.1", "0.10.0"), ("1.2", "1.2.1"), ("0", "0.0.1"), ("", "1")]
)
def test_versions_are_compared_by_their_numbers(older: str, newer: str) -> None:
    assert upgrade.parse_version(older) < upgrade.parse_version(newer)


# --- statements -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("canonical", "plain"),
    [
        ("SELECT 1 FORMAT JSON", "SELECT 1"),
        ("SELECT 1 FORMAT `Null`", "SELECT 1"),
        ("SELECT 1 FORMAT JSON SETTINGS max_threads = 1", "SELECT 1 SETTINGS max_threads = 1"),
        ("SHOW TABLES FORMAT TSV", "SHOW TABLES"),
        ("SELECT format FROM t", "SELECT format FROM t"),
        ("SELECT 'x FORMAT JSON'", "SELECT 'x FORMAT JSON'"),
        ("SELECT a FROM t ORDER BY format ASC", "SELECT a FROM t ORDER BY format ASC"),
        ("SELECT 1 AS FORMAT", "SELECT 1 AS FORMAT"),
    ],
)
def test_a_format_is_for_the_client_and_left_out(canonical: str, plain: str) -> None:
    assert leave_out_format(canonical) == plain


@pytest.mark.parametrize(
    ("canonical", "keeps"),
    [
        ("ALTER TABLE t (DELETE WHERE a IN (SELECT b FROM c))", True),
        ("ALTER TABLE t DELETE WHERE 1", True),
        ("ALTER TABLE m.t (DROP PARTITION '202601')", True),
        ("INSERT INTO t SELECT 1", True),
        ("OPTIMIZE TABLE t FINAL", True),
        ("ALTER TABLE t (ADD COLUMN `a` UInt8)", False),
        ("ALTER TABLE t (DELETE WHERE 1), (DROP COLUMN a)", False),
        ("ALTER TABLE t (MODIFY COLUMN `a` String)", False),
        ("CREATE TABLE t (`a` UInt8) ENGINE = Memory", False),
        ("DROP VIEW t", False),
        ("RENAME TABLE a TO b", False),
    ],
)
def test_changes_of_rows_alone_are_told_from_changes_of_columns(canonical: str, keeps: bool) -> None:
    assert keeps_columns(canonical) is keeps


def test_inserts_need_no_setting_that_the_session_has_not_anyway() -> None:
    ours = {name: str(value) for name, value in inserts._SETTINGS.items()}
    assert ours.items() <= sessions._WRITER_SETTINGS.items()


def test_settings_are_values_known_or_refused() -> None:
    settings = {"param_x": "5", "readonly": "1", "max_execution_time": "3"}
    assert take_parameters(settings) == {"x": "5"}
    refuse_settings(settings)
    with pytest.raises(EngineError, match="Cannot modify a, b in readonly mode"):
        refuse_settings({**settings, "b": "1", "a": "1"})


def test_a_block_of_text_has_names_types_and_rows() -> None:
    expected = b"\x02\x02" + b"\x01a\x06String\x01x\x01y" + b"\x01b\x06String\x00\x02zz"
    assert encode_text_block({"a": ["x", "y"], "b": ["", "zz"]}) == expected


# --- connections ------------------------------------------------------------------------------------------------------


def test_one_client_too_many_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_CLIENTS", 0)
    serving = server.Server(cast("Engine", None), idle_seconds=0)
    thread = threading.Thread(target=serving.serve)
    thread.start()
    try:
        with (
            Client("127.0.0.1", port=serving.port) as client,
            pytest.raises(ServerException, match="connected already"),
        ):
            client.execute("SELECT 1")
    finally:
        serving.stop()
        thread.join()


def test_an_engine_that_is_asked_to_ends_when_it_answers_nothing() -> None:
    serving = server.Server(cast("Engine", None), idle_seconds=0)
    with serving._busy():
        serving.retire()
        assert not serving._is_idle()
    assert serving._is_idle()
    serving.serve()


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (
            "Syntax error: failed at position 12 (c): c d FROM x. Expected one of: token, Comma, FROM, end of query: "
            "In scope SELECT formatQuerySingleLine('SELECT a b c d FROM x'). (SYNTAX_ERROR). Stack trace:\n",
            "Syntax error: failed at position 12 (c): c d FROM x. (SYNTAX_ERROR)",
        ),
        (
            "Syntax error: failed at position 9 (end of query): . Expected one of: ALL, (, list. (SYNTAX_ERROR)",
            "Syntax error: failed at position 9 (end of query). (SYNTAX_ERROR)",
        ),
        (
            "Unknown table expression identifier 'a'. Maybe you meant b? In scope SELECT (1) FROM a. (UNKNOWN_TABLE)",
            "Unknown table expression identifier 'a'. Maybe you meant b? (UNKNOWN_TABLE)",
        ),
        (
            "boom: while executing 'FUNCTION throwIf(equals(x, 3) :: 0) -> y UInt8 : 1'. (FUNCTION_THROW_IF)",
            "boom. (FUNCTION_THROW_IF)",
        ),
        (
            "Memory limit: would use 1.15 GiB. (MEMORY_LIMIT_EXCEEDED)",
            "Memory limit: would use 1.15 GiB. (MEMORY_LIMIT_EXCEEDED)",
        ),
        ("x" * 5000, "x" * 500 + " …"),
        ("", "no reason was given"),
    ],
    ids=["syntax", "end", "scope", "executing", "memory", "long", "empty"],
)
@pytest.mark.parametrize(
    "prefix", ["", "DB::Exception: ", "Streaming query failed: Code: 62. DB::Exception: Code: 62. DB::Exception: "]
)
def test_an_error_says_what_is_wrong_without_the_parsers_lists(message: str, text: str, prefix: str) -> None:
    assert make_query_error("The query", "SELECT 1", 62, prefix + message).message == f"The query failed: {text}"


def test_who_is_refused_a_statement_is_not_named() -> None:
    told = "reader: Cannot execute query in readonly mode."
    for prefix in ("", "Code: 164. DB::Exception: "):
        message = make_query_error("The query", "DROP TABLE t", 164, prefix + told).message
        assert message == "The query failed: Cannot execute query in readonly mode"
