"""Validation: separates valid rows from invalid ones, with reasons."""

import json
from datetime import datetime

import polars as pl
import polars.selectors as cs

from transforms.pure.text.pii import mask
from transforms.raw.table import RawTable
from transforms.raw.typed import convert, misfit

_WORDS = {
    "nullability": "is missing",
    "min_length": "is empty",
    "min": "is too small",
    "max": "is too large",
    "nan": "is not a number",
    "inf": "is not finite",
    "check__date": "is no day such as 2026-03-01",
    "inner_nullability": "holds a missing element",
}

QUARANTINE = {"reason": pl.String, "row": pl.String}
"""Columns of quarantined rows: the reason, and the row as JSON (or the line that it was read from)."""


def validate(table: RawTable, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split rows into those that satisfy every rule of the table and those that do not.

    Args:
        table: the schema and its rules.
        rows: columns of the table in any order; a missing optional column counts as null.

    Returns:
        Accepted rows in the table's types, and refused ones as ``QUARANTINE``.
    """
    rows, misfits = _fitting(table, rows)
    accepted, refused = _by_rules(table, rows)
    return accepted, pl.concat([misfits, refused])


def _fitting(table: RawTable, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split rows into those whose values fit the columns, in the types of the table, and refused ones."""
    reasons: dict[int, list[str]] = {}
    converted = []
    for name, dtype in table.columns.items():
        if name not in rows.columns or rows.schema[name] in (dtype, pl.Null()):
            continue
        column, is_misfit = convert(rows[name], dtype)
        converted.append(column)
        for row in is_misfit.arg_true():
            reasons.setdefault(row, []).append(misfit(name, dtype))
    if not reasons:
        return rows.with_columns(converted), pl.DataFrame(schema=QUARANTINE)
    numbers = sorted(reasons)
    columns = [name for name in table.columns if name in rows.columns]
    texts = as_json(rows.select(columns)[numbers])
    if table.prepare:  # such rows may hold private data
        texts = [mask(text).text for text in texts]
    refused = {"reason": ["; ".join(reasons[row]) for row in numbers], "row": texts}
    is_refused = pl.Series([False]).new_from_index(0, rows.height).scatter(numbers, True)
    return rows.with_columns(converted).filter(~is_refused), pl.DataFrame(refused, schema=QUARANTINE)


def _by_rules(table: RawTable, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    accepted, failure = table.schema.filter(table.conform(rows))
    refused = failure.details()
    if refused.is_empty():
        return accepted, pl.DataFrame(schema=QUARANTINE)
    columns = list(table.columns)
    rules = [name for name in refused.columns if name not in columns]
    verdicts = refused.select(rules).cast(pl.String).rows()
    reasons = [
        "; ".join(reason(rule) for rule, verdict in zip(rules, row, strict=True) if verdict == "invalid")
        for row in verdicts
    ]
    return accepted, pl.DataFrame({"reason": reasons, "row": as_json(refused.select(columns))}, schema=QUARANTINE)


def as_json(rows: pl.DataFrame) -> list[str]:
    """Writes rows as they are quarantined."""
    try:
        dicts = rows.to_dicts()
    except (OverflowError, ValueError):  # Python has no times after the year 9999
        dicts = rows.with_columns(cs.datetime().cast(pl.String)).to_dicts()
    return [json.dumps(row, default=_text) for row in dicts]


def reason(rule: str) -> str:
    """Describe in words the rule that a row broke.

    >>> reason("user_id|nullability"), reason("event_timestamp_in_the_future")
    ('user_id is missing', 'event_timestamp in the future')
    """
    column, _, kind = rule.partition("|")
    if kind:
        return f"{column} {_WORDS.get(kind, 'breaks the rule ' + kind)}"
    for time in ("event_timestamp", "created_timestamp"):
        if rule.startswith(time):
            return f"{time} {rule.removeprefix(time + '_').replace('_', ' ', 2)}"
    return rule.replace("_", " ")


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
