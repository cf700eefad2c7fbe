"""What a statement may do, judged from the text that ClickHouse prints for it."""

from __future__ import annotations

import pytest

from mastra_admin_sdk.adapters.observability.clickhouse.embedded.statements import (
    Insert,
    Kind,
    Refused,
    check_reads_inside,
    classify,
    list_outside,
    parse_insert,
)

OUTSIDE = list_outside(["file", "url", "numbers", "view", "values", "input", "s3", "brandNew", "format"])


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("SELECT 1", Kind.SELECT),
        ("WITH x AS (SELECT 1) SELECT * FROM x", Kind.SELECT),
        ("(SELECT 1)", Kind.SELECT),
        ("SELECT format FROM t", Kind.SELECT),
        ("SELECT 1 AS format", Kind.SELECT),
        ("SELECT x FROM t AS format SETTINGS a = 1", Kind.SELECT),
        ("SELECT format('{}', x) FROM t", Kind.SELECT),
        ("SELECT 'INTO OUTFILE' FROM t", Kind.SELECT),
        ("SELECT 'it\\'s FORMAT JSON'", Kind.SELECT),
        ("SHOW TABLES", Kind.SHOW),
        ("DESCRIBE TABLE t", Kind.SHOW),
        ("EXPLAIN SELECT 1", Kind.SHOW),
        ("EXISTS TABLE t", Kind.SHOW),
        ("CREATE TABLE t (a Int8) ENGINE = Memory", Kind.CHANGE),
        ("ALTER TABLE t DELETE WHERE 1", Kind.CHANGE),
        ("INSERT INTO t SELECT 1", Kind.CHANGE),
        ("DROP TABLE t", Kind.CHANGE),
    ],
)
def test_statements_are_told_apart(sql: str, kind: Kind) -> None:
    assert classify(sql) is kind


@pytest.mark.parametrize(
    "sql",
    [
        "SET readonly = 0",
        "USE system",
        "KILL QUERY WHERE 1",
        "EXECUTE AS a SELECT 1",
        "GRANT SELECT ON *.* TO a",
        "SELECT 1 INTO OUTFILE 'x'",
        "SELECT 1 PARALLEL WITH SELECT 2",
        "",
    ],
)
def test_what_nobody_may_run_is_refused(sql: str) -> None:
    with pytest.raises(Refused):
        classify(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT input, output, lower(input) FROM mastra_admin_spans",
        "SELECT t.file, t.url FROM t",
        "SELECT * FROM numbers(3)",
        "SELECT * FROM view(SELECT 1)",
        "SELECT 'file(x)', \"url\" FROM t",
        "SELECT url FROM t WHERE url IN ('a')",
        "SELECT format('{}', a) FROM t",
        "SELECT airport, aisle(1) FROM t",
    ],
)
def test_queries_of_what_is_stored_pass(sql: str) -> None:
    check_reads_inside(sql, OUTSIDE)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM file('x')",
        "SELECT * FROM `file`('x')",
        "SELECT * FROM FILE ('x')",
        "SELECT file('x')",
        "SELECT arrayMap(file, ['x'])",
        "SELECT * APPLY file FROM t",
        "SELECT * FROM url('http://x')",
        "SELECT * FROM s3('x')",
        "SELECT * FROM brandNew('x')",
        "SELECT aiGenerate('x')",
        "SELECT AIClassify('x')",
        "SELECT showCertificate()",
    ],
)
def test_what_reaches_outside_is_refused(sql: str) -> None:
    with pytest.raises(Refused, match="is refused"):
        check_reads_inside(sql, OUTSIDE)


@pytest.mark.parametrize(
    ("sql", "insert"),
    [
        ("INSERT INTO t (a, b) VALUES", Insert("t", ("a", "b"))),
        ("insert into mastra.`t`(`a`) values ;", Insert("mastra.t", ("a",))),
        ("INSERT INTO t FORMAT Native", Insert("t", ())),
        ("INSERT INTO t SELECT 1", None),
        ("INSERT INTO t VALUES (1)", None),
        ("INSERT INTO FUNCTION file('x') VALUES", None),
        ("INSERT INTO t (a) VALUES; DROP TABLE t", None),
        ("SELECT 1", None),
    ],
)
def test_only_inserts_whose_data_follows_are_inserts(sql: str, insert: Insert | None) -> None:
    assert parse_insert(sql) == insert
