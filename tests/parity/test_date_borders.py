"""A day that is no day, or is written in another way, is refused wherever events come in, with a reason."""

import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.errors import InputError
from feature_repo.events import Refused, parse
from feature_repo.windows import Count, CountIf, Distinct, EventSource, LastN, Max, Sum, TopK, WindowedTable, column
from feature_repo.windows.units import Days
from inference.api.schemas.events import events_schema
from transforms.batch.windows.tiles import counted_events
from transforms.raw.declared import table_of
from transforms.raw.read import scan_files
from transforms.raw.validate import validate

ORDERS = EventSource(
    "orders",
    columns={"user_id": "String", "due": "Date", "paid": "Bool", "price": "Float64", "number": "Int64"},
    key=("user_id",),
    resolution={"price": 0.01},
)
NOW = 1_800_000_000_000_000


def frame(due: Any) -> pl.DataFrame:
    rows = pl.DataFrame({"user_id": ["u"], "event_timestamp": ["2026-03-01T12:00:00Z"], "due": [due]})
    return rows.with_columns(pl.col("event_timestamp").str.to_datetime(time_zone="UTC"))


def payload(due: Any) -> bytes:
    return json.dumps({"user_id": "u", "event_timestamp": "2026-03-01T12:00:00Z", "due": due}).encode()


@pytest.mark.parametrize("due", ["2026-02-30", "2026-3-1", "20260301", "0000-01-01", "03/04/2026", "2026-03-01T12:00Z"])
def test_what_is_no_day(due: str) -> None:
    accepted, refused = validate(table_of(ORDERS), frame(due))
    assert accepted.is_empty()
    assert refused["reason"].to_list() == ["due is no day such as 2026-03-01"]
    with pytest.raises(Refused, match="^due: invalid"):
        parse(ORDERS, payload(due), NOW)
    table = WindowedTable("example", "", ORDERS, ("user_id",), ("1d",), {"latest": Max("due")})
    with pytest.raises(InputError, match=r'days such as "2026-03-01" in the column due of orders; found'):
        counted_events(table, table_of(ORDERS).conform(frame(due)), "default")


@given(due=st.none() | st.dates())
def test_a_day_is_the_same_text_everywhere(due: date | None) -> None:
    text = None if due is None else due.isoformat()
    for value in (due, text):
        assert validate(table_of(ORDERS), frame(value))[0]["due"].to_list() == [text]
    assert parse(ORDERS, payload(text), NOW)[0].due == text
    if due is not None:
        days = Days.encode([due.isoformat()])
        assert days.tolist() == [(due - date(1970, 1, 1)).days]
        assert Days.decode(days).tolist() == [text]


def test_what_is_beyond_the_calendar_is_its_first_or_last_day() -> None:
    info = np.iinfo(np.int64)
    assert Days.decode(np.array([info.min, info.max])).tolist() == ["0001-01-01", "9999-12-31"]


def test_files_of_other_tools_may_have_dates(tmp_path: Path) -> None:
    rows = frame(date(2026, 3, 1)).with_columns(created_timestamp=pl.col("event_timestamp"))
    rows.write_parquet(tmp_path / "rows.parquet")
    assert scan_files(table_of(ORDERS), [tmp_path / "rows.parquet"]).collect()["due"].to_list() == ["2026-03-01"]


def test_the_schema_of_the_http_api_says_so() -> None:
    kinds = events_schema({"orders": ORDERS})["properties"]["events"]["items"]["anyOf"]
    assert kinds[0]["properties"]["due"] == {"type": "string", "format": "date"}


def test_conditions_compare_days_in_the_order_of_time() -> None:
    in_march = column("due").between("2026-03-01", date(2026, 3, 31))
    days = ["2026-02-28", "2026-03-01", "2026-03-31", "2026-04-01", None]
    assert [in_march.holds({"due": day}) for day in days] == [False, True, True, False, False]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": {"n": CountIf(where=column("due") < "03/04/2026")}}, 'expected days such as "2026-03-01"'),
        ({"features": {"n": CountIf(where=column("due") == 7)}}, r"found 'due' \(Date\) compared with 7"),
        (
            {"features": {"n": CountIf(where=column("user_id").is_in([7]))}},
            r"found 'user_id' \(String\) compared with 7",
        ),
        ({"where": ~(column("price") > "7")}, r"found 'price' \(Float64\) compared with '7'"),
        ({"where": column("due") < datetime(2026, 3, 1)}, "compared with datetime"),
        ({"features": {"n": Sum("due")}}, r"found n over 'due' \(Date\)"),
        ({"features": {"n": TopK("paid")}}, "of booleans take CountIf or Rate"),
        ({"features": {"n": Distinct("price")}}, "floats are no identities, declare them as Int64 or String"),
        ({"keys": ("paid",)}, r"keys of type String or Int64 or Date .* found the key 'paid' \(Bool\)"),
        ({"keys": ("price",)}, r"found the key 'price' \(Float64\)"),
        ({"keys": ("nobody",)}, "which is not there"),
    ],
)
def test_what_does_not_fit_a_column_is_an_error_of_the_declaration(options: dict[str, Any], message: str) -> None:
    declaration = {"keys": ("user_id",), "features": {"n": Count()}} | options
    with pytest.raises(InputError, match=message):
        WindowedTable("example", "", ORDERS, windows=("1d",), **declaration)


def test_columns_have_the_types_of_their_values() -> None:
    lists = {"dues": LastN("due"), "numbers": TopK("number", over=("1d",)), "paid": LastN("paid", times=False)}
    table = WindowedTable("example", "", ORDERS, ("number",), ("1d",), {**lists, "latest": Max("due")})
    assert dict(table.fields) == {
        "dues_1d": "Array(String)",
        "dues_times_1d": "Array(Int64)",
        "numbers_1d": "Array(Int64)",
        "numbers_counts_1d": "Array(Int64)",
        "paid_1d": "Array(Bool)",
        "latest_1d": "String",
    }


def test_another_type_of_a_key_is_another_definition() -> None:
    texts = EventSource("orders", columns={**ORDERS.columns, "number": "String"}, key=("user_id",))
    tables = [WindowedTable("t", "", source, ("number",), ("1d",), {"n": Count()}) for source in (ORDERS, texts)]
    assert tables[0].fingerprint != tables[1].fingerprint
