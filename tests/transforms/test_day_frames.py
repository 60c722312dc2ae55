"""Rows of days are kept up to a limit, and what is kept is what was added last."""

from datetime import date, timedelta

import polars as pl

from transforms.day_frames import DayFrames

DAYS = [date(2026, 1, 1) + timedelta(days=number) for number in range(6)]


def rows(*numbers: int) -> pl.DataFrame:
    return pl.DataFrame({"n": numbers})


def kept(frames: DayFrames) -> dict[int, list[int]]:
    return {DAYS.index(day): frame["n"].to_list() for day, frame in frames.get(DAYS).items()}


def test_the_oldest_batch_is_forgotten() -> None:
    frames = DayFrames(most_rows=4)
    frames.add({DAYS[0]: rows(1), DAYS[1]: rows()})
    frames.add({DAYS[2]: rows(2, 2)})
    assert kept(frames) == {0: [1], 1: [], 2: [2, 2]}
    frames.add({DAYS[3]: rows(3, 3)})
    assert kept(frames) == {2: [2, 2], 3: [3, 3]}


def test_a_large_batch_is_not_kept_and_ends_what_it_replaces() -> None:
    frames = DayFrames(most_rows=2)
    frames.add({DAYS[0]: rows(1), DAYS[1]: rows(1)})
    frames.add({DAYS[0]: rows(2, 2, 2)})
    assert kept(frames) == {1: [1]}


def test_rows_that_were_added_again_are_the_new_ones() -> None:
    frames = DayFrames(most_rows=10)
    frames.add({DAYS[0]: rows(1), DAYS[1]: rows(1)})
    frames.add({DAYS[0]: rows(2)})
    assert kept(frames) == {0: [2], 1: [1]}
