"""Forms of a spine: keys stay unchanged, times are unambiguous, and errors name the wrong value."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.errors import InputError
from tests.music import CONTRACT
from training.datasets.spine import SpineTable

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
TEXT = "2026-01-15T12:00:00"


def spine(table: Any, **keys: str) -> pl.DataFrame:
    return SpineTable.of(table, keys or {"user_id": "String"}, [], CONTRACT.request_fields).collect()


def write_csv(folder: Path, text: str | bytes) -> Path:
    path = folder / "spine.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize(
    "keys",
    [
        ["0042", "0043"],
        ["987654321098765432109876", "1e5"],
        [*map(str, range(150)), "guest-9"],
        ["true", "false"],
        ["2026-01-01", "12:00"],
        ["a b", " a", "é"],
        ["1.0", "2"],
    ],
    ids=lambda keys: keys[-1],
)
def test_keys_of_csv_are_as_they_are_written(tmp_path: Path, keys: list[str]) -> None:
    rows = spine(write_csv(tmp_path, "user_id,event_timestamp\n" + "".join(f"{key},{TEXT}\n" for key in keys)))
    assert rows["user_id"].to_list() == keys
    assert rows["event_timestamp"].unique().to_list() == [NOON]


@given(st.lists(st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\r"), min_size=1), min_size=1))
def test_any_text_survives_csv(tmp_path_factory: pytest.TempPathFactory, keys: list[str | None]) -> None:
    path = tmp_path_factory.mktemp("csv") / "spine.csv"
    pl.DataFrame({"user_id": keys, "event_timestamp": TEXT}, schema_overrides={"user_id": pl.String}).write_csv(path)
    assert spine(path)["user_id"].to_list() == keys


def test_a_key_of_csv_is_converted_to_the_type_of_its_entity(tmp_path: Path) -> None:
    path = write_csv(tmp_path, f"n,event_timestamp\n007,{TEXT}\n,{TEXT}\n9223372036854775807,{TEXT}\n")
    assert spine(path, n="Int64")["n"].to_list() == [7, None, 2**63 - 1]
    with pytest.raises(InputError, match="join key 'n' of type Int32; found .*9223372036854775807.*more than 32 bits"):
        spine(path, n="Int32")


def test_csv_with_a_mark_of_order_quoted_lines_and_empty_cells(tmp_path: Path) -> None:
    text = '\ufeffuser_id,event_timestamp,label,ok,note\n"a\nb",2026-01-15,1,true,x\n,2026-01-15,2.5,false,\n'
    text += '"",2026-01-15 12:00:00Z,,,3\n'
    rows = spine(write_csv(tmp_path, text))
    assert rows["user_id"].to_list() == ["a\nb", None, ""]
    assert rows["event_timestamp"].to_list() == [datetime(2026, 1, 15, tzinfo=UTC)] * 2 + [NOON]
    assert rows.select("label", "ok", "note").to_dict(as_series=False) == {
        "label": [1.0, 2.5, None],
        "ok": [True, False, None],
        "note": ["x", None, "3"],
    }


def test_other_columns_of_csv_have_the_type_of_all_their_rows(tmp_path: Path) -> None:
    rows = "".join(f"u{n},{TEXT},{n},7,2026-01-15T13:00:00,1\n" for n in range(300))
    text = f"user_id,event_timestamp,label,device,request_timestamp,similar_score\n{rows}u,{TEXT},0.5,x,2026-01-15,\n"
    schema = spine(write_csv(tmp_path, text)).schema
    assert schema["label"] == pl.Float64
    assert schema["device"] == pl.String
    assert schema["request_timestamp"] == pl.Datetime("us", "UTC")
    assert schema["similar_score"] == pl.Int64


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"user_id,event_timestamp\nu1,{TEXT}\nu2,03/04/2026\n", "ISO 8601.*found '03/04/2026'"),
        ("user_id,event_timestamp\nu1,2026-02-30\n", "found '2026-02-30'"),
        ("user_id,event_timestamp\nu1,\n", "1 rows without one"),
        ("u1,2026-01-15\nu2,2026-01-15\n", r"no \['user_id', 'event_timestamp'\] among"),
        (f"user_id,event_timestamp\nu1,{TEXT}\nu2,{TEXT},7\n", "found more fields"),
        (f"user_id,user_id,event_timestamp\nu,v,{TEXT}\n", "the column 'user_id' twice"),
        (b"user_id,event_timestamp\n\xff,2026-01-15\n", "utf-8"),
        ("", "empty"),
        ("\n", "empty"),
    ],
    ids=["ambiguous", "no such day", "no time", "no header", "ragged", "twice", "not utf-8", "nothing", "a line"],
)
def test_what_is_wrong_with_a_csv_is_told(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        spine(write_csv(tmp_path, text))


def test_json_lines_are_read_like_csv(tmp_path: Path) -> None:
    path = tmp_path / "spine.jsonl"
    lines = [f'{{"user_id": {key}, "event_timestamp": "{TEXT}"}}' for key in ('"007"', "7", "null", '"a"')]
    path.write_text("\n".join(lines))
    assert spine(path)["user_id"].to_list() == ["007", "7", None, "a"]
    path.write_text('{"user_id": ')
    with pytest.raises(InputError, match="spine.jsonl"):
        spine(path)


def test_keys_in_the_names_of_folders_are_as_they_are_written(tmp_path: Path) -> None:
    for key in ("007", "7"):
        (tmp_path / f"user_id={key}").mkdir()
        pl.DataFrame({"event_timestamp": [NOON]}).write_parquet(tmp_path / f"user_id={key}" / "rows.parquet")
    assert sorted(spine(tmp_path)["user_id"].to_list()) == ["007", "7"]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (["a", 7, None, pd.NA, float("nan")], ["a", "7", None, None, None]),
        (pd.Series([7.0, None]), ["7", None]),
        (pd.Series([7, None], dtype="Int64"), ["7", None]),
        (pd.Categorical(["a", None]), ["a", None]),
        ([pd.NaT, pd.NaT], [None, None]),
        ([b"a", np.str_("b"), 7.0], ["a", "b", "7"]),
    ],
    ids=["objects", "floats", "nullable", "categories", "nothing", "mixed"],
)
def test_keys_of_pandas_are_converted_one_by_one(column: Any, expected: list[str | None]) -> None:
    frame = pd.DataFrame({"user_id": column, "event_timestamp": pd.Timestamp(NOON)})
    assert spine(frame)["user_id"].to_list() == expected


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ([7.0, 8.5], "8.5: not a whole number"),
        ([True, False], "bool"),
        ([NOON, NOON], "timestamp"),
        ([2.0**60, 1.0], "may be rounded"),
        (["a", True], "True: a boolean"),
        ([["a"], ["b"]], "of the type list"),
    ],
    ids=["fraction", "boolean", "time", "rounded", "mixed", "list"],
)
def test_keys_that_cannot_be_are_refused_in_every_table(column: list[Any], message: str) -> None:
    with pytest.raises(InputError, match=f"join key 'user_id' of type String; found .*{message}"):
        spine(pd.DataFrame({"user_id": column, "event_timestamp": [NOON] * 2}))
    with pytest.raises(InputError, match="join key 'user_id'"):
        spine({"user_id": column, "event_timestamp": [NOON] * 2})
    for lazy in (False, True) if message not in ("True: a boolean",) else ():
        frame = pl.DataFrame({"user_id": column, "event_timestamp": [NOON] * 2})
        with pytest.raises(InputError, match="join key 'user_id'"):
            spine(frame.lazy() if lazy else frame)


@pytest.mark.parametrize(
    "times",
    [
        [TEXT, TEXT],
        ["2026-01-15 13:00:00+01:00", "2026-01-15T12:00Z"],
        [NOON, NOON],
        pd.Series([NOON.replace(tzinfo=None)] * 2),
        pd.Series([pd.Timestamp(NOON).tz_convert("Asia/Tokyo")] * 2),
        np.array(["2026-01-15T12:00:00.000000999"] * 2, "datetime64[ns]"),
    ],
    ids=["text", "offsets", "python", "naive", "zone", "nanoseconds"],
)
def test_times_of_tables_are_instants_cut_off_to_microseconds(times: Any) -> None:
    columns = {"user_id": ["a", "b"], "event_timestamp": times}
    assert spine(pd.DataFrame(columns))["event_timestamp"].to_list() == [NOON] * 2
    assert spine(columns)["event_timestamp"].to_list() == [NOON] * 2


def test_an_ambiguous_date_is_refused_in_every_table() -> None:
    columns = {"user_id": ["a", "b"], "event_timestamp": ["03/04/2026", "05/04/2026"]}
    for table in (columns, pd.DataFrame(columns), pl.DataFrame(columns), pl.LazyFrame(columns), pa.table(columns)):
        with pytest.raises(InputError, match="found '0[35]/04/2026'.*ISO 8601"):
            spine(table)
    dates = pl.DataFrame({"user_id": ["a"], "event_timestamp": [date(2026, 1, 15)]})
    assert spine(dates)["event_timestamp"].to_list() == [datetime(2026, 1, 15, tzinfo=UTC)]


def test_what_is_no_table_is_told() -> None:
    for invalid in (5, object(), {"user_id": [1, 2], "event_timestamp": [NOON]}):
        with pytest.raises(InputError, match="a spine"):
            spine(invalid)
    with pytest.raises(InputError, match="one type in each column"):
        spine(pd.DataFrame({"user_id": ["a", "b"], "event_timestamp": [NOON] * 2, "mixed": [1, "x"]}))
