"""The years of lines whose times have none: the last line was written before the file was last changed.

From there, backwards: a line that lies later in its year than the next one is of the year before, since logs are in
order. Neighbours may be out of order by ``DISORDER``, as lines of several hosts are, also at New Year.
"""

from datetime import UTC, datetime, timedelta

import polars as pl

from transforms.raw.logs.format import LogFile

DISORDER = timedelta(days=2)
_LEAP_YEAR = 2000
_YEAR_S = 366 * 86_400
_LEAP_DAY_S = (59 * 86_400, 60 * 86_400)
_NO_CLOCK = 1981
"""Before this year, the time of a file is none."""


def seconds_of_year(times: pl.Series) -> pl.Series:
    """(lines,) seconds since the beginning of a leap year of times such as ``Jan  2 03:04:05``; -1 where it is none.

    >>> seconds_of_year(pl.Series(["Jan  2 00:00:01", "Feb 30 00:00:00"])).to_list()
    [86401, -1]
    """
    text = times.str.replace("  ", " ", literal=True).str.replace(r" [0-9]{4} ", " ")
    moments = (f"{_LEAP_YEAR} " + text).str.to_datetime("%Y %b %d %H:%M:%S", time_unit="us", strict=False)
    begin = int(datetime(_LEAP_YEAR, 1, 1, tzinfo=UTC).timestamp())
    return (moments.dt.epoch("s") - begin).fill_null(-1).cast(pl.Int32)


def years(seconds: pl.Series, modified: datetime) -> pl.Series:
    """(lines,) year of each line.

    Args:
        seconds: (lines,) seconds of the year of each line, oldest first; negative where a line has no time.
        modified: when the file was last changed.

    >>> december, january = 365 * 86_400, 0
    >>> years(pl.Series([december, january]), datetime(2024, 1, 3, tzinfo=UTC)).to_list()
    [2023, 2024]
    """
    if seconds.is_empty():
        return seconds
    times = seconds.set(seconds < 0, None).fill_null(strategy="forward").fill_null(strategy="backward").fill_null(0)
    latest = (modified if modified.year >= _NO_CLOCK else datetime.now(UTC)) + timedelta(days=1)
    begin = datetime(latest.year, 1, 1, tzinfo=UTC)
    leap = latest.year % 4 == 0
    of_last = int(times[-1]) - (0 if leap or int(times[-1]) < _LEAP_DAY_S[1] else 86_400)
    last_year = latest.year - (begin + timedelta(seconds=of_last) > latest)
    disorder = int(DISORDER.total_seconds())
    ahead = times.cast(pl.Int64) - times.cast(pl.Int64).shift(-1)  # of the next line
    is_before = (ahead > disorder).fill_null(False).cast(pl.Int32)
    is_after = (ahead < disorder - _YEAR_S).fill_null(False).cast(pl.Int32)
    result = last_year + (is_after - is_before).cum_sum(reverse=True)
    leap_years = result.filter((times >= _LEAP_DAY_S[0]) & (times < _LEAP_DAY_S[1]))
    return result if leap_years.is_empty() else result - int(leap_years[-1]) % 4


def next_years(seconds: pl.Series, file: LogFile) -> pl.Series:
    """(lines,) years of the next lines of a file, with all of its lines in view that were surveyed."""
    if file.dated is None and file.undated:
        file.dated = years(pl.concat(file.undated), file.modified)
        file.undated = []
    if file.dated is None or len(file.dated) < len(seconds):
        return years(seconds, file.modified)
    result, file.dated = file.dated.head(len(seconds)), file.dated.slice(len(seconds))
    return result
