"""The step of regular times: seconds to weeks, or months, quarters and years of the calendar."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from feature_repo.errors import InputError

SECOND, DAY = 1_000_000, 86_400_000_000
_UNITS = {"s": SECOND, "min": 60 * SECOND, "h": 3_600 * SECOND, "d": DAY, "w": 7 * DAY}
_MONTHS = {"mo": 1, "q": 3, "y": 12}
_STEP = re.compile(r"^([1-9][0-9]{0,3})(s|min|h|d|w|mo|q|y)$")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Step:
    """The length of a step.

    Attributes:
        micros: length in microseconds; 0 for months.
        months: length in months of the calendar; 0 for a fixed length.
        anchor: microseconds since 1970 at which a step of fixed length begins.
    """

    micros: int = 0
    months: int = 0
    anchor: int = 0

    def numbers(self, times: pl.Series) -> np.ndarray:
        """(n,) number of the step in which each time lies."""
        if self.months:
            return np.asarray((times.dt.year().cast(pl.Int64) * 12 + times.dt.month() - 1) // self.months)
        return np.asarray((times.dt.timestamp("us").to_numpy() - self.anchor) // self.micros)

    def moment(self, number: int) -> datetime:
        """The beginning of a step."""
        if self.months:
            year, month = divmod(number * self.months, 12)
            return datetime(year, month + 1, 1, tzinfo=UTC)
        return _EPOCH + timedelta(microseconds=self.anchor + number * self.micros)

    @property
    def seasons(self) -> tuple[int, ...]:
        """Usual lengths of seasons in steps, the shortest first."""
        if self.months:
            return (12 // self.months,) if self.months < 12 else ()
        spans = (DAY, 7 * DAY) if self.micros < DAY else (7 * DAY,) if self.micros == DAY else ()
        seasons = [span // self.micros for span in spans if span % self.micros == 0 and span // self.micros <= 1_000]
        return (52,) if self.micros == 7 * DAY else tuple(season for season in seasons if season > 1)

    @property
    def words(self) -> str:
        """The length in words.

        >>> Step(micros=2 * 3_600 * SECOND).words, Step(months=1).words
        ('2 h', '1 month')
        """
        if self.months:
            count, unit = (self.months // 12, "year") if self.months % 12 == 0 else (self.months, "month")
            return f"{count} {unit}{'' if count == 1 else 's'}"
        unit = next((name for name, size in reversed(_UNITS.items()) if self.micros % size == 0), "")
        return f"{self.micros // _UNITS[unit]} {unit}" if unit else f"{self.micros / SECOND:g} s"


def parse_step(text: str) -> Step:
    """Reads a step such as ``1h``.

    Raises:
        InputError: it is none.

    >>> parse_step("1w").micros == 7 * DAY, parse_step("1q").months
    (True, 3)
    """
    match = _STEP.match(text.strip().lower())
    if match is None:
        raise InputError(
            expected="a step: a number and s, min, h, d, w, mo, q or y",
            found=repr(text),
            next_command="repeat the command with --step 1d",
        )
    count, unit = int(match[1]), match[2]
    if unit in _MONTHS:
        return Step(months=count * _MONTHS[unit])
    anchor = -3 * DAY if unit == "w" else 0  # 1970 began on a Thursday; weeks begin on Mondays
    return Step(count * _UNITS[unit], anchor=anchor)


def likely_step(groups: Sequence[pl.Series]) -> Step | None:
    """Finds the step of the times of several series: the most frequent distance of neighbours.

    Args:
        groups: times of each series, in any order.

    Returns:
        The step; None if no two times of a series differ.
    """
    distances, all_times = [], []
    for times in groups:
        unique = times.drop_nulls().unique().sort()
        all_times.append(unique)
        distances.append(np.diff(unique.dt.timestamp("us").to_numpy()))
    gaps = np.concatenate(distances) if distances else np.zeros(0, np.int64)
    if not len(gaps):
        return None
    joined = pl.concat(all_times)
    if gaps.min() >= 28 * DAY and joined.dt.day().n_unique() == 1:
        months = np.unique(joined.dt.year().cast(pl.Int64).to_numpy() * 12 + joined.dt.month().to_numpy())
        months_apart = np.diff(months)
        return Step(months=int(np.gcd.reduce(months_apart))) if len(months_apart) else None
    if gaps.min() >= 27 * DAY and (joined.dt.day() >= 28).all() and np.median(gaps) <= 31 * DAY:
        return Step(months=1)  # the last days of months
    values, counts = np.unique(gaps, return_counts=True)
    step = int(values[counts.argmax()])
    first = joined.dt.timestamp("us").min()
    assert isinstance(first, int)
    return Step(step, anchor=first % step)
