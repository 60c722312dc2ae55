"""Conditions on events as polars expressions."""

from functools import reduce
from operator import and_, or_

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
    holds = (
        pl.col(name).is_in(list(value))
        if condition.operator == "in"
        else OPERATORS[condition.operator](pl.col(name), value)
    )
    return holds.fill_null(False)
