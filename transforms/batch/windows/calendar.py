"""Days of a run: conversion of days and moments, frames by day, and chunks of days that are computed together."""

from collections.abc import Iterator
from datetime import date, timedelta

import polars as pl

from feature_repo.windows.table import DAY
from transforms.raw.days import RawDays

CHUNK_DAYS = 400
CHUNK_EVENTS = 2_500_000
"""Most days or events that a chunk of work reads, whichever is reached first, so that memory grows neither with the
years nor with the events per day. If most of the events are read only because windows reach back to them, a chunk may
have as many events of its own, so that events are not read many times.
"""

ONE_DAY = timedelta(days=1)
_FIRST_DAY = date(1970, 1, 1).toordinal()


def chunks(needs: list[tuple[date, set[date]]], days: RawDays, limit: int | None = None) -> Iterator[list[date]]:
    """Divides days into chunks that are computed together.

    Args:
        needs: days, oldest first, and for each the days whose events it needs.
        days: the raw table, with the number of events of each day.
        limit: most events on a chunk's own days.
    """
    chunk: list[date] = []
    loaded: set[date] = set()
    own_events = total_events = 0
    limit = limit or CHUNK_EVENTS
    for day, used in needs:
        is_far = bool(chunk) and (day - chunk[-1]).days > CHUNK_DAYS
        added = used - loaded
        own_after = own_events + days.rows.get(day, 0)
        total_after = total_events + sum(days.rows[used_day] for used_day in added)
        is_too_large = own_after > limit or (total_after > CHUNK_EVENTS and 2 * own_after > total_after)
        is_full = len(chunk) >= CHUNK_DAYS or is_too_large
        if chunk and (is_far or is_full):
            yield chunk
            chunk, loaded, added = [], set(), used
            own_after, total_after = days.rows.get(day, 0), sum(days.rows[used_day] for used_day in used)
        chunk.append(day)
        loaded |= added
        own_events, total_events = own_after, total_after
    if chunk:
        yield chunk


def by_day(frame: pl.DataFrame, at: pl.Expr) -> dict[date, pl.DataFrame]:
    """Splits rows by the day of their time ``at`` in microseconds."""
    parts = frame.with_columns(_day=at // DAY).partition_by("_day", as_dict=True, include_key=False)
    return {date_of(int(day) * DAY): part for (day,), part in parts.items()}


def micros(day: date) -> int:
    """First moment of a day, microseconds since 1970."""
    return (day - date(1970, 1, 1)).days * DAY


def date_of(at: int) -> date:
    """Day of a moment in microseconds since 1970."""
    return date.fromordinal(_FIRST_DAY + at // DAY)
