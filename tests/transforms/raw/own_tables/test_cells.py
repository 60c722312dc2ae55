"""Columns are converted as a naive reading of each cell says; times of every unit and format become instants."""

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import hypothesis.strategies as st
import pyarrow as pa
import pytest
from hypothesis import given, settings

from transforms.raw.own_tables import booleans
from transforms.raw.own_tables.cells import Form, convert
from transforms.raw.own_tables.times import UNITS, TimeForm, convert_times, likely_unit, recognize, suggestion

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
BAD = object()


YES = (
    "true t yes y 1 on x ja j oui o sí si sì s sim да д ✓ ✔ wahr vrai verdadero vero verdadeiro waar tak prawda истина"
)
NO = "false f no n 0 off nein non não nao нет н falsch faux falso nee onwaar nej nie fałsz ложь"
BOOLEANS = {**dict.fromkeys(YES.split(), True), **dict.fromkeys(NO.split(), False)}
FLOAT = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"


def naive(text: str, dtype: str) -> Any:
    """A cell of a CSV file in a declared type; ``BAD`` if it does not fit."""
    word = text.strip()
    if text == "" or (dtype != "String" and word == ""):
        return None
    value: Any = text
    if dtype == "Bool":
        value = BOOLEANS.get(word.lower(), BAD)
    if dtype == "Int64":
        value = int(word.partition(".")[0]) if re.fullmatch(r"-?[0-9]+(\.0*)?", word) else BAD
        value = value if value is BAD or -(2**63) <= value < 2**63 else BAD
    if dtype == "Float64":
        value = float(word) if re.fullmatch(FLOAT, word) else BAD
        value = value if value is BAD or abs(value) != float("inf") else BAD
    if dtype == "Date":
        day = re.sub(r"[T ]00:00(:00)?$", "", word)
        try:
            value = day if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", day) and date.fromisoformat(day) else BAD
        except ValueError:
            value = BAD
    return value


CELLS = st.one_of(
    st.sampled_from(["", " ", "Ja", "нет", " x ", "OUI"]),
    st.sampled_from(["true", "T", "YES", "no", "0", "1", "7.0", "7.", "-7.00", "7.5", "1e3", "1e999", "nan"]),
    st.sampled_from(["9223372036854775807", "9223372036854775808", "-9223372036854775808.0", "007", "+1", "١"]),
    st.integers(-(2**65), 2**65).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(str),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    st.integers(0, 9).map(lambda number: f" {number} "),
    st.dates().map(str),
    st.sampled_from(["2026-02-29", "2026-3-1", "20260301", "2026-03-01 00:00:00", "2026-03-01T12:00", "0000-01-01"]),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(CELLS, max_size=6), st.sampled_from(["String", "Int64", "Bool", "Float64", "Date"]))
def test_a_column_of_texts_is_as_each_of_its_cells(cells: list[str], dtype: str) -> None:
    expected = [naive(cell, dtype) for cell in cells]
    converted = convert(pa.array(cells, pa.string()), dtype, Form(is_text=True))
    assert converted.values.to_pylist() == [None if value is BAD else value for value in expected]
    assert sorted(converted.refused) == [row for row, value in enumerate(expected) if value is BAD]


@pytest.mark.parametrize(
    ("cells", "dtype", "expected"),
    [
        (pa.array([date(2026, 3, 1), None, date(9, 1, 1)]), "Date", ["2026-03-01", None, "0009-01-01"]),
        (pa.array([date(2026, 3, 1), None], pa.date64()), "Date", ["2026-03-01", None]),
        (pa.array([datetime(2026, 3, 1), NOON.replace(tzinfo=None), None]), "Date", ["2026-03-01", BAD, None]),
        (pa.array([datetime(2026, 3, 1, tzinfo=UTC)], pa.timestamp("ns", "UTC")), "Date", ["2026-03-01"]),
        (pa.array([datetime(2026, 2, 28, 23, tzinfo=UTC)], pa.timestamp("ms", "Europe/Paris")), "Date", ["2026-03-01"]),
        (pa.array([3_000_000], pa.int32()).cast(pa.date32()), "Date", [BAD]),
        (pa.array([20_260_301]), "Date", [BAD]),
        (pa.array([1, 0, None, 2]), "Bool", [True, False, None, BAD]),
        (pa.array([1.0, 0.0, float("nan"), 0.5]), "Bool", [True, False, None, BAD]),
        (pa.array(["Yes", "f", None, "maybe"]), "Bool", [True, False, None, BAD]),
        (
            pa.array(["Ja", "NEIN", "oui", "non", "sí", "SI", "no"]),
            "Bool",
            [True, False, True, False, True, True, False],
        ),
        (pa.array(["Да", "нет", "sim", "NÃO", "x", "X"]), "Bool", [True, False, True, False, True, True]),
        (pa.array(["WAHR", "falsch", "Vrai", "FAUX", "y", "N"]), "Bool", [True, False, True, False, True, False]),
        (pa.array([True, False, None]), "Bool", [True, False, None]),
        (pa.array([True, False]), "Int64", [BAD, BAD]),
        (pa.array([True]), "String", [BAD]),
        (pa.array([1.0, None, float("nan"), 1.5, float("inf")]), "Int64", [1, None, None, BAD, BAD]),
        (pa.array([1.0, 1.5, 2.0**60]), "String", ["1", BAD, BAD]),
        (pa.array([2.0**25], pa.float32()), "Int64", [BAD]),
        (pa.array([Decimal("7.00"), Decimal("7.50"), None]), "Int64", [7, BAD, None]),
        (pa.array([Decimal("7.50")]), "Float64", [7.5]),
        (pa.array([1, None], pa.uint64()), "Float64", [1.0, None]),
        (pa.array([1.5, float("nan"), float("inf"), None]), "Float64", [1.5, None, BAD, None]),
        (pa.array([2**64 - 1], pa.uint64()), "Int64", [BAD]),
        (pa.array(["a", "b", "a", None]).dictionary_encode(), "String", ["a", "b", "a", None]),
        (pa.array(["1", "x", "1"]).dictionary_encode(), "Int64", [1, BAD, 1]),
        (pa.array([b"a", b"\xff"]), "String", ["a", BAD]),
        (pa.array(["a"], pa.large_string()), "String", ["a"]),
        (pa.array(["a"], pa.string_view()), "String", ["a"]),
        (pa.nulls(2), "Int64", [None, None]),
        (pa.array([[1], None]), "String", [BAD, None]),
        (pa.array([{"a": 1}]), "Float64", [BAD]),
        (pa.array([NOON]), "String", [BAD]),
        ([1, "2", 3.0, None, True, 4.5, {}], "Int64", [1, 2, 3, None, BAD, BAD, BAD]),
        ([1, "x", 3.0, None, True, 4.5, []], "String", ["1", "x", "3", None, BAD, BAD, BAD]),
        ([1, "no", 0.0, None, True, 4.5, []], "Bool", [True, False, False, None, True, BAD, BAD]),
        ([1, "2.5", 3.0, None, True, "x", 10**400], "Float64", [1.0, 2.5, 3.0, None, BAD, BAD, BAD]),
    ],
)
def test_typed_columns(cells: Any, dtype: str, expected: list[Any]) -> None:
    converted = convert(cells, dtype)
    assert converted.values.to_pylist() == [None if value is BAD else value for value in expected]
    assert sorted(converted.refused) == [row for row, value in enumerate(expected) if value is BAD]


def test_texts_of_keys_that_a_program_wrote_as_floats() -> None:
    converted = convert(pa.array(["17.0", "18.5", "", "x"]), "String", Form(is_text=True, are_floats=True))
    assert converted.values.to_pylist() == ["17", None, None, "x"]
    assert converted.refused == {1: "not a whole number"}


def test_decimal_commas() -> None:
    form = Form(is_text=True, decimal=",")
    converted = convert(pa.array(["7,5", "7", "1.250", "1.250,5", "-,5"]), "Float64", form)
    assert converted.values.to_pylist() == [7.5, 7.0, None, None, -0.5]
    assert convert(pa.array(["7,0", "7,5"]), "Int64", form).values.to_pylist() == [7, None]


@pytest.mark.parametrize("dtype", ["String", "Int64", "Bool", "Float64"])
@pytest.mark.parametrize(
    "cells",
    [
        pa.array([1.5, None], pa.float16()),
        pa.array([[1]]),
        pa.array([[1]], pa.list_(pa.int64(), 1)),
        pa.array([{"a": 1}]),
        pa.array([timedelta(1)]),
        pa.array([NOON.time()]),
        pa.array([NOON.date()]),
        pa.array([b"\xff\xff"], pa.binary(2)),
        pa.array([b"\xff" * 16], pa.uuid()),
        pa.array([[(1, 2)]], pa.map_(pa.int64(), pa.int64())),
        pa.DictionaryArray.from_arrays(pa.array([0]), pa.array([1.5])),
    ],
    ids=lambda cells: str(cells.type) if isinstance(cells, pa.Array) else cells,
)
def test_a_column_of_any_type_is_converted_or_refused(cells: pa.Array, dtype: str) -> None:
    converted = convert(cells, dtype)
    assert len(converted.values) == len(cells)
    assert set(converted.refused) == {
        row for row, value in enumerate(converted.values.to_pylist()) if value is None and cells[row].is_valid
    }


def test_texts_that_are_not_utf8_are_refused() -> None:
    broken = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.array([0, 1, 2], pa.int32()).buffers()[1], pa.py_buffer(b"a\xff")]
    )
    converted = convert(broken, "String")
    assert converted.values.to_pylist() == ["a", None]
    assert list(converted.refused) == [1]


@pytest.mark.parametrize("cells", [["", "x", " "], [None, "X", None], ["", "✓", None]])
def test_a_mark_and_blanks_are_true_and_false(cells: list[str | None]) -> None:
    form = Form(is_text=True, is_blank_false=True)
    assert convert(pa.array(cells, pa.string()), "Bool", form).values.to_pylist() == [False, True, False]
    assert convert(pa.nulls(2), "Bool", form).values.to_pylist() == [False, False]


def test_no_word_is_both_true_and_false() -> None:
    assert not booleans.TRUE & booleans.FALSE


PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2026, 1, 1), timezones=st.just(UTC))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(MOMENTS, min_size=1, max_size=6), st.sampled_from(list(UNITS)), st.sampled_from(["int", "text", "list"])
)
def test_units_are_recognized_by_their_magnitude(moments: list[datetime], unit: str, kind: str) -> None:
    micros = [(moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) for moment in moments]
    ticks = [value * PER_SECOND[unit] // 10**6 for value in micros]
    cells: Any = {"int": pa.array(ticks), "text": pa.array([f" {tick}" for tick in ticks]), "list": ticks}[kind]
    form = recognize(cells)
    assert form is not None
    assert (form.kind, form.detail) == ("unit", unit)
    step = max(10**6 // PER_SECOND[unit], 1)
    expected = [value // step * step for value in micros]
    assert convert_times(cells, form).values.cast(pa.int64()).to_pylist() == expected


@settings(max_examples=150, deadline=None)
@given(st.lists(MOMENTS, min_size=1, max_size=6), st.sampled_from(["s", "ms"]), st.booleans())
def test_fractions_of_a_unit_are_rounded_to_microseconds(moments: list[datetime], unit: str, as_text: bool) -> None:
    numbers = [moment.timestamp() * PER_SECOND[unit] for moment in moments]
    cells = pa.array([f"{number:.6f}" for number in numbers]) if as_text else pa.array(numbers)
    form = recognize(cells)
    assert form is not None
    assert form.detail == unit
    for moment, value in zip(moments, convert_times(cells, form).values.to_pylist(), strict=True):
        assert abs(value - moment) <= timedelta(microseconds=1)


FORMATS = ["%d.%m.%Y %H:%M:%S", "%Y%m%d%H%M%S", "%a, %d %b %Y %H:%M:%S %z", "%m/%d/%y %I:%M:%S %p"]


@settings(max_examples=150, deadline=None)
@given(st.lists(MOMENTS | st.none(), min_size=1, max_size=6), st.sampled_from(FORMATS))
def test_texts_of_a_format(moments: list[datetime | None], form: str) -> None:
    whole = [moment and moment.replace(microsecond=0) for moment in moments]
    cells = pa.array([moment and moment.strftime(form) for moment in whole], pa.string())
    recognized = recognize(cells, form)
    assert recognized is not None
    assert convert_times(cells, recognized).values.to_pylist() == whole
    if all(whole) and "%y" not in form and "%a" not in form:
        assert suggestion(cells)


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (pa.array(["2026-01-05", "2026-01-05 10:00"]), "ISO 8601 without a zone: taken as UTC"),
        (pa.array(["2026-01-05T10:00:00Z", "2026-01-05 10:00+02"]), "ISO 8601 with a zone"),
        (pa.array(["2026-01-05T10:00:00Z", "2026-01-05T10:00:00"]), "ISO 8601 with a zone, UTC without"),
        (pa.array([NOON.replace(tzinfo=None)], pa.timestamp("ns")), "timestamps without a zone: taken as UTC"),
        (pa.array([NOON], pa.timestamp("ms", "Europe/Berlin")), "timestamps with the zone Europe/Berlin"),
        (pa.array([date(2026, 1, 5)]), "dates: midnight in UTC"),
    ],
)
def test_forms_of_times_in_words(cells: pa.Array, words: str) -> None:
    form = recognize(cells)
    assert form is not None
    assert form.words == words


@pytest.mark.parametrize(
    "cells",
    [
        pa.array([20260403, 20260404]),
        pa.array(["20260403101500"]),
        pa.array([1, 2, 3]),
        pa.array(["03/04/2026"]),
        pa.array([1_700_000_000, 1_700_000_000_000]),
        pa.array([True]),
        pa.array(["", None]),
        pa.nulls(3),
    ],
)
def test_what_may_be_something_else_is_not_recognized(cells: pa.Array) -> None:
    assert recognize(cells) is None


@pytest.mark.parametrize("unit", UNITS)
def test_units_of_the_future_are_recognized(unit: str) -> None:
    ticks = [int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) * PER_SECOND[unit] for year in (2040, 2099)]
    form = recognize(pa.array(ticks))
    assert form is not None
    assert form.detail == unit


@pytest.mark.parametrize(("year", "unit"), [(1975, "s"), (1975, "ms"), (1901, "us"), (1979, "ns")])
def test_the_unit_of_older_times_is_proposed(year: int, unit: str) -> None:
    cells = pa.array([int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) * PER_SECOND[unit]] * 2)
    assert recognize(cells) is None
    assert likely_unit(cells) == unit


def test_a_time_of_another_unit_is_refused() -> None:
    milliseconds = [1_700_000_000_000 + number for number in range(20)]
    cells = pa.array([*milliseconds, 1_700_000_000])
    form = recognize(cells)
    assert form is not None
    assert convert_times(cells, form).refused == {20: "a time of another unit than milliseconds"}
    given_form = recognize(cells, "ms")
    assert given_form is not None
    assert not convert_times(cells, given_form).refused


def test_timestamps_of_any_unit() -> None:
    before = datetime(1969, 12, 31, 23, 59, 59, 999_999)
    for unit in ("us", "ns"):
        cells = pa.array([before, None], pa.timestamp(unit))
        form = recognize(cells)
        assert form is not None
        assert convert_times(cells, form).values.to_pylist() == [before.replace(tzinfo=UTC), None]
    assert convert_times(pa.array([-1], pa.timestamp("ns")), TimeForm("timestamps")).values.to_pylist() == [
        before.replace(tzinfo=UTC)
    ]
    far = convert_times(pa.array([1 << 62, 0], pa.timestamp("s")), TimeForm("timestamps"))
    assert far.values.to_pylist() == [None, datetime(1970, 1, 1, tzinfo=UTC)]
    assert far.refused == {0: "not between the years 1 and 9999"}
