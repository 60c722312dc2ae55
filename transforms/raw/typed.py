"""Values as columns of given types: one that does not fit has its row refused with a reason, and is never changed."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import polars as pl

Refusal = tuple[str, str]
"""Reason, and the row as JSON."""

_MISFIT = (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError)

_WORDS = {pl.String: "a text", pl.Boolean: "true or false", pl.Datetime: "a time", pl.List: "a list of values that fit"}


def typed(rows: Sequence[tuple[Any, ...]], columns: Mapping[str, pl.DataType]) -> tuple[pl.DataFrame, list[Refusal]]:
    """Convert rows to a frame.

    Args:
        rows: values in the order of the columns, as a parser of JSON or CSV gives them.
        columns: name → type.

    Returns:
        The rows whose values all fit, and the refusals of the others. A number fits a text, a whole number given with
        decimals or as a text fits an integer; 3.7 does not, nor does 10**20.

    >>> frame, refusals = typed([("ann", 5), ("bob", 10**20), (7, "8")], {"user": pl.String(), "n": pl.Int64()})
    >>> frame.rows(), refusals
    ([('ann', 5), ('7', 8)], [('n is not a whole number in range', '{"user": "bob", "n": 100000000000000000000}')])
    """
    if not rows:
        return pl.DataFrame(schema=columns), []
    series: list[pl.Series] = []
    misfits: dict[int, list[str]] = {}
    for (name, dtype), values in zip(columns.items(), zip(*rows, strict=True), strict=True):
        column, bad_rows = _column(name, values, dtype)
        series.append(column)
        for row in bad_rows:
            misfits.setdefault(row, []).append(misfit(name, dtype))
    frame = pl.DataFrame(series)
    if not misfits:
        return frame, []
    is_good = pl.Series([row not in misfits for row in range(len(rows))])
    return frame.filter(is_good), [
        ("; ".join(reasons), json.dumps(dict(zip(columns, rows[row], strict=True)), default=str))
        for row, reasons in sorted(misfits.items())
    ]


def convert(given: pl.Series, dtype: pl.DataType) -> tuple[pl.Series, pl.Series]:
    """Convert a column to a type.

    Args:
        given: a column of any type, of Python objects, too.
        dtype: the type to convert to.

    Returns:
        The converted column, null where a value does not fit; and whether a value does not fit.

    >>> converted, is_misfit = convert(pl.Series(["5", "many", None]), pl.Int64())
    >>> converted.to_list(), is_misfit.to_list()
    ([5, None, None], [False, True, False])
    """
    try:
        converted = given.cast(dtype, strict=False)
        if converted.dtype != dtype:  # polars casts the fields of a structure
            raise pl.exceptions.InvalidOperationError
    except pl.exceptions.PolarsError:
        converted, bad_rows = _column(given.name, given.to_list(), dtype)
        return converted, pl.Series([False]).new_from_index(0, given.len()).scatter(bad_rows, True)
    is_misfit = given.is_not_null() & converted.is_null()
    if given.dtype.is_float() and dtype.is_integer():
        is_misfit = given.is_infinite() | (given.is_not_nan() & (is_misfit | (given != given.round()))).fill_null(False)
    if isinstance(given.dtype, pl.Datetime) and given.dtype.time_unit == "ms":  # microseconds may overflow
        is_misfit |= (converted.dt.cast_time_unit("ms").to_physical() != given.to_physical()).fill_null(False)
    return converted.set(is_misfit, None), is_misfit


def _column(name: str, values: Sequence[Any], dtype: pl.DataType) -> tuple[pl.Series, list[int]]:
    """Convert Python values: a column of those that fit, null elsewhere; and the numbers of the rows that do not."""
    try:
        return pl.Series(name, values, dtype, strict=True), []
    except _MISFIT:
        converted, bad_rows = [], []
        for row, value in enumerate(values):
            try:
                converted.append(_fitted(value, dtype))
            except _MISFIT:
                converted.append(None)
                bad_rows.append(row)
        return pl.Series(name, converted, dtype, strict=True), bad_rows


def _fitted(value: Any, dtype: pl.DataType) -> Any:
    """The value as one of the type.

    Raises:
        TypeError, ValueError, OverflowError: it does not fit.
    """
    fitted = value
    if value is None:
        return None
    if dtype.is_integer():
        fitted = _integer(value, dtype)
    elif dtype.is_float():
        fitted = float(value)
    elif isinstance(dtype, pl.List) and isinstance(value, list | tuple):
        fitted = [_fitted(element, dtype.inner) for element in value]  # type: ignore[arg-type]
    elif isinstance(dtype, pl.String) and isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        fitted = str(value)
    elif isinstance(dtype, pl.Boolean) and value in (0, 1):
        fitted = bool(value)
    elif not isinstance(value, {pl.String: str, pl.Datetime: datetime}.get(dtype.base_type(), ())):
        raise TypeError
    return fitted


def _integer(value: Any, dtype: pl.DataType) -> int:
    number = int(value)
    if isinstance(value, float | Decimal) and number != value:
        raise ValueError
    low, high = (pl.select(limit).item() for limit in (dtype.min(), dtype.max()))  # type: ignore[attr-defined]
    if not low <= number <= high:
        raise OverflowError
    return number


def misfit(name: str, dtype: pl.DataType) -> str:
    """The reason for which a row is refused whose value does not fit the type of a column.

    >>> misfit("ms_played", pl.Int64())
    'ms_played is not a whole number in range'
    """
    if dtype.is_integer():
        return f"{name} is not a whole number in range"
    words = "a number" if dtype.is_float() else _WORDS.get(dtype.base_type(), f"of the type {dtype}")
    return f"{name} is not {words}"
