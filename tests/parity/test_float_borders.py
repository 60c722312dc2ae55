"""Floats that cannot be counted in units are refused wherever events come in, with a reason."""

import json
import math
from typing import Any

import jsonschema
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.errors import InputError
from feature_repo.events import Refused, parse
from feature_repo.windows import EventSource, Min, WindowedTable
from feature_repo.windows.units import LARGEST, Units
from inference.api.schemas.events import events_schema
from transforms.batch.windows.tiles import counted_events
from transforms.raw.declared import table_of
from transforms.raw.validate import validate

ORDERS = EventSource(
    "orders",
    columns={"user_id": "String", "price": "Float64", "score": "Float64", "share": "Float64"},
    key=("user_id",),
    ranges={"share": (0.0, 1.0)},
    resolution={"price": 0.01},
)
TIME = "2026-03-01T12:00:00Z"
NOW = 1_800_000_000_000_000


def event(**values: Any) -> dict[str, Any]:
    return {"user_id": "u", "event_timestamp": TIME, **values}


def raw_reason(values: dict[str, Any]) -> str | None:
    rows = pl.DataFrame([values]).with_columns(pl.col("event_timestamp").str.to_datetime(time_zone="UTC"))
    accepted, refused = validate(table_of(ORDERS), rows)
    return None if accepted.height else refused["reason"][0]


def stream_reason(values: dict[str, Any]) -> str | None:
    try:
        parse(ORDERS, json.dumps(values).encode(), NOW)
    except Refused as error:
        return str(error)
    return None


def fits_schema(values: dict[str, Any]) -> bool:
    try:
        jsonschema.validate({"kind": "orders", "events": [values]}, events_schema({"orders": ORDERS}))
    except jsonschema.ValidationError:
        return False
    return True


@pytest.mark.parametrize(
    ("values", "raw", "stream"),
    [
        ({"price": 1e14}, "price is too large", "price: expected float <= 11258999068426.24"),
        ({"price": -1e14}, "price is too small", "price: expected float >= -11258999068426.24"),
        ({"share": 1.5}, "share is too large", "share: expected float <= 1.0"),
    ],
)
def test_a_number_too_large_for_its_units(values: dict[str, Any], raw: str, stream: str) -> None:
    assert raw_reason(event(**values)) == raw
    assert stream in (stream_reason(event(**values)) or "")
    assert not fits_schema(event(**values))


@pytest.mark.parametrize("column", ["price", "score"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite(column: str, value: float) -> None:
    reason = raw_reason(event(**{column: value}))
    assert f"{column} is not {'a number' if math.isnan(value) else 'finite'}" in (reason or "")
    assert stream_reason(event(**{column: value})) == "malformed JSON"
    too_large = json.dumps(event(**{column: 7})).replace("7", "1e999").encode()
    with pytest.raises(Refused, match=f"{column}: number out of range"):
        parse(ORDERS, too_large, NOW)


def test_whole_numbers_and_the_largest_are_taken() -> None:
    for values in ({"price": 5}, {"price": LARGEST / 100}, {"score": 1e308}, {"price": None}, {"share": 1}):
        assert raw_reason(event(**values)) is None
        assert stream_reason(event(**values)) is None
    assert fits_schema(event(price=5, score=1e308))


def test_numeric_ids_are_texts() -> None:
    rows = pl.DataFrame([event(user_id=42)]).with_columns(pl.col("event_timestamp").str.to_datetime(time_zone="UTC"))
    accepted, _ = validate(table_of(ORDERS), rows)
    assert accepted["user_id"].to_list() == ["42"]
    assert stream_reason(event(user_id=42)) == "user_id: expected str, got int"


def test_files_of_other_tools_are_refused_when_they_are_read() -> None:
    table = WindowedTable("example", "", ORDERS, ("user_id",), ("1d",), {"least": Min("score")})
    rows = table_of(ORDERS).conform(
        pl.DataFrame([event(score=math.inf)]).with_columns(pl.col("event_timestamp").str.to_datetime(time_zone="UTC"))
    )
    with pytest.raises(InputError, match="finite numbers .* in the column score of orders; found inf"):
        counted_events(table, rows, "default")


@given(units=st.lists(st.integers(-LARGEST, LARGEST)), resolution=st.sampled_from([0.01, 0.001, 0.25, 1, 5, 2.5, 0.03]))
def test_units_come_back(units: list[int], resolution: float) -> None:
    whole = np.array(units, np.int64)
    floats = Units(resolution).decode(whole)
    assert floats.dtype == np.float64
    assert Units(resolution).encode(floats).tolist() == units


@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False)))
def test_integers_without_a_resolution_sort_as_the_floats(values: list[float]) -> None:
    encoded = Units(None).encode(np.array(values))
    assert Units(None).decode(encoded).tolist() == values
    assert sorted(values) == Units(None).decode(np.sort(encoded)).tolist()
