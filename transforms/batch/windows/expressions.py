"""Conditions on events as polars expressions."""

from collections.abc import Sequence
from functools import reduce
from operator import and_, or_
from typing import Any

import polars as pl

from feature_repo.windows import Condition
from feature_repo.windows.condition import OPERATORS


def expression(condition: Condition) -> pl.Expr:
    """Converts a condition to an expression that is never null: a missing value fulfils no comparison."""
    if condition.operator == "and":
        return reduce(and_, map(expression, condition.parts))
    if condition.operator == "or":
        return reduce(or_, map(expression, condition.parts))
    if condition.operator == "not":
        return ~expression(condition.parts[0])
    name = condition.parts[0]
    if condition.operator == "missing":
        return pl.col(name).is_null()
    value = condition.parts[1]
    holds = _is_in(name, value) if condition.operator == "in" else OPERATORS[condition.operator](pl.col(name), value)
    return holds.fill_null(False)


def _is_in(name: str, values: Sequence[Any]) -> pl.Expr:
    """Compares numbers one by one: ``is_in`` refuses whole numbers for a column of floats."""
    if values and all(isinstance(value, int | float) for value in values):
        return reduce(or_, (pl.col(name) == value for value in values))
    return pl.col(name).is_in(list(values))
