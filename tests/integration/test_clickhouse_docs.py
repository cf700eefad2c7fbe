"""What docs/clickhouse.md shows is run as it stands there, on a server and as a cluster."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fixtures import clickhouse
from fixtures.clickhouse import CLUSTER, Target, new_database, run_node, run_sql
from fixtures.docs import check_defaults, read_page

from mastra_admin_sdk.adapters.observability.clickhouse import addresses, migration, topology

PAGE = read_page("clickhouse")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with run_node(tmp_path_factory.mktemp("node")) as target:
        yield target


@pytest.mark.slow  # the schema is made three times
def test_the_samples_run(node: Target) -> None:
    assert len(PAGE.samples) == 3
    names: dict[str, object] = {"cluster": CLUSTER, "replicated": False}
    for sample in PAGE.samples:
        with new_database(node) as target:
            page = replace(PAGE, text=f"```python\n{sample}```")
            names = page.run_all(names | {"url": target.url})
            assert run_sql(target, "EXISTS TABLE mastra_admin_spans_finished") in ([], [(1,)])


def test_clickhouse_understands_the_statements(node: Target) -> None:
    for sql in re.findall(r"```sql\n(.*?)```", PAGE.text, re.DOTALL):
        for statement in filter(str.strip, sql.split(";\n")):
            run_sql(node, f"EXPLAIN AST {statement}")


def test_settings_that_are_named_exist_with_the_defaults_that_are_said() -> None:
    # Variables that only tests read are compared with what reads them, below.
    check_defaults(replace(PAGE, text=PAGE.text.replace("MASTRA_ADMIN_TEST_", "TEST_")))


def test_arguments_in_the_url_are_those_of_the_driver() -> None:
    url = "clickhouse://me:pw@db/x?secure=true&ca_certs=/ca.pem&certfile=/c&keyfile=/k&verify=false"
    address = addresses.parse_address(f"{url}&alt_hosts=second:9000,third:9000&connect_timeout=3&max_threads=4")
    assert (address.port, address.settings) == (9440, {"max_threads": "4"})
    assert address.more == {
        "secure": True, "ca_certs": "/ca.pem", "certfile": "/c", "keyfile": "/k", "verify": False,
        "alt_hosts": "second:9000,third:9000", "connect_timeout": 3.0,
    }  # fmt: skip


def test_names_and_numbers_are_those_of_the_code() -> None:
    assert f"ClickHouse {'.'.join(map(str, migration.MIN_SERVER))} or newer" in PAGE.text
    assert f"mastra_admin_logs{topology.LOCAL}" in PAGE.text
    for name in re.findall(r"export (MASTRA_ADMIN_TEST_\w+)=", PAGE.text):
        assert name in Path(clickhouse.__file__).read_text(encoding="utf-8")
