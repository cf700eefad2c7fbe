"""Tokens and what they cost, by groups."""

from __future__ import annotations

from mastra_admin_sdk.adapters.observability.clickhouse.parameters import Statement
from mastra_admin_sdk.ports.observability import USAGE_MEASURES, Grouping, TelemetryFilter

from .conditions import SPANS, Conditions, match, match_around, match_fields
from .grouping import make_groups, order_groups
from .lists import list_sources
from .prices import bind_prices, find_price, multiply
from .selections import limit_to, list_expressions, make_statement, pick_columns
from .traces import MARGIN

_ORDERS = {"most": "total_tokens DESC"}
_WITH_TOKENS = "(isNotNull(input_tokens) OR isNotNull(output_tokens))"


def build_usage(filters: TelemetryFilter, grouping: Grouping, *, running: bool = True) -> Statement:
    """Return tokens and cost. Prices are looked up for each model of a group, not for each span."""
    groups = make_groups(grouping, "start_time")
    columns = pick_columns(filters, (*groups.names, *USAGE_MEASURES))
    tables = list_sources(filters.status, running)
    conditions = match(SPANS, filters)
    counted = conditions + _count_once(filters, list_sources(None, running))
    order = order_groups(filters, groups, _ORDERS)
    # Other names inside: a group may be called as a column of which another is made.
    inner = ", ".join(f"{groups.expressions[name]} AS group_{name}" for name in groups.names)
    keys = ", ".join(f"group_{name}" for name in groups.names)
    head = f"{inner}, " if inner else ""
    parts = " UNION ALL ".join(
        f"SELECT {head}model, provider, input_tokens, output_tokens FROM {table}{counted.where}" for table in tables
    )
    names = f"{keys}, " if keys else ""
    by_model = (
        f"SELECT {names}model, provider, count() AS n, sum(input_tokens) AS i, sum(output_tokens) AS o "
        f"FROM ({parts}) GROUP BY {names}model, provider"
    )
    cost = multiply("price", "i", "o") if filters.prices else "CAST(NULL, 'Nullable(Float64)')"
    priced = f"SELECT *, {find_price(filters.prices)} AS price, {cost} AS money FROM ({by_model})"
    outer = ", ".join(f"group_{name} AS {name}" for name in groups.names)
    sql = (
        f"SELECT {list_expressions(columns)} FROM (SELECT {f'{outer}, ' if outer else ''}{_MEASURES} FROM ({priced})"
        f"{f' GROUP BY {keys}' if keys else ' HAVING count > 0'}) ORDER BY {order}{limit_to(filters)}"
    )
    return make_statement(sql, {**counted.values, **groups.values, **bind_prices(filters.prices)})


def _count_once(filters: TelemetryFilter, tables: tuple[str, ...]) -> Conditions:
    """Return the condition that the tokens of a span are no repetition of those of a generation in its trace."""
    fields = {name: SPANS.fields[name] for name in ("project_id", "trace_id")}
    within = match_fields(fields, filters) + match_around(filters, "start_time", MARGIN)
    where = (within + Conditions(("type = 'model_generation'", _WITH_TOKENS))).where
    generations = " UNION ALL ".join(f"SELECT trace_id FROM {table}{where}" for table in tables)
    once = f"(type = 'model_generation' OR trace_id NOT IN ({generations}))"
    return Conditions((_WITH_TOKENS, once), within.values)


_MEASURES = """sum(n) AS count,
    sum(i) AS input_tokens,
    sum(o) AS output_tokens,
    ifNull(sum(i), 0) + ifNull(sum(o), 0) AS total_tokens,
    if(countIf(price = 0) > 0, NULL, sum(money)) AS cost"""
