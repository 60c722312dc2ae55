"""Times and numbers: one value and whole columns."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from transforms.raw.files.numbers import read_numbers
from transforms.raw.files.times import FORMS, read_time, read_times

MOMENT = datetime(2024, 3, 10, 8, 21, tzinfo=UTC)
SECONDS = 1_710_058_860
WRITTEN: list[Any] = [
    MOMENT,
    MOMENT.replace(tzinfo=None),
    MOMENT.astimezone(timezone(timedelta(hours=-5))),
    SECONDS,
    float(SECONDS),
    SECONDS * 1_000,
    SECONDS * 1_000_000,
    SECONDS * 1_000_000_000,
    str(SECONDS),
    f"{SECONDS}.000000",
    f" {SECONDS * 1_000} ",
    "2024-03-10T08:21:00Z",
    "2024-03-10T08:21:00.000+00:00",
    "2024-03-10 09:21+01:00",
    "2024-03-10 08:21:00 UTC",
    "10 Mar 2024, 08:21",
    "10 March 2024 08:21:00",
    "Mar 10, 2024, 8:21:00 AM",
    "Mar 10, 2024, 8:21:00\u202fAM",
    "Sun, 10 Mar 2024 09:21:00 +0100",
    "Sun Mar 10 08:21:00 2024",
    "10/Mar/2024:09:21:00 +0100",
    "10.03.2024 08:21",
    "2024/03/10 08:21:00",
    "20240310082100",
]


@pytest.mark.parametrize("written", WRITTEN, ids=str)
def test_one_time_in_every_form(written: Any) -> None:
    assert read_time(written) == MOMENT
    column = read_times(pl.Series("at", [written, None, written]))
    assert column.values.to_list() == [MOMENT, None, MOMENT]
    assert (column.values.name, column.values.dtype, column.refused) == ("at", pl.Datetime("us", "UTC"), {})


@pytest.mark.parametrize(
    "written", ["20240310", "2024-03-10", "10.03.2024", "10 Mar 2024", "10-Mar-2024", date(2024, 3, 10)]
)
def test_days_are_midnight(written: Any) -> None:
    assert read_time(written) == datetime(2024, 3, 10, tzinfo=UTC)
    assert read_times(pl.Series([written])).values.to_list() == [datetime(2024, 3, 10, tzinfo=UTC)]


@pytest.mark.parametrize("form", FORMS)
def test_value_and_column_agree(form: str) -> None:
    texts = [(MOMENT + timedelta(days=91 * number, seconds=7)).strftime(form) for number in range(8)]
    assert read_times(pl.Series(texts)).values.to_list() == [read_time(text) for text in texts]
    assert all(read_time(text) for text in texts)


@pytest.mark.parametrize(
    "refused",
    [
        0, "0", "1970-01-01T00:00:00Z", "01 Jan 1970, 00:00", "2999-01-01", 10**20, float("inf"), float("nan"), "soon",
        "", None, True, "03/04/2024", "2024-13-01", "9" * 5_000, [1], datetime.max,
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=9))),
    ],
    ids=lambda value: str(value)[:20],
)  # fmt: skip
def test_what_is_no_time(refused: Any) -> None:
    assert read_time(refused) is None


def test_decimals_are_kept() -> None:
    assert read_time("1710058860.25") == MOMENT + timedelta(seconds=0.25)
    assert read_time(Decimal("1710058860.000001")) == MOMENT + timedelta(microseconds=1)
    assert read_times(pl.Series([SECONDS + 0.25])).values[0] == MOMENT + timedelta(seconds=0.25)


@pytest.mark.parametrize(
    ("texts", "form", "first"),
    [
        (["03/04/2024", "13/04/2024"], "%d/%m/%Y", (2024, 4, 3)),
        (["03/04/2024", "03/14/2024"], "%m/%d/%Y", (2024, 3, 4)),
        (["30-04-2024 10:00", "01-05-2024 11:00"], "%d-%m-%Y %H:%M", (2024, 4, 30)),
        (["01/02/2024", "02/02/2024", "01/03/2024"], "%d/%m/%Y", (2024, 2, 1)),
        (["02/01/2024", "02/02/2024", "03/01/2024"], "%m/%d/%Y", (2024, 2, 1)),
        (["01/01/2024", "02/02/2024"], "%d/%m/%Y", (2024, 1, 1)),
        (["03/04/2024", "05/04/2024"], "either %d/%m/%Y or %m/%d/%Y", None),
    ],
)
def test_the_column_shows_whether_the_day_is_first(
    texts: list[str], form: str, first: tuple[int, int, int] | None
) -> None:
    times = read_times(pl.Series(texts))
    assert times.form == form
    moment = times.values[0]
    assert (moment and (moment.year, moment.month, moment.day)) == first
    assert len(times.refused) == (0 if first else 2)


def test_a_column_refuses_with_reasons() -> None:
    times = read_times(pl.Series(["2024-03-10", "1970-01-01", "soon", None, ""]))
    assert times.refused == {1: "not between 1980 and now", 2: "no time of the form ISO 8601"}
    assert read_times(pl.Series([5, 6])).refused == dict.fromkeys((0, 1), "no time of a known form")
    assert read_times(pl.Series([SECONDS, 0, SECONDS])).refused == {1: "not between 1980 and now"}
    assert read_times(pl.Series([True])).values.to_list() == [None]
    assert read_times(pl.Series([None, None])).refused == {}


@pytest.mark.parametrize(
    ("texts", "values", "measure"),
    [
        (["1,5", "2,75"], [1.5, 2.75], ""),
        (["1.234,5", "2,0"], [1234.5, 2.0], ""),
        (["1,234.5", "2.0"], [1234.5, 2.0], ""),
        (["1,234,567", "1,000"], [1234567, 1000], ""),
        (["1.234.567", "1.000"], [1234567, 1000], ""),
        (["1'234.5", "1 234.5", "1\u202f234.5"], [1234.5] * 3, ""),
        (["0,123", "10"], [0.123, 10], ""),
        (["-3.5E-2", "+7", ".5"], [-0.035, 7, 0.5], ""),
        (["12 %", "7.5%"], [0.12, 0.075], "ratio"),
        (["12 KiB", "1MiB", "7 B"], [12288, 1048576, 7], "bytes"),
        (["1 kB", "2 GB"], [1e3, 2e9], "bytes"),
        (["150 ms", "1.5 s", "2 min", "30 µs", "30 μs"], [0.15, 1.5, 120, 3e-5, 3e-5], "seconds"),
        (["", "NaN", "-", "5"], [None, None, None, 5], ""),
    ],
)
def test_numbers_of_a_column(texts: list[str], values: list[float | None], measure: str) -> None:
    numbers = read_numbers(pl.Series(texts))
    assert numbers.values.to_list() == pytest.approx(values)
    assert (numbers.measure, numbers.refused) == (measure, {})


def test_numbers_that_do_not_fit() -> None:
    numbers = read_numbers(pl.Series("x", ["5 ms", "x", "3 KiB", "1.2.3 ms", "7 ms", "1e999 s"]))
    assert numbers.values.to_list() == pytest.approx([0.005, None, None, None, 0.007, None])
    assert set(numbers.refused) == {1, 2, 3, 5}
    assert numbers.refused[2] == "a number without seconds"
    assert numbers.values.name == "x"


def test_the_delimiter_decides_where_the_column_does_not() -> None:
    assert read_numbers(pl.Series(["1,234"])).values.to_list() == [1234]
    assert read_numbers(pl.Series(["1,234"]), decimal=",").values.to_list() == [1.234]
    assert read_numbers(pl.Series([1, 2])).values.to_list() == [1.0, 2.0]
    assert read_numbers(pl.Series([1.0, float("nan"), float("inf")])).values.to_list() == [1.0, None, None]
