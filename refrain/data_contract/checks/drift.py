"""Drift: the values of the newest days beside those of as many days before, by ``transforms.pure.drift``."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import polars as pl

from refrain.data_contract.result import Result, Subject
from transforms.data_contracts.document import Rule
from transforms.pure.drift import VERDICTS, compare

SAMPLE = 20_000
"""Most rows of each side, drawn at random."""
FEWEST = 30
"""Fewest rows of each side."""


def check(subject: Subject) -> Iterator[Result]:
    """Yields the results of the rules ``drift``, one a column."""
    for rule in (rule for rule in subject.contract.rules if rule.kind == "drift"):
        columns = _columns(subject, rule)
        if not subject.day_column:
            yield subject.not_checked("drift", rule.column, "the table has no times")
            continue
        moment = pl.col(subject.day_column)
        end = subject.rows.select(moment.max()).collect(engine="streaming").item()
        if end is None:
            yield subject.not_checked("drift", rule.column, "there are no rows")
            continue
        length = timedelta(days=rule.arguments["days"])
        before = _sample(subject, columns, end - 2 * length, end - length)
        after = _sample(subject, columns, end - length, end)
        if min(before.height, after.height) < FEWEST:
            rows = f"{before.height:,} rows before and {after.height:,} after"
            yield subject.not_checked("drift", rule.column, f"fewer than {FEWEST} rows: {rows}")
            continue
        for name in columns:
            drift = compare(name, before[name].to_list(), after[name].to_list())
            is_fine = VERDICTS.index(drift.verdict) <= VERDICTS.index(rule.arguments["tolerate"])
            reasons = "; ".join(drift.reasons) or f"PSI {drift.psi:.2f}"
            days = f"the last {rule.arguments['days']} days beside those before"
            yield subject.result(
                "drift", name, is_fine, f"{days}: {drift.verdict}, {reasons}", is_binding=rule.is_binding
            )


def _columns(subject: Subject, rule: Rule) -> list[str]:
    """The columns that are compared: that of the rule, those that it names, or all but keys and times."""
    if rule.column:
        return [rule.column]
    named = list(rule.arguments["columns"])
    left_out = {*subject.contract.key, "event_timestamp", "created_timestamp"}
    return named or [
        column.name
        for column in subject.contract.columns
        if column.name not in left_out and column.logical_type in ("string", "integer", "number", "boolean", "date")
    ]


def _sample(subject: Subject, columns: list[str], after: datetime, until: datetime) -> pl.DataFrame:
    moment = pl.col(subject.day_column)
    rows = subject.rows.filter(moment > after, moment <= until).select(columns).collect()
    return rows.sample(SAMPLE, seed=0) if rows.height > SAMPLE else rows
