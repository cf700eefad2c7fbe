"""What stands where: one machine, or a cluster with a part of every table on each shard.

The statements of schema.sql are written for one machine. On a cluster

- a table that keeps rows becomes ``…_local`` on every shard, replicated by Keeper, and a Distributed table of its name
  above them. All rows of a trace, and every copy of one line, go to the same shard: what replaces each other meets.
- a table that keeps nothing and the views that fill tables stand on every node: a chunk goes through them on the node
  it was sent to, and only the rows are spread, into the Distributed tables. What is looked up in a Distributed table is
  sent along (``GLOBAL``): the chunk is known to that node alone.
- a view to read from becomes ``…_local``, which reads what is on its shard, and a Distributed table above it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mastra_admin_sdk.errors import InvalidInput

LOCAL = "_local"
KEEPER_PATH = "/clickhouse/tables/{cluster}/{{database}}/{{table}}/{{shard}}"
"""Where replicas of a table find each other; the macros ``shard`` and ``replica`` are set on each node.

Names and not ``{uuid}``: on a node that is added later the table has another UUID, and would stay alone.
"""

_CREATE = re.compile(r"(CREATE (?P<kind>TABLE|VIEW|MATERIALIZED VIEW) IF NOT EXISTS )(?P<name>\w+)")
_ENGINE = re.compile(r"ENGINE = (?P<name>(?:Replacing|Summing|Aggregating)?MergeTree)(?:\((?P<arguments>[^()]*)\))?")
_LOOK_UP = re.compile(r"\b((?:NOT )?IN\s*\(\s*SELECT)\b")


@dataclass(frozen=True, slots=True)
class Topology:
    """Where the tables are.

    Parameters:
        cluster: name of a cluster in the server's configuration, or a macro such as ``{cluster}``; empty: one machine.
        replicated: whether the shards of the cluster have replicas, which takes Keeper; without, each is one machine.
        database: the database of the tables.

    Raises:
        InvalidInput: this can't be the name of a cluster.
    """

    cluster: str = ""
    replicated: bool = True
    database: str = "default"

    def __post_init__(self) -> None:
        if self.cluster and not re.fullmatch(r"[\w.-]+|\{\w+\}", self.cluster):
            raise InvalidInput(
                f"{self.cluster!r} can't be the name of a ClickHouse cluster.",
                hint="SELECT cluster FROM system.clusters lists the names that a server knows.",
            )

    @property
    def on_cluster(self) -> str:
        """What stands after the name of a table in a definition."""
        return f" ON CLUSTER '{self.cluster}'" if self.cluster else ""

    def find_kept(self, table: str) -> str:
        """Return the name by which a table that keeps rows is altered, with the clause that reaches all its shards."""
        return f"{table}{LOCAL}{self.on_cluster}" if self.cluster else table

    def describe(self) -> str:
        """Return what has to be the same for everybody who uses a store."""
        if not self.cluster:
            return ""
        return f"{self.cluster}{'' if self.replicated else ' without replicas'}"


ONE_MACHINE = Topology()


def spread(statements: Iterable[str], topology: Topology) -> list[str]:
    """Return the statements that make on a cluster what these make on one machine; on one machine the same."""
    if not topology.cluster:
        return list(statements)
    listed = list(statements)
    local = [find_name(text) for text in listed if is_kept(text) or _is_plain_view(text)]
    return [made for text in listed for made in _spread(text, local, topology)]


def is_kept(statement: str) -> bool:
    """Tell whether a statement makes a table that keeps rows."""
    return statement.startswith("CREATE TABLE") and re.search(r"ENGINE = \w*MergeTree\b", statement) is not None


def find_name(statement: str) -> str:
    """Return the name of what a statement makes."""
    match = _CREATE.match(statement)
    if match is None:
        raise ValueError(f"This makes nothing: {statement[:80]}")
    return match["name"]


def _is_plain_view(statement: str) -> bool:
    return statement.startswith("CREATE VIEW")


def _spread(statement: str, local: list[str], topology: Topology) -> Iterator[str]:
    name = find_name(statement)
    if is_kept(statement):
        yield _rename(_replicate(statement, topology), name + LOCAL, topology)
        yield _distribute(name, _find_sharding_key(statement), topology)
    elif _is_plain_view(statement):
        yield _rename(_point(statement, local), name + LOCAL, topology)
        yield _distribute(name, "", topology)
    else:
        yield _rename(_LOOK_UP.sub(r"GLOBAL \1", statement), name, topology)


def _rename(statement: str, name: str, topology: Topology) -> str:
    return _CREATE.sub(lambda match: f"{match[1]}{name}{topology.on_cluster}", statement, count=1)


def _point(statement: str, local: list[str]) -> str:
    names = "|".join(sorted(local, key=len, reverse=True))
    return re.sub(rf"\b({names})\b", rf"\1{LOCAL}", statement)


def _replicate(statement: str, topology: Topology) -> str:
    if not topology.replicated:
        return statement
    path = KEEPER_PATH.format(cluster=topology.cluster)

    def replace(match: re.Match[str]) -> str:
        arguments = [f"'{path}'", "'{replica}'", *([match["arguments"]] if match["arguments"] else [])]
        return f"ENGINE = Replicated{match['name']}({', '.join(arguments)})"

    return _ENGINE.sub(replace, statement, count=1)


def _distribute(name: str, sharding_key: str, topology: Topology) -> str:
    parts = [topology.cluster, topology.database, name + LOCAL]
    arguments = [*(quote(part) for part in parts), *([sharding_key] if sharding_key else [])]
    return (
        f"CREATE TABLE IF NOT EXISTS {name}{topology.on_cluster} AS {name}{LOCAL} "
        f"ENGINE = Distributed({', '.join(arguments)})"
    )


def _find_sharding_key(statement: str) -> str:
    columns = set(re.findall(r"^\s*(\w+) ", statement.partition("ENGINE")[0], re.MULTILINE))
    if {"trace_id", "id"} <= columns:
        return "cityHash64(if(trace_id = '', id, trace_id))"
    if "trace_id" in columns:
        return "cityHash64(trace_id)"
    return "cityHash64(key)" if "key" in columns else "0"


def quote(text: str) -> str:
    """Return a text as a string in SQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
