"""Which series are columns of ``host_metrics``: only those whose name says exactly what the column holds.

Shares become permille, and rates bytes a second. Counters become rates between two points of a series; after a restart
of the counter there is none. Series of one host are put together as their rule says.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import polars as pl

from transforms.raw.metrics.format import POINTS

PER_CENT, PER_ONE, KIB, BLOCK = 10.0, 1_000.0, 1_024.0, 512.0


@dataclass(frozen=True)
class Rule:
    """The meaning of the metrics with one form of name.

    Attributes:
        pattern: regular expression of the whole name.
        column: column of ``host_metrics``.
        factor: units of the column in one of the metric.
        offset: value of the column where the metric is 0: 1,000 for the idle share.
        is_counter: whether the metric is a sum since a start, of which the rate a second counts.
        combine: how the series of one host become one number.
        has_port: whether the entity's port is that of an exporter on the host.
    """

    pattern: str
    column: str
    factor: float = 1.0
    offset: float = 0.0
    is_counter: bool = False
    combine: Literal["sum", "mean", "max"] = "sum"
    has_port: bool = False


def _node(name: str, column: str, *, labels: str = "", **how: object) -> Rule:
    """A rule for a metric of Prometheus' node exporter; with a pattern of labels, there must be labels."""
    braces = r"\{" + labels + r".*\}"
    return Rule(f"{name}(?:{braces}){'' if labels else '?'}", column, has_port=True, **how)  # type: ignore[arg-type]


_NOT_LO = r'(?!.*device="lo")'

RULES = (
    Rule("cpu_permille|memory_permille|disk_permille|network_in|network_out|disk_io|connections", ""),
    Rule("%idle", "cpu_permille", -PER_CENT, 1_000.0, combine="mean"),
    Rule("%memused", "memory_permille", PER_CENT, combine="mean"),
    Rule("rxkB/s IFACE (?!lo$).+", "network_in", KIB),
    Rule("txkB/s IFACE (?!lo$).+", "network_out", KIB),
    Rule("bread/s|bwrtn/s", "disk_io", BLOCK),
    Rule("tcpsck", "connections"),
    Rule("(?:CPUUtilization|cpu_usage_active)(?: Average)?", "cpu_permille", PER_CENT, combine="mean"),
    Rule("(?:MemoryUtilization|mem_used_percent)(?: Average)?", "memory_permille", PER_CENT, combine="mean"),
    Rule("disk_used_percent(?: Average)?", "disk_permille", PER_CENT, combine="max"),
    Rule("netstat_tcp_established(?: Average)?", "connections"),
    Rule("cpu/percent-idle", "cpu_permille", -PER_CENT, 1_000.0, combine="mean"),
    Rule("memory/percent-used", "memory_permille", PER_CENT, combine="mean"),
    Rule("df-root/percent_bytes-used", "disk_permille", PER_CENT),
    _node(
        "node_cpu_seconds_total",
        "cpu_permille",
        labels='(?=.*mode="idle")',
        factor=-PER_ONE,
        offset=1_000.0,
        is_counter=True,
        combine="mean",
    ),
    _node("instance:node_cpu_utilisation:rate(?:1m|5m)", "cpu_permille", factor=PER_ONE, combine="mean"),
    _node("instance:node_memory_utilisation:ratio", "memory_permille", factor=PER_ONE, combine="mean"),
    _node("node_network_receive_bytes_total", "network_in", labels=_NOT_LO, is_counter=True),
    _node("node_network_transmit_bytes_total", "network_out", labels=_NOT_LO, is_counter=True),
    _node("instance:node_network_receive_bytes_excluding_lo:rate(?:1m|5m)", "network_in"),
    _node("instance:node_network_transmit_bytes_excluding_lo:rate(?:1m|5m)", "network_out"),
    _node("node_disk_(?:read|written)_bytes_total", "disk_io", is_counter=True),
    _node("node_netstat_Tcp_CurrEstab", "connections"),
)
"""The first rule whose pattern is the whole name counts. One without a column is for the columns' own names."""


def of_hosts(points: pl.DataFrame, measures: Mapping[str, str]) -> tuple[pl.DataFrame, list[str]]:
    """The points of the metrics that a rule matches, and the names of the others.

    Args:
        points: (n, 4) ``POINTS``.
        measures: metric → measure, as in ``Readings``; a ratio is given back as per cent where the rule has per cent.
    """
    factors, others = {}, []
    for metric in points.filter(pl.col("value").is_not_null())["metric"].unique(maintain_order=True):
        rule = _rule(metric)
        if rule is None:
            others.append(metric)
        else:
            is_ratio = measures.get(metric) == "ratio" and abs(rule.factor) == PER_CENT
            factors[metric] = 100.0 if is_ratio else 1.0
    known = points.filter(pl.col("metric").is_in(list(factors)), pl.col("value").is_not_null())
    factor = pl.col("metric").replace_strict(factors, default=1.0, return_dtype=pl.Float64)
    return known.with_columns(value=pl.col("value") * factor), others


def host_columns(points: pl.DataFrame) -> pl.DataFrame:
    """Points of the columns of ``host_metrics``, in their units, of points that ``of_hosts`` returned.

    A point that is there twice counts once.
    """
    by_rule: dict[Rule, list[pl.DataFrame]] = {}
    for part in points.unique(["entity", "metric", "time"], keep="last", maintain_order=True).partition_by("metric"):
        if rule := _rule(part["metric"][0]):
            by_rule.setdefault(rule, []).append(_rates(part) if rule.is_counter else part)
    parts = [pl.DataFrame(schema=POINTS)]
    for rule, series in by_rule.items():
        who = pl.col("entity").str.replace(r":\d+$", "") if rule.has_port else pl.col("entity")
        column = pl.lit(rule.column) if rule.column else pl.col("metric")
        values = pl.concat(series).with_columns(who, column.alias("metric"))
        combined = {"sum": pl.col("value").sum(), "mean": pl.col("value").mean(), "max": pl.col("value").max()}
        value = combined[rule.combine] * rule.factor + rule.offset
        parts.append(values.group_by("entity", "metric", "time", maintain_order=True).agg(value))
    return pl.concat(parts)


def _rule(metric: str) -> Rule | None:
    return next((rule for rule in RULES if re.fullmatch(rule.pattern, metric)), None)


def _rates(points: pl.DataFrame) -> pl.DataFrame:
    """The rate a second to each point of a counter from the one before, of each entity."""
    seconds = pl.col("time").diff().dt.total_microseconds() / 1e6
    rates = points.sort("entity", "time").with_columns(value=(pl.col("value").diff() / seconds).over("entity"))
    return rates.filter(pl.col("value") >= 0)
