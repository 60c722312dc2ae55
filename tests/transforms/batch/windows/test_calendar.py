"""Chunks of days: as many days as fit in memory, and few repeated reads of the days before a chunk."""

from datetime import date, timedelta

import pytest

from tests.music import TABLES
from transforms.batch.windows import calendar
from transforms.batch.windows.calendar import chunks
from transforms.raw.days import RawDays

YEAR = [date(2025, 1, 1) + timedelta(days=number) for number in range(365)]
REACH = 28


def lookback_days(day: date) -> set[date]:
    return {earlier for earlier in YEAR if day - timedelta(days=REACH) <= earlier < day}


def day_chunks(plays_a_day: int, most: int | None = None) -> list[list[date]]:
    days = RawDays({}, dict.fromkeys(YEAR, plays_a_day), {}, TABLES["plays"])
    return list(chunks([(day, lookback_days(day)) for day in YEAR], days, most))


@pytest.mark.parametrize("plays_a_day", [0, 1, 2_700, 27_000, 83_000, 140_000, 3_000_000])
def test_each_day_once_and_in_order(plays_a_day: int) -> None:
    assert [day for chunk in day_chunks(plays_a_day) for day in chunk] == YEAR


def test_few_plays_are_done_at_once() -> None:
    assert len(day_chunks(2_700)) == 1


@pytest.mark.parametrize("plays_a_day", [27_000, 83_000, 140_000])
def test_what_is_looked_back_to_is_not_read_again_for_each_day(plays_a_day: int) -> None:
    all_chunks = day_chunks(plays_a_day)
    days_read = sum(len(set.union(*map(lookback_days, chunk))) for chunk in all_chunks)
    assert days_read <= 3 * len(YEAR)
    events = [len(set.union(set(chunk), *map(lookback_days, chunk))) * plays_a_day for chunk in all_chunks]
    assert max(events) <= calendar.CHUNK_EVENTS + REACH * plays_a_day


def test_days_that_are_too_large_are_done_alone() -> None:
    assert max(map(len, day_chunks(3_000_000))) == 1
    assert max(map(len, day_chunks(3_000, most=6_000))) == 2
