"""Rows a day: those of the newest whole day beside the median of the days before."""

from collections.abc import Iterator
from datetime import timedelta
from statistics import median

import polars as pl

from refrain.data_contract.result import Result, Subject

FEWEST_DAYS = 3
"""Days before the newest one that a median is taken of, at the least."""


def check(subject: Subject) -> Iterator[Result]:
    """Yields the results of the rules ``volume``.

    The day of the newest row may not be over, so the newest whole day is the one before. Days without rows count as 0.
    """
    rules = [rule for rule in subject.contract.rules if rule.kind == "volume"]
    if not rules:
        return
    if not subject.day_column:
        for _ in rules:
            yield subject.not_checked("volume", "", "the table has no times")
        return
    day = pl.col(subject.day_column).dt.date().alias("day")
    rows = subject.rows.select(day).group_by("day").len().drop_nulls().collect(engine="streaming")
    counts = dict(rows.iter_rows())
    for rule in rules:
        newest = max(counts, default=None)
        span = 0 if newest is None else (newest - min(counts)).days
        before = min(span - 1, rule.arguments["days"])
        if newest is None or before < FEWEST_DAYS:
            yield subject.not_checked("volume", "", f"fewer than {FEWEST_DAYS} days before the newest whole one")
            continue
        last = newest - timedelta(days=1)
        usual = median(counts.get(last - timedelta(days=back), 0) for back in range(1, before + 1))
        count = counts.get(last, 0)
        low, high = rule.arguments["lowest"] * usual, rule.arguments["highest"] * usual
        summary = f"{low:,.0f} to {high:,.0f} rows a day, by {before} days before: {count:,} on {last.isoformat()}"
        yield subject.result("volume", "", low <= count <= high, summary, is_binding=rule.is_binding)
