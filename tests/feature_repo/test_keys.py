"""Join keys: one conversion rule, with the same results for whole columns as for single values."""

import enum
import subprocess
import sys
import uuid
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_repo import iso8601
from feature_repo.errors import InputError
from feature_repo.keys import key_parts, key_value, key_values, part
from feature_repo.packed.encode import microseconds
from feature_repo.packed.key_columns import key_bytes, key_column
from feature_repo.packed.schema import UNKNOWN_TIME
from feature_repo.stores.key_series import key_series
from feature_repo.stores.spine import instants

TYPES = ("String", "Int64", "Int32", "Bytes", "UnixTimestamp", "Bool")
NOON = datetime(2026, 4, 3, 12, tzinfo=UTC)


class Genre(enum.Enum):
    ROCK = "rock"


class Voice(enum.StrEnum):
    ALTO = "alto"


class Shouting(str):
    def __str__(self) -> str:
        return "LOUD"


MISSING = [
    None,
    float("nan"),
    np.float32("nan"),
    np.float64("nan"),
    Decimal("nan"),
    Decimal("snan"),
    pd.NA,
    pd.NaT,
    np.datetime64("NaT"),
    np.datetime64("NaT", "ns"),
    pa.scalar(None, pa.string()),
    pa.scalar(None, pa.int64()),
    pa.scalar(None, pa.timestamp("ns")),
    pa.scalar(float("nan")),
    pa.scalar(None),
    np.array(None),
]


@pytest.mark.parametrize("dtype", TYPES)
def test_a_missing_key_is_none_whatever_it_is_made_of(dtype: str) -> None:
    assert key_values(MISSING, dtype) == [None] * len(MISSING)
    assert key_parts(MISSING, dtype) == [None] * len(MISSING)


@pytest.mark.parametrize(
    ("dtype", "key", "values"),
    [
        ("String", b"7", ["7", 7, 7.0, np.int32(7), np.float32(7), Decimal("7.00"), pa.scalar(7), b"7", np.array(7)]),
        ("String", b"7", [np.str_("7"), pa.scalar("7"), pa.scalar(7.0), pa.scalar(Decimal("7")), memoryview(b"7")]),
        ("String", b"007", ["007", b"007", bytearray(b"007"), np.bytes_(b"007"), pa.scalar(b"007")]),
        ("String", b"", ["", b"", np.str_("")]),
        ("String", b" a ", [" a "]),
        ("String", "e\u0301".encode(), ["e\u0301"]),
        ("String", b"rock", [Genre.ROCK, "rock"]),
        ("String", b"alto", [Voice.ALTO]),
        ("String", b"quiet", [Shouting("quiet")]),
        ("String", b"0", [-0.0, 0, Decimal("-0")]),
        ("String", b"-3", [-3, -3.0]),
        (
            "String",
            b"12345678-1234-5678-1234-567812345678",
            [uuid.UUID("12345678" * 4).hex and uuid.UUID(int=0x12345678123456781234567812345678)],
        ),
        ("Int64", b"7", [7, "7", "007", 7.0, np.uint8(7), Decimal(7), pa.scalar("7"), np.float16(7)]),
        ("Int64", b"-9223372036854775808", [-(2**63), "-9223372036854775808"]),
        ("Int64", b"0", ["-0", "0" * 500, 0.0]),
        ("Int32", b"2147483647", [2**31 - 1, "2147483647", 2147483647.0]),
        ("Bytes", b"\x00\xff", [b"\x00\xff", bytearray(b"\x00\xff"), memoryview(b"\x00\xff"), pa.scalar(b"\x00\xff")]),
        ("Bytes", b"abc", ["abc", b"abc"]),
        (
            "UnixTimestamp",
            b"1775217600",
            [NOON, NOON.replace(tzinfo=None), NOON.astimezone(timezone(timedelta(hours=9)))],
        ),
        ("UnixTimestamp", b"1775217600", [pd.Timestamp(NOON), np.datetime64("2026-04-03T12:00:00", "ns"), 1775217600]),
        (
            "UnixTimestamp",
            b"1775217600",
            ["2026-04-03 12:00:00", "2026-04-03T14:00:00+02:00", "1775217600", 1775217600.0],
        ),
        ("UnixTimestamp", b"1775217600", [pa.scalar(NOON, pa.timestamp("ns", "Asia/Tokyo"))]),
        ("UnixTimestamp", b"1775174400", [date(2026, 4, 3), "2026-04-03", np.datetime64("2026-04-03")]),
        ("UnixTimestamp", b"-1", [-1, datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)]),
        ("Bool", b"1", [True, np.True_, "true", "True", pa.scalar(True)]),
        ("Bool", b"0", [False, "false"]),
    ],
)
def test_a_key_is_the_same_whatever_it_comes_as(dtype: str, key: bytes, values: list[Any]) -> None:
    assert key_parts(values, dtype) == [key] * len(values)


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        ("String", [7.5, float("inf"), Decimal("7.5"), Decimal("Infinity"), Decimal("1e999"), 10**200]),
        (
            "String",
            [True, np.False_, pa.scalar(True), NOON, date(2026, 4, 3), pd.Timestamp(NOON), np.datetime64("2026")],
        ),
        ("String", [b"\xff", "\ud800", [1], {"a": 1}, object(), 2.0**60, np.float32(2**25), timedelta(1)]),
        (
            "Int64",
            [7.5, True, np.True_, 2**63, -(2**63) - 1, "x", "", " 7", "+7", "7.0", "1e5", "٧", "1_0", b"7", NOON],
        ),
        ("Int64", ["9" * 19, "9" * 5000, 2.0**60, np.float32(2**25), np.timedelta64(1), uuid.UUID(int=7), 1j]),
        ("Int32", [2**31, -(2**31) - 1, "2147483648", 2147483648.0, 2.0**53, np.uint32(2**31)]),
        ("Bytes", [7, 7.0, True, NOON, "\ud800", uuid.UUID(int=7)]),
        ("UnixTimestamp", [NOON.replace(microsecond=1), pd.Timestamp(1, unit="ns"), np.datetime64(1, "ns"), 0.5, True]),
        (
            "UnixTimestamp",
            ["03/04/2026", "2026-04-03T12:00:00.5", "soon", "", 2**62, b"7", pa.scalar(1, pa.timestamp("ms"))],
        ),
        ("Bool", [1, 0.0, "yes", "1", b"1"]),
    ],
)
def test_what_cannot_be_a_key_is_refused_by_name(dtype: str, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(InputError, match=rf"join key 'track_id' of type {dtype}; found "):
            key_value(value, dtype, "track_id")
        with pytest.raises(InputError):
            key_parts([value], dtype)


def test_a_key_of_a_type_that_cannot_be_looked_up_is_refused() -> None:
    with pytest.raises(InputError, match="an entity of the type Float64"):
        key_values([1.0], "Float64")


@pytest.mark.parametrize(
    "column",
    [
        ["1", "7"],
        ("1", "7"),
        np.array(["1", "7"]),
        np.array([1, 7]),
        np.array([1.0, 7.0], np.float32),
        np.array(["1", "7"], object),
        pd.Series([1, 7]),
        pd.Series([1.0, 7.0], dtype="float32"),
        pd.Series([1, 7], dtype="Int64"),
        pd.Series(["1", "7"], dtype="string"),
        pd.Categorical(["1", "7"]),
        pl.Series(["1", "7"]),
        pl.Series([1, 7]),
        pl.Series([1.0, 7.0], dtype=pl.Float32),
        pa.array(["1", "7"]),
        pa.array([1, 7]).dictionary_encode(),
        pa.chunked_array([[1], [7]]),
    ],
    ids=lambda column: f"{type(column).__module__}.{type(column).__name__}",
)
def test_a_column_of_keys_may_be_any_array(column: Any) -> None:
    assert key_parts(column, "String") == [b"1", b"7"]
    assert key_values(column, "Int64") == [1, 7]


def test_a_text_alone_is_one_key_and_not_its_letters() -> None:
    assert key_parts("u1", "String") == [b"u1"]


def test_narrow_floats_and_nanoseconds_are_not_lost_on_the_way() -> None:
    for column in (
        np.array([2**25], np.float32),
        pd.Series([2**25], dtype="float32"),
        pl.Series([2.0**25], dtype=pl.Float32),
    ):
        with pytest.raises(InputError, match="rounded"):
            key_parts(column, "Int64")
    for column in (pd.Series([1], dtype="datetime64[ns]"), pl.Series([1], dtype=pl.Datetime("ns"))):
        with pytest.raises(InputError, match="a fraction of a second"):
            key_parts(column, "UnixTimestamp")


def result_or_input_error(call: Any) -> Any:
    try:
        return call()
    except InputError:
        return InputError


NUMBERS = st.integers(-5, 5) | st.integers(-(2**63), 2**63 - 1) | st.sampled_from([2**53, 2**53 + 1, 2**31, -(2**31)])
TEXTS = (
    st.text(max_size=4) | st.integers(-(10**21), 10**21).map(str) | st.from_regex(r"-?0*[0-9]{1,20}", fullmatch=True)
)
TEXTS |= st.sampled_from(["true", "False", "2026-04-03", "2026-04-03T12:00:00.5Z", "03/04/2026", "-", "--7", "7\n"])
COLUMNS = st.one_of(
    st.tuples(st.sampled_from([pa.string(), pa.large_string(), pa.string_view()]), st.lists(st.none() | TEXTS)),
    st.tuples(st.just(pa.int64()), st.lists(st.none() | NUMBERS)),
    st.tuples(st.just(pa.uint64()), st.lists(st.none() | st.integers(0, 2**64 - 1))),
    st.tuples(st.sampled_from([pa.int8(), pa.int32()]), st.lists(st.none() | st.integers(-100, 100))),
    st.tuples(st.just(pa.float64()), st.lists(st.none() | NUMBERS.map(float) | st.floats())),
    st.tuples(st.just(pa.float32()), st.lists(st.none() | st.floats(width=32) | st.integers(-5, 2**25).map(float))),
    st.tuples(st.just(pa.decimal128(38, 2)), st.lists(st.none() | st.decimals(-(10**30), 10**30, places=2))),
    st.tuples(
        st.sampled_from([pa.binary(), pa.large_binary()]),
        st.lists(st.none() | st.binary(max_size=4) | TEXTS.map(str.encode)),
    ),
    st.tuples(st.just(pa.bool_()), st.lists(st.none() | st.booleans())),
    st.tuples(
        st.sampled_from(
            [pa.timestamp(unit, zone) for unit in ("s", "ms", "us", "ns") for zone in (None, "Asia/Tokyo")]
        ),
        st.lists(st.none() | st.integers(-3, 3).map(lambda n: n * 10**9) | st.integers(-(2**62), 2**62)),
    ),
    st.tuples(st.just(pa.date32()), st.lists(st.none() | st.integers(-800_000, 3_000_000))),
    st.tuples(st.just(pa.null()), st.lists(st.none())),
)


@settings(deadline=None)
@given(COLUMNS, st.sampled_from(TYPES))
def test_a_column_is_converted_as_its_values_are(column: tuple[pa.DataType, list[Any]], dtype: str) -> None:
    arrow_type, items = column
    values = (
        pa.array(items, pa.int64()).cast(arrow_type)
        if pa.types.is_timestamp(arrow_type)
        else pa.array(items, arrow_type)
    )
    expected = result_or_input_error(lambda: key_parts(values, dtype))
    if not len(values):
        return  # an empty column of an unusable type is refused; an empty list of values is not
    assert result_or_input_error(lambda: key_bytes(values, dtype).to_pylist()) == expected
    assert (
        result_or_input_error(
            lambda: [None if value is None else part(value) for value in key_column(values, dtype).to_pylist()]
        )
        == expected
    )
    assert result_or_input_error(lambda: key_bytes(values.dictionary_encode(), dtype).to_pylist()) == expected
    series = pl.Series("k", values)
    assert result_or_input_error(lambda: key_parts(key_series(series, dtype, "k").to_list(), dtype)) == expected


@given(st.lists(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)), min_size=1), st.data())
def test_iso_texts_are_read_as_they_were_written(moments: list[datetime], data: st.DataObject) -> None:
    offset = timezone(timedelta(minutes=data.draw(st.integers(-1439, 1439))))
    texts = [moment.astimezone(offset).isoformat(sep=data.draw(st.sampled_from("T "))) for moment in moments]
    assert [iso8601.parse(text) for text in texts] == moments
    assert instants(pl.Series(texts), "t").to_list() == moments


@given(
    st.lists(st.none() | st.text("0123456789-:T Z+./", max_size=26) | st.from_regex(iso8601.PATTERN, fullmatch=True))
)
def test_texts_are_times_one_by_one_and_together(texts: list[str | None]) -> None:
    def parse_each() -> list[datetime | None]:
        return [None if text is None else iso8601.parse(text) for text in texts]

    try:
        expected: Any = parse_each()
    except ValueError:
        expected = InputError
    assert result_or_input_error(lambda: instants(pl.Series("t", texts, pl.String), "t").to_list()) == expected


def test_digits_beyond_the_microsecond_are_cut_off() -> None:
    texts = ["2026-04-03T12:00:00.0000019Z", "1969-12-31T23:59:59.9999999"]
    expected = [NOON.replace(microsecond=1), datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)]
    assert [iso8601.parse(text) for text in texts] == expected
    assert instants(pl.Series(texts), "t").to_list() == expected


def test_keys_are_converted_without_pandas_and_feast() -> None:
    code = "import sys, feature_repo.keys; sys.exit(bool({'pandas', 'feast', 'polars', 'pyarrow'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_times_are_cut_off_downwards_before_1970_too() -> None:
    for zone in (None, "UTC"):
        times = pa.array([-1, -1000, -1001, 1999, None]).cast(pa.timestamp("ns", zone))
        assert microseconds(times).tolist() == [-1, -1, -2, 1, UNKNOWN_TIME]
        assert microseconds(times.cast(pa.timestamp("s", zone), safe=False)).tolist()[3:] == [0, UNKNOWN_TIME]
