"""Days of a run: moments of days, frames by day, and days that are done together."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import polars as pl

from feature_repo.windows.table import DAY
from transforms.raw.days import RawDays

CHUNK_DAYS = 400
CHUNK_EVENTS = 2_500_000
"""A chunk of work needs so many days or events at the most, whichever comes first: memory does not grow with the years,
nor with how much is played a day. Where what windows reach back to is most of the events already, a chunk has as many
of its own beside, so that nothing is read over and over.
"""

ONE_DAY = timedelta(days=1)


def chunks(needs: list[tuple[date, set[date]]], days: RawDays, most: int | None = None) -> Iterator[list[date]]:
    """Days that are done together.

    Args:
        needs: days, oldest first, and those whose events each needs.
        days: how many events they have.
        most: events on the days of one chunk themselves.
    """
    chunk: list[date] = []
    loaded: set[date] = set()
    most = most or CHUNK_EVENTS
    for day, used in needs:
        grown = loaded | used
        far = bool(chunk) and (day - chunk[-1]).days > CHUNK_DAYS
        own, all_of_them = sum(days.rows.get(one, 0) for one in (*chunk, day)), sum(days.rows[one] for one in grown)
        full = len(chunk) >= CHUNK_DAYS or own > most or (all_of_them > CHUNK_EVENTS and 2 * own > all_of_them)
        if chunk and (far or full):
            yield chunk
            chunk, grown = [], set(used)
        chunk, loaded = [*chunk, day], grown
    if chunk:
        yield chunk


def by_day(frame: pl.DataFrame, at: pl.Expr) -> dict[date, pl.DataFrame]:
    """Rows of each day, by their time ``at`` in microseconds."""
    parts = frame.with_columns(_day=at // DAY).partition_by("_day", as_dict=True, include_key=False)
    return {date_of(int(day) * DAY): part for (day,), part in parts.items()}


def micros(day: date) -> int:
    """First moment of a day, since 1970."""
    return (day - date(1970, 1, 1)).days * DAY


def date_of(at: int) -> date:
    """Day of a moment."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)).date()
