"""Columns of a table as columns of declared types; a cell that does not fit is refused with a reason.

Keys and texts follow ``feature_repo.keys``. Besides, texts of whole floats (``7.0``, as pandas writes integers beside
missing ones) are integers, and an empty text where a number or a boolean is declared is missing.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from feature_repo.errors import InputError
from feature_repo.keys import key_value
from feature_repo.packed.key_columns import key_column
from transforms.raw.dates import FORMAT, are_dates
from transforms.raw.own_tables import booleans
from transforms.raw.own_tables.source import Cells

NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
"""Pattern of a number in a text."""

WHOLE_FLOAT = r"^-?[0-9]+\.0*$"
"""Pattern of a whole number with a decimal point."""

_ARROW = {"String": pa.string(), "Int64": pa.int64(), "Bool": pa.bool_(), "Float64": pa.float64(), "Date": pa.string()}
FRACTION = r"^-?[0-9]+\.[0-9]*[1-9][0-9]*$"
"""Pattern of a number with a fraction, as a program writes a float."""


FRACTIONAL = "not a whole number"
"""Reason by which ``feature_repo.keys`` refuses a number with a fraction, too."""


MIDNIGHT = r"[T ]00:00(:00(\.0+)?)?$"
"""Pattern of the time of day that programs write after a day."""


class Refused(ValueError):
    """A cell that does not fit, with the reason."""


@dataclass(frozen=True)
class Converted:
    """A converted column.

    Attributes:
        values: (rows,) cells of the declared type; null where one is missing or refused.
        refused: number of the row → reason.
    """

    values: pa.Array
    refused: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Form:
    """How the cells of a column are written.

    Attributes:
        is_text: whether the table has texts only, so that an empty one is missing.
        decimal: the character between a number and its fraction in texts.
        are_floats: whether texts are numbers that a program wrote as floats, so that a whole one is an integer also
            where a text is declared, and a fraction is refused there.
        is_blank_false: whether true is a mark such as ``x``, so that a blank is false.
    """

    is_text: bool = False
    decimal: str = "."
    are_floats: bool = False
    is_blank_false: bool = False


def convert(cells: Cells, dtype: str, form: Form | None = None) -> Converted:
    """Converts a column to a declared type.

    Args:
        cells: (rows,) of any type.
        dtype: String, Int64, Bool, Float64 or Date.
        form: how the cells are written.

    >>> convert(pa.array(["7", "7.0", "", "x"]), "Int64").values.to_pylist()
    [7, 7, None, None]
    >>> convert(pa.array(["7", "x"]), "Int64").refused
    {1: 'no decimal digits'}
    """
    form = form or Form()
    target = _ARROW[dtype]
    if isinstance(cells, pa.Array):
        cells = plain(cells)
        if form.is_blank_false and pa.types.is_null(cells.type):
            cells = cells.cast(pa.string())
        if pa.types.is_null(cells.type):
            return Converted(pa.nulls(len(cells), target))
        if pa.types.is_string(cells.type):
            cells = _texts(cells, dtype, form)
        try:
            cells.validate(full=True)
            if form.are_floats and dtype == "String" and pc.any(pc.match_substring_regex(cells, FRACTION)).as_py():
                raise Refused(FRACTIONAL)
            return Converted(_COLUMNS[dtype](cells))
        except (InputError, pa.ArrowException, Refused):
            pass  # cell by cell, to learn which
    return _one_by_one(cells, dtype, form)


def plain(cells: pa.Array) -> pa.Array:
    """Casts categories and the several types of texts to plain texts."""
    kinds = pa.types
    if kinds.is_dictionary(cells.type):
        cells = cells.dictionary_decode()
    if kinds.is_large_string(cells.type) or kinds.is_string_view(cells.type):
        cells = cells.cast(pa.string())
    return cells


def _texts(cells: pa.Array, dtype: str, form: Form) -> pa.Array:
    """Prepares texts: without spaces around numbers and booleans, and without empty ones where these are missing."""
    texts = cells if dtype == "String" and not form.are_floats else pc.utf8_trim_whitespace(cells)
    if dtype != "String" or form.is_text:
        texts = pc.if_else(pc.equal(texts, ""), None, texts)
    if form.is_blank_false:
        texts = pc.fill_null(texts, "false")
    if form.decimal != "." and dtype in ("Int64", "Float64"):
        # a point beside decimal commas stands between thousands: such a number becomes no number, and is refused
        is_plain = pc.match_substring_regex(texts, rf"^[+-]?[0-9]*{form.decimal}?[0-9]*$")
        texts = pc.if_else(
            is_plain, pc.replace_substring(texts, form.decimal, "."), pc.replace_substring(texts, ".", form.decimal)
        )
    if dtype == "Int64" or (dtype == "String" and form.are_floats):
        texts = pc.if_else(
            pc.match_substring_regex(texts, WHOLE_FLOAT), pc.replace_substring_regex(texts, r"\.0*$", ""), texts
        )
    return texts


def _booleans(cells: pa.Array) -> pa.Array:
    if pa.types.is_boolean(cells.type):
        return cells
    if pa.types.is_string(cells.type):
        is_true, is_false = booleans.booleans(cells)
    elif pa.types.is_integer(cells.type) or pa.types.is_floating(cells.type):
        cells = pc.if_else(pc.is_nan(cells), None, cells) if pa.types.is_floating(cells.type) else cells
        is_true, is_false = pc.equal(cells, 1).fill_null(False), pc.equal(cells, 0).fill_null(False)
    else:
        raise Refused(f"of the type {cells.type}")
    if not pc.all(pc.or_(pc.or_(is_true, is_false), cells.is_null())).as_py():
        raise Refused("no boolean")
    return pc.if_else(cells.is_null(), None, is_true)


def _floats(cells: pa.Array) -> pa.Array:
    kinds = pa.types
    if kinds.is_string(cells.type) and not pc.all(pc.match_substring_regex(cells, NUMBER)).as_py():
        raise Refused("no number")
    if not any(is_it(cells.type) for is_it in (kinds.is_string, kinds.is_integer, kinds.is_floating, kinds.is_decimal)):
        raise Refused(f"of the type {cells.type}")
    numbers = cells.cast(pa.float64(), safe=False)
    numbers = pc.if_else(pc.is_nan(numbers), None, numbers)
    if pc.any(pc.is_inf(numbers)).as_py():
        raise Refused("not finite")
    return numbers


def _days(cells: pa.Array) -> pa.Array:
    """Texts of days; a time must be midnight, on the clock of its zone."""
    kinds = pa.types
    if kinds.is_string(cells.type):
        texts = pl.Series(pc.replace_substring_regex(cells, MIDNIGHT, ""))
    elif kinds.is_date(cells.type):
        texts = pl.Series(cells.cast(pa.date32())).dt.to_string(FORMAT)
    elif kinds.is_timestamp(cells.type):
        local = pl.Series(pc.local_timestamp(cells) if cells.type.tz else cells)
        texts = local.dt.to_string(FORMAT)
        if (local.dt.truncate("1d") != local).any():
            raise Refused("with a time of day")
    else:
        raise Refused(f"of the type {cells.type}")
    if not are_dates(texts).all():
        raise Refused("no day such as 2026-03-01")
    return texts.to_arrow().cast(pa.string())


_COLUMNS: dict[str, Callable[[pa.Array], pa.Array]] = {
    "String": lambda cells: key_column(cells, "String"),
    "Int64": lambda cells: key_column(cells, "Int64"),
    "Bool": _booleans,
    "Float64": _floats,
    "Date": _days,
}


def _one_by_one(cells: Cells, dtype: str, form: Form) -> Converted:
    """Converts each distinct cell of an Arrow array, or each value of a list."""
    target = _ARROW[dtype]
    if isinstance(cells, list):
        values, refused = _convert_all(cells, dtype, form)
        return Converted(pa.array(values, target), refused)
    if pa.types.is_string(cells.type):
        cells = cells.cast(pa.binary())  # texts that are not UTF-8 are refused one by one
    try:
        encoded = cells.dictionary_encode()
    except pa.ArrowNotImplementedError:
        values, refused = _convert_all(list(cells), dtype, form)
        return Converted(pa.array(values, target), refused)
    values, refused_values = _convert_all(list(encoded.dictionary), dtype, form)
    refused = {}
    if refused_values:
        numbers = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        rows: NDArray[np.int64] = np.flatnonzero(np.isin(numbers, list(refused_values)))
        refused = {int(row): refused_values[int(numbers[row])] for row in rows}
    return Converted(pa.array(values, target).take(encoded.indices), refused)


def _convert_all(cells: list[Any], dtype: str, form: Form) -> tuple[list[Any], dict[int, str]]:
    values: list[Any] = []
    refused: dict[int, str] = {}
    for number, cell in enumerate(cells):
        try:
            values.append(_value(cell, dtype, form))
        except Refused as error:
            refused[number] = str(error)
            values.append(None)
    return values, refused


def _value(cell: Any, dtype: str, form: Form) -> Any:
    """Converts one cell.

    Raises:
        Refused: it does not fit.
    """
    value = _decoded(cell)
    if isinstance(value, str) and dtype != "String":
        value = value.strip()
        if not value:
            return None
        if dtype == "Int64" and re.fullmatch(WHOLE_FLOAT, value):
            value = value.partition(".")[0]
    if isinstance(value, str) and (form.are_floats or dtype == "Int64") and re.match(FRACTION, value):
        raise Refused(FRACTIONAL)
    if dtype == "Bool":
        return _boolean(value)
    if dtype == "Float64":
        return _float(value)
    if dtype == "Date":
        return None if value is None else _days(pa.array([value]))[0].as_py()
    try:
        return key_value(value, dtype)
    except InputError as error:
        raise Refused(str(error.__cause__ or error.found)) from error


def _decoded(cell: Any) -> Any:
    if not isinstance(cell, pa.Scalar):
        return cell
    if pa.types.is_binary(cell.type):
        try:
            return None if cell.as_py() is None else cell.as_py().decode()
        except UnicodeDecodeError as error:
            raise Refused("bytes that are no UTF-8") from error
    is_number = pa.types.is_floating(cell.type) or pa.types.is_temporal(cell.type)
    return cell if is_number else cell.as_py()


def _boolean(value: Any) -> bool | None:
    if isinstance(value, pa.Scalar):
        value = value.as_py()
    if value is None or (isinstance(value, float | Decimal) and math.isnan(value)):
        return None
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float | Decimal | str):
        boolean = booleans.boolean(value if isinstance(value, str) else f"{value:g}")
        if boolean is not None:
            return boolean
    raise Refused(booleans.REASON)


def _float(value: Any) -> float | None:
    if isinstance(value, pa.Scalar):
        value = value.as_py()
    if value is None:
        return None
    is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    if not is_number and not (isinstance(value, str) and re.fullmatch(NUMBER, value)):
        raise Refused("no number")
    try:
        number = float(value)
    except OverflowError as error:
        raise Refused("not finite") from error
    if math.isinf(number):
        raise Refused("not finite")
    return None if math.isnan(number) else number


def words_of(cells: Cells, form: Form) -> str:
    """Describes the type of a column: that of an Arrow array, or what all texts of a table of texts are."""
    if isinstance(cells, list):
        kinds = sorted({_KINDS.get(type(cell), type(cell).__name__) for cell in cells if cell is not None})
        return kinds[0] if len(kinds) == 1 else f"mixed: {', '.join(kinds)}"
    cells = plain(cells)
    if form.is_text:
        texts = pl.Series(cells).str.strip_chars()
        texts = texts.filter(texts != "")
        if texts.is_empty():
            return "empty"
        for words, pattern in _PATTERNS.items():
            if texts.str.contains(pattern.replace(r"\.", f"[.{form.decimal}]")).all():
                return words
        return (booleans.description(texts) if booleans.are_certain(texts) else "") or "text"
    return next((words for words, is_it in _TYPES.items() if is_it(cells.type)), str(cells.type))


_PATTERNS = {
    "whole numbers": r"^-?[0-9]+$",
    "numbers": NUMBER,
    "dates": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
}
_KINDS = {
    str: "text",
    int: "whole numbers",
    float: "numbers",
    Decimal: "decimal numbers",
    bool: "booleans",
    dict: "objects",
    list: "lists",
}
_TYPES: dict[str, Callable[[pa.DataType], bool]] = {
    "empty": pa.types.is_null,
    "text": pa.types.is_string,
    "whole numbers": pa.types.is_integer,
    "numbers": pa.types.is_floating,
    "decimal numbers": pa.types.is_decimal,
    "booleans": pa.types.is_boolean,
    "dates": pa.types.is_date,
}
