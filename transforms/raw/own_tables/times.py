"""Columns of times: recognized as timestamps, numbers of a unit or texts of a format, then converted to UTC."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from feature_repo.stores.spine import parse_instants
from transforms.raw.files.times import LAST, MAJORITY, NUMERIC, PER_SECOND, UNITS, is_likely, recognized_unit
from transforms.raw.own_tables.cells import Converted, plain
from transforms.raw.own_tables.source import Cells

SUGGESTIONS = (
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
    "%m/%d/%Y",
    "%d/%m/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%d/%m/%Y",
    "%Y-%m-%d %H:%M:%S UTC",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d",
    "%Y%m%d%H%M%S",
    "%Y%m%d",
    "%a, %d %b %Y %H:%M:%S %z",
    "%d/%b/%Y:%H:%M:%S %z",
)
"""Formats that are proposed, never taken by themselves: 03/04/2026 is in March or in April."""

MICROSECONDS = pa.timestamp("us", "UTC")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_YEAR_1, _YEAR_9999 = -62_135_596_800_000_000, 253_402_300_799_999_999
_ZONE = r"([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)$"
_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"


@dataclass(frozen=True)
class TimeForm:
    """How a column holds times.

    Attributes:
        kind: ``timestamps``, ``unit``, ``iso`` or ``format``.
        detail: the unit or the format.
        words: description for a person.
        is_given: whether a person named it.
    """

    kind: str
    detail: str = ""
    words: str = ""
    is_given: bool = False


def recognize(cells: Cells, given: str = "") -> TimeForm | None:
    """Recognizes how a column holds times.

    Args:
        cells: (rows,) of any type; the first rows of the column.
        given: unit or format that a person named; timestamps need none.

    Returns:
        The form; None if there is none in which most cells are times.

    >>> recognize(pa.array([1_767_225_600_000])).words
    'milliseconds since 1970'
    """
    if isinstance(cells, pa.Array) and pa.types.is_temporal(plain(cells).type):
        return _timestamps(plain(cells).type)
    if given in UNITS:
        return TimeForm("unit", given, f"{UNITS[given]} since 1970, as given", True)
    if given:
        return TimeForm("format", given, f"{given}, as given", True)
    texts = _texts(cells).drop_nulls()
    return _recognize_texts(texts) if texts.len() else None


def _recognize_texts(texts: pl.Series) -> TimeForm | None:
    """Recognizes the unit of numbers, or times in ISO 8601."""
    numbers = texts.filter(texts.str.contains(NUMERIC)).cast(pl.Float64)
    if len(numbers) >= MAJORITY * len(texts):
        unit = recognized_unit(numbers)
        return TimeForm("unit", unit, f"{UNITS[unit]} since 1970") if unit else None
    valid = texts.filter(parse_instants(texts).is_not_null())
    if valid.len() < texts.len() / 2:
        return None
    zoned = valid.filter(~valid.str.contains(_DATE)).str.contains(_ZONE)
    zone = "without a zone: taken as UTC" if not zoned.any() else "with a zone"
    return TimeForm("iso", "", f"ISO 8601 {zone if zoned.all() or not zoned.any() else 'with a zone, UTC without'}")


def _timestamps(dtype: pa.DataType) -> TimeForm | None:
    if pa.types.is_date(dtype):
        return TimeForm("timestamps", "", "dates: midnight in UTC")
    if not pa.types.is_timestamp(dtype):
        return None
    zone = "without a zone: taken as UTC" if dtype.tz is None else f"with the zone {dtype.tz}"
    return TimeForm("timestamps", "", f"timestamps {zone}")


def suggestion(cells: Cells) -> str:
    """Returns a format of ``SUGGESTIONS`` in which all cells are times; empty if there is none."""
    texts = _texts(cells).drop_nulls().unique().head(1_000)
    for form in SUGGESTIONS:
        if texts.len() and all(_parsed(text, form) is not None for text in texts):
            return form
    return ""


def likely_unit(cells: Cells) -> str:
    """Returns the unit of numbers that are not recognized, to be proposed: the largest in which none is after ``LAST``.

    Returns:
        The unit; empty if a cell is no number, or too large.

    >>> likely_unit(pa.array([100_000_000_000])), likely_unit(pa.array(["17"])), likely_unit(pa.array(["soon"]))
    ('ms', 's', '')
    """
    texts = _texts(cells).drop_nulls()
    if not texts.len() or not texts.str.contains(NUMERIC).all():
        return ""
    largest = texts.cast(pl.Float64).abs().to_numpy().max()
    return next((unit for unit in UNITS if largest < LAST.timestamp() * PER_SECOND[unit]), "")


def convert_times(cells: Cells, form: TimeForm) -> Converted:
    """Converts a column of times.

    Args:
        cells: (rows,) of any type.
        form: how it holds times.

    Returns:
        (rows,) timestamps in microseconds, UTC; finer digits are cut off. Null for a missing or refused time.
    """
    if form.kind == "timestamps":
        if isinstance(cells, pa.Array) and pa.types.is_temporal(plain(cells).type):
            return _from_timestamps(plain(cells))
        form = TimeForm("iso")
    texts = _texts(cells)
    if form.kind == "unit":
        return _from_numbers(texts, form)
    if form.kind == "iso":
        parsed = parse_instants(texts).to_arrow()
        return _refusing(parsed, texts, "not a time in ISO 8601")
    distinct = texts.drop_nulls().unique()
    by_text = {text: _parsed(text, form.detail) for text in distinct}
    values = [None if text is None else by_text[text] for text in texts]
    return _refusing(pa.array(values, pa.int64()).view(MICROSECONDS), texts, f"not a time of the format {form.detail}")


def _texts(cells: Cells) -> pl.Series:
    """(rows,) cells as texts without spaces around them; null where one is missing. Integers keep all digits."""
    if isinstance(cells, pa.Array):
        cells = plain(cells)
        if pa.types.is_string(cells.type):
            series = pl.Series(cells)
        elif pa.types.is_floating(cells.type):
            numbers = pl.Series(cells).cast(pl.Float64).fill_nan(None)
            series = pl.Series([None if number is None else _digits(number) for number in numbers], dtype=pl.String)
        elif pa.types.is_integer(cells.type) or pa.types.is_decimal(cells.type) or pa.types.is_null(cells.type):
            series = pl.Series(cells.cast(pa.string()))
        else:
            series = pl.Series([None if cell is None else str(cell) for cell in cells.to_pylist()], dtype=pl.String)
    else:
        series = pl.Series([_as_text(cell) for cell in cells], dtype=pl.String)
    stripped = series.cast(pl.String).str.strip_chars()
    return stripped.set(stripped == "", None)


def _as_text(cell: Any) -> str | None:
    if cell is None or isinstance(cell, str):
        return None if cell is None else cell.encode(errors="replace").decode()
    is_number = isinstance(cell, int | float) and not isinstance(cell, bool)
    return _digits(cell) if is_number else str(cell)


def _digits(number: float) -> str:
    return f"{number:.9f}".rstrip("0").rstrip(".") if isinstance(number, float) else str(number)


def _from_numbers(texts: pl.Series, form: TimeForm) -> Converted:
    unit = form.detail
    scale = PER_SECOND[unit]
    numeric = texts.set(~texts.str.contains(NUMERIC), None)
    whole = numeric.cast(pl.Int64, strict=False)
    floats = numeric.cast(pl.Float64, strict=False)
    # whole numbers keep all their digits; fractions are rounded to the microsecond
    micros = whole * (1_000_000 // scale) if scale <= 1_000_000 else whole // (scale // 1_000_000)
    rounded = (floats * (1_000_000 / scale)).round()
    is_outside = (rounded < _YEAR_1) | (rounded > _YEAR_9999)
    rounded = rounded.set(is_outside, None)
    values = pl.select(pl.when(whole.is_not_null()).then(micros).otherwise(rounded.cast(pl.Int64))).to_series()
    values = values.set(is_outside.fill_null(False), None)
    converted = _refusing(values.to_arrow().cast(pa.int64()).view(MICROSECONDS), texts, f"no time in {UNITS[unit]}")
    if form.is_given:
        return converted
    numbers = floats.fill_null(0)
    others = np.any([is_likely(numbers, other) for other in UNITS if other != unit], axis=0)
    refused = {int(row): f"a time of another unit than {UNITS[unit]}" for row in np.flatnonzero(others)}
    if not refused:
        return converted
    kept = pc.if_else(pa.array(others), pa.scalar(None, MICROSECONDS), converted.values)
    return Converted(kept, {**converted.refused, **refused})


def _from_timestamps(cells: pa.Array) -> Converted:
    """Converts timestamps of any unit, or dates; refuses those outside the years 1 to 9999."""
    if pa.types.is_date(cells.type):
        cells = cells.cast(pa.date32()).cast(pa.timestamp("s"))
    scale, ticks = PER_SECOND[cells.type.unit], pl.Series(cells.cast(pa.int64()))
    most = 2**63 - 1  # nanoseconds do not reach the year 1 or 9999
    first, last = max(_YEAR_1 * scale // 1_000_000, -most), min(_YEAR_9999 * scale // 1_000_000, most)
    outside = ((ticks < first) | (ticks > last)).fill_null(False)
    ticks = ticks.set(outside, None)
    micros = ticks * (1_000_000 // scale) if scale <= 1_000_000 else ticks // (scale // 1_000_000)
    refused = {int(row): "not between the years 1 and 9999" for row in np.flatnonzero(outside.to_numpy())}
    return Converted(micros.to_arrow().cast(pa.int64()).view(MICROSECONDS), refused)


def _refusing(values: pa.Array, texts: pl.Series, reason: str) -> Converted:
    missing = texts.is_not_null().to_numpy() & values.is_null().to_numpy(zero_copy_only=False)
    return Converted(values.cast(MICROSECONDS), {int(row): reason for row in np.flatnonzero(missing)})


def _parsed(text: str, form: str) -> int | None:
    """Parses a text by ``datetime.strptime``; microseconds since 1970, a time without a zone is UTC."""
    try:
        moment = datetime.strptime(text, form)
    except (ValueError, re.error):
        return None
    try:
        zoned = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        return None
    return (zoned - _EPOCH) // timedelta(microseconds=1)
