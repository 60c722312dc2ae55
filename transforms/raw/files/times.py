"""Times of a value, or of a column: ISO 8601, counted since 1970, or in the usual forms of texts."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from feature_repo.stores.spine import parse_instants
from transforms.raw.table import CLOCK_TOLERANCE, MICROSECONDS_UTC

UNITS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
"""Unit of numeric times → its name."""

PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}

FIRST = datetime(1980, 1, 1, tzinfo=UTC)
"""Earliest time; the latest is a day from now. Earlier ones are of devices without a clock, or no times."""

LAST = datetime(2100, 1, 1, tzinfo=UTC)
"""Latest time by which a unit is recognized; a time of the future is refused for this true reason."""

MAJORITY = 0.9
"""Least share of the numbers that must be times of one unit for it to be recognized."""

FORMS = (
    "%Y%m%d",
    "%Y%m%d%H%M%S",
    "%Y/%m/%d",
    "%Y/%m/%d %H:%M:%S",
    "%d.%m.%Y",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y %H:%M:%S",
    "%d %b %Y",
    "%d %b %Y %H:%M",
    "%d %b %Y %H:%M:%S",
    "%d-%b-%Y",
    "%b %d %Y",
    "%b %d %Y %H:%M",
    "%b %d %Y %H:%M:%S",
    "%b %d %Y %I:%M:%S %p",
    "%b %d %H:%M:%S %Y",
    "%d/%b/%Y:%H:%M:%S %z",
    "%d %b %Y %H:%M:%S %z",
)
"""Forms of texts that have one meaning. Commas, names of weekdays and `` UTC`` are taken out before."""

DAY_FIRST = tuple(f"%d{mark}%m{mark}%Y{clock}" for mark in "/-" for clock in ("", " %H:%M", " %H:%M:%S", " %I:%M %p"))
"""Forms that may also mean the month first."""

NUMERIC = r"^[+-]?[0-9]+(\.[0-9]+)?$"
_WEEKDAY = r"^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? +"
_UTC = r" *(?:UTC|GMT)$"
_MONTH = r"\b(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]+\.?"
_PUNCTUATION = r" *,+ *| {2,}|\u202f"


@dataclass(frozen=True)
class Times:
    """A column of times.

    Attributes:
        values: (rows,) microseconds in UTC; null for a missing or refused time.
        form: how they are written, in words.
        refused: number of the row → reason.
    """

    values: pl.Series
    form: str
    refused: dict[int, str]


def read_time(value: object) -> datetime | None:
    """The time of one value; None if it is missing, no time, before 1980 or in the future.

    A number is in that unit since 1970 in which it is such a time. A time without a zone is UTC. A text in which the
    day and the month may be exchanged is none: see ``read_times``.

    >>> read_time("10 Mar 2024, 08:21").isoformat(), read_time("1710058860000").isoformat(), read_time(0)
    ('2024-03-10T08:21:00+00:00', '2024-03-10T08:21:00+00:00', None)
    """
    match value:
        case datetime():
            return _within(value)
        case date():
            return _within(datetime(value.year, value.month, value.day, tzinfo=UTC))
        case bool() | None:
            return None
        case int() | float() | Decimal():
            return _of_number(value)
    return _of_text(str(value).strip()[:100])


def _of_text(text: str) -> datetime | None:
    if re.match(NUMERIC, text) and (moment := _of_number(Decimal(text))):
        return moment
    if len(text) >= 10 and text[4:5] == "-":
        try:
            return _within(datetime.fromisoformat(text))
        except ValueError:
            pass
    plain = re.sub(_PUNCTUATION, " ", re.sub(_MONTH, r"\1", re.sub(_UTC, "", re.sub(_WEEKDAY, "", text)))).strip()
    candidates = (_parsed(plain, form) for form in (*FORMS, "%Y-%m-%d %H:%M:%S"))
    return next((moment for moment in candidates if moment), None)


def read_times(values: pl.Series) -> Times:
    """The times of a column, which is read as a whole: its unit, and whether the day or the month comes first.

    Where the first of two numbers is above 12, it is the day; where the column shows neither, the order in which the
    times rise decides; where that shows nothing, they are refused.

    Args:
        values: (rows,) timestamps, dates, numbers or texts.

    >>> read_times(pl.Series(["03/04/2024", "13/04/2024"])).form
    '%d/%m/%Y'
    >>> read_times(pl.Series([1710058860, 0])).refused
    {1: 'not between 1980 and now'}
    """
    if values.dtype.is_temporal():
        moments, form = _of_timestamps(values), "timestamps"
        given = values.is_not_null()
    elif values.dtype.is_numeric():
        values = values.fill_nan(None) if values.dtype.is_float() else values
        moments, form = _of_numbers(values)
        given = values.is_not_null()
    else:
        texts = values.cast(pl.String, strict=False).str.strip_chars()
        texts = texts.set(texts == "", None)
        moments, form = _of_texts(texts)
        given = texts.is_not_null()
    outside = ((moments < FIRST) | (moments > latest())).fill_null(False)
    reasons = pl.select(
        pl.when(outside)
        .then(pl.lit("not between 1980 and now"))
        .when(given & moments.is_null())
        .then(pl.lit(_no_time(form)))
    ).to_series()
    refused = {int(row): str(reasons[row]) for row in reasons.is_not_null().arg_true()}
    kept = moments.set(outside, None).cast(MICROSECONDS_UTC).alias(values.name)
    return Times(kept, form, refused)


def _no_time(form: str) -> str:
    if form.startswith("either"):
        return f"{form}: the column does not show whether the day or the month comes first"
    return f"no time of the form {form}" if form else "no time of a known form"


def _of_timestamps(values: pl.Series) -> pl.Series:
    if values.dtype == pl.Date:
        return values.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    zone = getattr(values.dtype, "time_zone", None)
    if not isinstance(values.dtype, pl.Datetime):
        return pl.Series([None] * len(values), dtype=MICROSECONDS_UTC)
    zoned = values.dt.convert_time_zone("UTC") if zone else values.dt.replace_time_zone("UTC")
    return zoned.cast(MICROSECONDS_UTC)


def _of_numbers(numbers: pl.Series) -> tuple[pl.Series, str]:
    unit = recognized_unit(numbers.filter(numbers != 0))  # 0 is a device without a clock
    if not unit:
        return pl.Series([None] * len(numbers), dtype=MICROSECONDS_UTC), ""
    scale = PER_SECOND[unit]
    if numbers.dtype.is_integer():
        wide = numbers.cast(pl.Int64, strict=False)
        limit = 2**62 // 1_000_000
        wide = (
            wide.set(((wide > limit * scale) | (wide < -limit * scale)).fill_null(False), None) if scale == 1 else wide
        )
        micros = wide * (1_000_000 // scale) if scale <= 1_000_000 else wide // (scale // 1_000_000)
    else:
        rounded = (numbers.cast(pl.Float64) * (1_000_000 / scale)).round()
        micros = rounded.cast(pl.Int64, strict=False)
    return micros.cast(MICROSECONDS_UTC), f"{UNITS[unit]} since 1970"


def recognized_unit(numbers: pl.Series) -> str:
    """The unit in which most of the numbers are times between ``FIRST`` and ``LAST``; empty if there is none.

    >>> recognized_unit(pl.Series([1710058860.5]))
    's'
    """
    known = numbers.drop_nulls().cast(pl.Float64, strict=False)
    shares = {unit: float(is_likely(known, unit).sum()) / max(len(known), 1) for unit in UNITS}
    unit = max(shares, key=lambda name: shares[name])
    return unit if shares[unit] >= MAJORITY else ""


def is_likely(numbers: pl.Series, unit: str) -> pl.Series:
    """(rows,) whether numbers are times of a unit between ``FIRST`` and ``LAST``.

    >>> is_likely(pl.Series([1710058860, 5]), "s").to_list()
    [True, False]
    """
    scale = PER_SECOND[unit]
    return ((numbers >= FIRST.timestamp() * scale) & (numbers < LAST.timestamp() * scale)).fill_null(False)


def _of_texts(texts: pl.Series) -> tuple[pl.Series, str]:
    known = texts.drop_nulls()
    numeric = known.filter(known.str.contains(NUMERIC))
    if len(known) and 2 * len(numeric) >= len(known):
        is_whole = not numeric.str.contains(".", literal=True).any()
        numbers = texts.cast(pl.Int64 if is_whole else pl.Float64, strict=False)
        moments, form = _of_numbers(numbers)
        if form:
            return moments, form
    plain = (
        texts.str.replace(_WEEKDAY, "")
        .str.replace(_MONTH, "${1}")
        .str.replace(_UTC, "")
        .str.replace_all(_PUNCTUATION, " ")
        .str.strip_chars()
    )
    iso = parse_instants(plain).cast(MICROSECONDS_UTC)
    best: pl.Series = iso
    form = "ISO 8601" if iso.is_not_null().any() else ""
    for candidate in FORMS:
        if best.is_not_null().sum() == len(known):
            break
        moments = _in_form(plain, candidate)
        form = candidate if moments.is_not_null().sum() > best.is_not_null().sum() else form
        best = best.zip_with(best.is_not_null(), moments)
    if best.is_not_null().sum() < len(known):
        ordered, ambiguous = _in_either_order(plain)
        if ordered is not None:
            form = ambiguous if ordered.is_not_null().sum() > best.is_not_null().sum() else form
            best = best.zip_with(best.is_not_null(), ordered)
        elif ambiguous and not best.is_not_null().any():
            form = ambiguous
    return best, form


def _in_either_order(texts: pl.Series) -> tuple[pl.Series | None, str]:
    """Decides by the whole column whether the day or the month comes first; None if it shows neither."""
    for form in DAY_FIRST:
        other = form.replace("%d", "%_").replace("%m", "%d").replace("%_", "%m")
        day_first, month_first = _in_form(texts, form), _in_form(texts, other)
        days, months = int(day_first.is_not_null().sum()), int(month_first.is_not_null().sum())
        if not days and not months:
            continue
        if days != months:
            return (day_first, form) if days > months else (month_first, other)
        if day_first.equals(month_first):
            return day_first, form
        rises = [_is_sorted(moments) for moments in (day_first, month_first)]
        if rises[0] != rises[1]:
            return (day_first, form) if rises[0] else (month_first, other)
        return None, f"either {form} or {other}"
    return None, ""


def _is_sorted(moments: pl.Series) -> bool:
    known = moments.drop_nulls()
    return len(known) > 2 and bool(known.is_sorted() or known.is_sorted(descending=True))


def _in_form(texts: pl.Series, form: str) -> pl.Series:
    zone = "%z" in form
    if not zone and any(part in form for part in ("%H", "%I")):
        return texts.str.to_datetime(form, time_unit="us", time_zone="UTC", strict=False)
    if zone:
        return texts.str.to_datetime(form, time_unit="us", strict=False).cast(MICROSECONDS_UTC)
    return texts.str.to_date(form, strict=False).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def _of_number(value: Any) -> datetime | None:
    for scale in PER_SECOND.values():
        try:
            moment = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(value * 1_000_000) // scale)
        except (OverflowError, ValueError, ArithmeticError):
            continue
        if _within(moment):
            return moment
    return None


def _within(moment: datetime) -> datetime | None:
    try:
        zoned = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        return None
    return zoned if FIRST <= zoned <= latest() else None


def latest() -> datetime:
    """The latest time that is not of the future, by a clock that may be off by ``CLOCK_TOLERANCE``."""
    return datetime.now(UTC) + CLOCK_TOLERANCE


def _parsed(text: str, form: str) -> datetime | None:
    try:
        return _within(datetime.strptime(text, form))
    except ValueError:
        return None
