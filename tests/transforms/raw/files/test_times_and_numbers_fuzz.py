"""Any value as a time or a number: a value within its bounds or a reason, in bounded time."""

import time
from datetime import UTC, datetime
from decimal import Decimal
from math import isfinite
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.transforms.raw.files.mutations import Mutation, mutated, mutations
from transforms.raw.files.numbers import read_numbers
from transforms.raw.files.times import FIRST, latest, read_time, read_times

TIMES = [
    "2024-03-10T08:21:00.000+00:00", "10 Mar 2024, 08:21", "Mar 10, 2024, 8:21:00\u202fAM", "10.03.2024 08:21",
    "Sun, 10 Mar 2024 09:21:00 +0100", "10/Mar/2024:09:21:00 +0100", "03/04/2024", "13-04-2024 10:00 PM",
    "1710058860000", "1710058860.25", "20240310082100", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00",
]  # fmt: skip
NUMBERS = [
    "1.234,5",
    "1,234.5",
    "12 %",
    "7.5 KiB",
    "150 ms",
    "1e308 s",
    "-3.5E-2",
    "1'234",
    "0,123",
    "9e9 days",
]

damaged = st.builds(
    lambda text, changes: mutated(text.encode(), changes).decode(errors="replace")[:2_000],
    st.sampled_from(TIMES + NUMBERS),
    mutations(8),
)
texts = st.one_of(damaged, st.sampled_from(TIMES + NUMBERS), st.text(max_size=40), st.none())
values = st.one_of(
    texts,
    st.integers(),
    st.floats(),
    st.booleans(),
    st.decimals(),
    st.datetimes(),
    st.datetimes(timezones=st.timezones()),
    st.dates(),
    st.binary(max_size=9),
)
fuzz = settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


@fuzz
@given(value=values)
def test_a_value_is_a_time_within_bounds_or_none(value: Any) -> None:
    moment = read_time(value)
    assert moment is None or (FIRST <= moment <= latest() and moment.tzinfo is UTC)


@fuzz
@given(column=st.lists(texts, max_size=12))
def test_each_text_of_a_column_is_a_time_or_has_a_reason(column: list[str | None]) -> None:
    times = read_times(pl.Series("at", column, pl.String))
    assert len(times.values) == len(column)
    for row, (text, moment) in enumerate(zip(column, times.values, strict=True)):
        assert (moment is None) == (row in times.refused or not (text or "").strip())
        assert moment is None or FIRST <= moment <= latest()


@fuzz
@given(column=st.one_of(st.lists(st.floats()), st.lists(st.integers(-(2**63), 2**63 - 1)), st.lists(st.datetimes())))
def test_each_number_of_a_column_is_a_time_or_has_a_reason(column: list[Any]) -> None:
    times = read_times(pl.Series("at", column))
    for row, moment in enumerate(times.values):
        missing = isinstance(column[row], float) and column[row] != column[row]
        assert (moment is None) == (row in times.refused or missing)
        assert moment is None or FIRST <= moment <= latest()


@fuzz
@given(column=st.lists(texts, max_size=12), decimal=st.sampled_from(".,"))
def test_each_text_of_a_column_is_a_number_or_has_a_reason(column: list[str | None], decimal: str) -> None:
    numbers = read_numbers(pl.Series("x", column, pl.String), decimal)
    assert len(numbers.values) == len(column)
    for row, number in enumerate(numbers.values):
        assert number is None or isfinite(number)
        assert number is None or row not in numbers.refused


@fuzz
@given(changes=mutations(8), text=st.sampled_from(TIMES))
def test_a_damaged_time_does_not_change_the_others(changes: list[Mutation], text: str) -> None:
    good = [f"2024-03-{day:02}T10:00:00Z" for day in range(1, 29)]
    bad = mutated(text.encode(), changes).decode(errors="replace")
    assert read_times(pl.Series([*good, bad])).values[:28].to_list() == [datetime.fromisoformat(day) for day in good]


HOSTILE = {
    "digits": "9" * 1_000_000,
    "points": "1." * 500_000,
    "commas": "1," * 500_000,
    "spaces": " " * 1_000_000 + "x",
    "months": "January " * 100_000,
    "weekdays": "Mon, " * 200_000,
    "signs": "+-" * 500_000,
    "exponents": "1e" * 500_000,
    "letters": "1" + "a" * 1_000_000,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_texts_take_no_time(kind: str) -> None:
    started = time.process_time()
    text = HOSTILE[kind]
    assert read_time(text) is None
    assert read_times(pl.Series([text, "2024-03-10"])).refused.keys() == {0}
    assert read_numbers(pl.Series([text, "1"])).values.to_list()[1] == 1
    assert time.process_time() - started < 5


HUGE: dict[str, Any] = {
    "large": Decimal("1e999999"),
    "small": Decimal("1e-999999"),
    "signaling": Decimal("sNaN"),
    "whole": 10**5_000,
    "negative": -(10**5_000),
}


@pytest.mark.parametrize("kind", HUGE)
def test_numbers_of_any_size_take_no_time(kind: str) -> None:
    started = time.process_time()
    assert read_time(HUGE[kind]) is None
    assert time.process_time() - started < 1
