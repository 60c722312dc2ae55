"""What a contract says of single rows: why a row violates it, told row by row.

These are ``required``, the limits of values (``logicalTypeOptions``), and metrics that must be 0: no missing values,
no invalid ones. A missing value breaks no limit. Violations are the same expressions for an import, which quarantines
such rows, and for a check of what is stored, which counts them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from transforms.data_contracts.document import Column, DataContract, Rule

SMALLEST_REST = 1e-9
"""Part of a multiple that counts as a rounding error."""

_COMPARISONS: dict[str, Callable[[pl.Expr, Any], pl.Expr]] = {
    "minimum": lambda value, limit: value < limit,
    "maximum": lambda value, limit: value > limit,
    "exclusiveMinimum": lambda value, limit: value <= limit,
    "exclusiveMaximum": lambda value, limit: value >= limit,
    "multipleOf": lambda value, limit: (value / limit - (value / limit).round()).abs() > SMALLEST_REST,
    "minLength": lambda value, limit: value.str.len_chars() < limit,
    "maxLength": lambda value, limit: value.str.len_chars() > limit,
    "minItems": lambda value, limit: value.list.len() < limit,
    "maxItems": lambda value, limit: value.list.len() > limit,
    "uniqueItems": lambda value, limit: (value.list.n_unique() < value.list.len()) & limit,
    "pattern": lambda value, limit: ~value.str.contains(limit),
}
"""Option of a column → expression that is true where a value breaks the limit."""

_WORDS = {
    "minimum": "is below {}",
    "maximum": "is above {}",
    "exclusiveMinimum": "is not above {}",
    "exclusiveMaximum": "is not below {}",
    "multipleOf": "is no multiple of {}",
    "minLength": "has fewer than {} characters",
    "maxLength": "has more than {} characters",
    "minItems": "has fewer than {} elements",
    "maxItems": "has more than {} elements",
    "uniqueItems": "has an element twice",
    "pattern": "does not match {}",
}


@dataclass(frozen=True)
class RowRule:
    """One rule of single rows.

    Attributes:
        column: the column.
        check: ``nulls`` or ``ranges``.
        reason: why a row violates it, in words; without the value.
        is_violated: expression of a row that is true where it does, and never null.
    """

    column: str
    check: str
    reason: str
    is_violated: pl.Expr


def row_rules(contract: DataContract) -> list[RowRule]:
    """Returns the rules of single rows of a contract that fits its table (``binding.check_columns``)."""
    rules = [rule for column in contract.columns for rule in _of_column(column)]
    return rules + [
        RowRule(rule.column, *_as_row_rule(rule)) for rule in contract.rules if is_row_rule(rule) and rule.is_binding
    ]


def is_row_rule(rule: Rule) -> bool:
    """Whether a rule says that no row may be such."""
    is_metric = rule.kind in ("nullValues", "missingValues", "invalidValues")
    return is_metric and (rule.operator, rule.limit) in (("mustBe", 0), ("mustBeLessOrEqualTo", 0))


def is_counted(rule: Rule) -> pl.Expr:
    """Whether a row counts for a metric of a column: null, missing or invalid; never null.

    Args:
        rule: a rule of one of these metrics.
    """
    value = pl.col(rule.column)
    if rule.kind == "nullValues":
        return value.is_null()
    if rule.kind == "missingValues":
        texts = [str(one) for one in rule.arguments.get("missingValues", [""]) if one is not None]
        return value.is_null() | value.cast(pl.String, strict=False).is_in(texts).fill_null(False)
    is_invalid = pl.lit(False)
    if "validValues" in rule.arguments:
        valid = [_as_text(one) for one in rule.arguments["validValues"]]
        is_invalid = is_invalid | ~value.cast(pl.String, strict=False).is_in(valid)
    if "pattern" in rule.arguments:
        is_invalid = is_invalid | ~value.str.contains(rule.arguments["pattern"])
    return is_invalid.fill_null(False)


def _of_column(column: Column) -> Iterator[RowRule]:
    value = pl.col(column.name)
    is_day = column.logical_type == "date"  # a date, or a text such as 2026-03-01: both are compared as texts
    if column.required:
        yield RowRule(column.name, "nulls", f"{column.name} is missing", value.is_null())
    for option, limit in column.options.items():
        if option in _COMPARISONS:
            shown = _shown(limit, is_day)
            compared = (value.cast(pl.String), shown) if is_day else (value, limit)
            is_violated = _COMPARISONS[option](*compared).fill_null(False)
            yield RowRule(column.name, "ranges", f"{column.name} {_WORDS[option].format(shown)}", is_violated)


def _as_row_rule(rule: Rule) -> tuple[str, str, pl.Expr]:
    kind = "ranges" if rule.kind == "invalidValues" else "nulls"
    words = {"nullValues": "is missing", "missingValues": "is missing", "invalidValues": "is no valid value"}
    return kind, f"{rule.column} {words[rule.kind]}", is_counted(rule)


def _as_text(value: object) -> str:
    """A value of the file as polars writes one of a column."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _shown(limit: object, is_day: bool) -> str:
    if isinstance(limit, datetime):
        return limit.date().isoformat() if is_day else limit.isoformat()
    return str(limit)
