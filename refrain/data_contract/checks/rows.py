"""Counts rows by their values in one pass: missing ones, ones out of range, repetitions, metrics of the library."""

from collections.abc import Callable, Iterator
from typing import Any

import polars as pl

from refrain.data_contract.result import Result, Subject
from transforms.data_contracts.document import Rule
from transforms.data_contracts.names import METRICS
from transforms.data_contracts.row_rules import is_counted, is_row_rule, row_rules

_COMPARISONS: dict[str, Callable[[float, Any], bool]] = {
    "mustBe": lambda value, limit: value == limit,
    "mustNotBe": lambda value, limit: value != limit,
    "mustBeGreaterThan": lambda value, limit: value > limit,
    "mustBeGreaterOrEqualTo": lambda value, limit: value >= limit,
    "mustBeLessThan": lambda value, limit: value < limit,
    "mustBeLessOrEqualTo": lambda value, limit: value <= limit,
    "mustBeBetween": lambda value, limit: limit[0] <= value <= limit[1],
    "mustNotBeBetween": lambda value, limit: not limit[0] <= value <= limit[1],
}
_WORDS = {
    "mustBe": "exactly {}",
    "mustNotBe": "not {}",
    "mustBeGreaterThan": "more than {}",
    "mustBeGreaterOrEqualTo": "at least {}",
    "mustBeLessThan": "fewer than {}",
    "mustBeLessOrEqualTo": "at most {}",
    "mustBeBetween": "{} to {}",
    "mustNotBeBetween": "not {} to {}",
}


def check(subject: Subject) -> Iterator[Result]:
    """Yields the results of the rules of single rows, of the primary key, and of the metrics."""
    contract = subject.contract
    single = row_rules(contract)
    bound = [rule for rule in contract.rules if is_row_rule(rule) and rule.is_binding]
    metrics = [rule for rule in contract.rules if rule.kind in METRICS and rule not in bound]
    counted = [rule for rule in metrics if rule.column and rule.kind != "duplicateValues"]
    sums = [rule.is_violated.sum().alias(f"single {number}") for number, rule in enumerate(single)]
    sums += [is_counted(rule).sum().alias(f"metric {number}") for number, rule in enumerate(counted)]
    counts = subject.rows.select(sums).collect(engine="streaming").row(0, named=True) if sums else {}
    for number, one in enumerate(single):
        rows = int(counts[f"single {number}"] or 0)
        yield subject.result(one.check, one.column, not rows, f"{one.reason}: {rows:,} rows", rows)
    for number, rule in enumerate(counted):
        yield _compared(subject, rule, int(counts[f"metric {number}"] or 0))
    for rule in metrics:
        if rule.kind == "rowCount":
            yield _compared(subject, rule, subject.height)
        elif rule.kind == "duplicateValues":
            columns = [rule.column] if rule.column else list(rule.arguments.get("properties", contract.key))
            yield _compared(subject, rule, repetitions(subject.rows, columns))
    for columns in ([contract.key] if contract.key else []) + [[one.name] for one in contract.columns if one.unique]:
        rows = repetitions(subject.rows, columns)
        yield subject.result("keys", ", ".join(columns), not rows, f"each once: {rows:,} rows repeat one", rows)


def repetitions(rows: pl.LazyFrame, columns: list[str]) -> int:
    """Counts rows whose values in some columns stand in an earlier row; rows without any of the values do not count."""
    if not columns:
        return 0
    present = rows.select(columns).filter(~pl.all_horizontal(pl.col(columns).is_null()))
    groups = present.group_by(columns).agg(pl.len().alias("_rows"))
    return int(groups.select((pl.col("_rows") - 1).sum()).collect(engine="streaming").item() or 0)


def _compared(subject: Subject, rule: Rule, count: int) -> Result:
    if rule.is_share and not subject.height:
        return subject.not_checked("metric", rule.column, f"{rule.kind}: there are no rows")
    value = 100 * count / subject.height if rule.is_share else count
    limits = rule.limit if isinstance(rule.limit, tuple) else (rule.limit,)
    unit = " %" if rule.is_share else ""
    expected = _WORDS[rule.operator].format(*(f"{limit:,}{unit}" for limit in limits))
    counted = f"{value:,.2f} %" if rule.is_share else f"{count:,}"
    name = f"{rule.name}: " if rule.name else ""
    is_fine = _COMPARISONS[rule.operator](value, rule.limit)
    rows = 0 if is_fine or rule.kind == "rowCount" else count
    summary = f"{name}{rule.kind} {expected}, there are {counted}"
    return subject.result("metric", rule.column, is_fine, summary, rows, is_binding=rule.is_binding)
