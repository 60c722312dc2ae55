"""Validation: separates valid rows from invalid ones, with reasons."""

import json
from datetime import datetime

import polars as pl

from transforms.raw.table import RawTable

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
    texts = [json.dumps(row, default=_text) for row in refused.select(columns).to_dicts()]
    return accepted, pl.DataFrame({"reason": reasons, "row": texts}, schema=QUARANTINE)


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
