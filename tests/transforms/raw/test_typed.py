"""A value that does not fit its column is refused with a reason; nothing is changed or lost, and the rest is stored."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from feature_repo.home import Home
from tests.music import FORMATS
from transforms.raw.importers.format import Rows, from_seconds
from transforms.raw.ingest import Batch, ingest
from transforms.raw.read import scan
from transforms.raw.report import Report
from transforms.raw.table import MICROSECONDS_UTC
from transforms.raw.typed import convert, typed

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
WHOLE = "ms_played is not a whole number in range"


def fits(value: Any, dtype: pl.DataType) -> Any:
    """Returns the converted value, or "refused"; alone and among others."""
    frame, refusals = typed([(value,), (None,)], {"x": dtype})
    assert frame["x"].dtype == dtype
    assert frame.height + len(refusals) == 2
    return "refused" if refusals else frame["x"][0]


@pytest.mark.parametrize("value", [10**20, -(10**20), 3.7, Decimal("3.5"), "x", "", float("nan"), 1e300, [1], {"a": 1}])
def test_what_is_no_whole_number_is_refused(value: Any) -> None:
    assert fits(value, pl.Int64()) == "refused"


@pytest.mark.parametrize("value", [3, 3.0, Decimal(3), "3"])
def test_a_whole_number_is_taken_as_it_is_written(value: Any) -> None:
    assert fits(value, pl.Int64()) == 3


def test_other_types_take_what_they_hold() -> None:
    assert [fits(value, pl.String()) for value in ("a", 5, Decimal("2.5"), [1], {"a": 1}, b"x")] == [
        "a",
        "5",
        "2.5",
        *["refused"] * 3,
    ]
    assert [fits(value, pl.Boolean()) for value in (True, 0, 2, "true", 2.5)] == [True, False, *["refused"] * 3]
    assert [fits(value, pl.Float64()) for value in (1, Decimal("1.5"), 10**400, "x")] == [1.0, 1.5, *["refused"] * 2]
    assert fits(NOON, MICROSECONDS_UTC) == NOON
    assert fits(["a", None, 5], pl.List(pl.String())).to_list() == ["a", None, "5"]
    assert fits([["a"], "b"], pl.List(pl.String())) == "refused"


@pytest.mark.parametrize(
    ("given", "dtype", "expected"),
    [
        (pl.Series([1, 10**20, None], dtype=pl.Int128), pl.Int64(), [1, "-", None]),
        (pl.Series(["1", "x", None]), pl.Int64(), [1, "-", None]),
        (pl.Series([1.0, 1.5, float("inf"), float("nan"), 1e30, None]), pl.Int64(), [1, "-", "-", None, "-", None]),
        (pl.Series([1, 10**20, "x", None], dtype=pl.Object), pl.Int64(), [1, "-", "-", None]),
        (pl.Series(["true", None]), pl.Boolean(), ["-", None]),
        (pl.Series([0, 1 << 62]).cast(pl.Datetime("ms")), pl.Datetime("us"), [datetime(1970, 1, 1), "-"]),
        (pl.Series([{"a": 1}, None]), pl.Int64(), ["-", None]),
    ],
)
def test_columns_of_other_types(given: pl.Series, dtype: pl.DataType, expected: list[Any]) -> None:
    converted, is_misfit = convert(given, dtype)
    assert converted.dtype == dtype
    assert ["-" if bad else value for value, bad in zip(converted, is_misfit, strict=True)] == expected


def play(user: Any = "ann", ms_played: Any = 5, moment: Any = NOON) -> dict[str, Any]:
    return {"user_id": user, "track_id": "t", "ms_played": ms_played, "event_timestamp": moment}


def as_objects(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame({name: pl.Series([row[name] for row in rows], dtype=pl.Object) for name in rows[0]})


def test_impossible_values_are_quarantined_row_by_row_and_the_rest_is_stored(home: Home) -> None:
    rows = [
        play("a"),
        play("b", 10**20),
        play("c", "many"),
        play(None),
        play("d", moment="soon"),
        play("e", 6.0),
        play({}),
    ]
    batch = Batch("plays", as_objects(rows))
    counts = ingest(home, "test", [batch]).tables["plays"]
    assert (counts.read, counts.added, counts.quarantined) == (7, 2, 5)
    reasons = {WHOLE: 2, "user_id is missing": 1, "event_timestamp is not a time": 1, "user_id is not a text": 1}
    assert counts.reasons == reasons
    assert sorted(scan(home, "plays").select("user_id", "ms_played").collect().rows()) == [("a", 5), ("e", 6)]
    refused = pl.read_parquet(home.quarantine("plays") / "*.parquet")
    texts = refused.filter(pl.col("reason") == WHOLE)["row"]
    assert sorted(str(json.loads(text)["ms_played"]) for text in texts) == ["100000000000000000000", "many"]
    before = {path: path.read_bytes() for path in home.root.rglob("*.parquet")}
    counts = ingest(home, "test", [batch]).tables["plays"]
    assert (counts.added, counts.known, counts.quarantined) == (0, 2, 5)
    assert {path: path.read_bytes() for path in home.root.rglob("*.parquet")} == before


def test_a_time_that_python_cannot_hold_is_quarantined(home: Home) -> None:
    years = pl.Series([NOON.timestamp() * 1e6, 900_000_000_000_000_000]).cast(pl.Int64).cast(MICROSECONDS_UTC)
    rows = pl.DataFrame({"user_id": "ann", "track_id": ["s", "t"], "event_timestamp": years})
    counts = ingest(home, "test", [Batch("plays", rows)]).tables["plays"]
    assert (counts.added, counts.quarantined) == (1, 1)
    assert "30489" in pl.read_parquet(home.quarantine("plays") / "*.parquet")["row"][0]


def test_a_buffer_refuses_what_does_not_fit() -> None:
    rows = Rows("plays", {"user_id": pl.String(), "ms_played": pl.Int64(), "event_timestamp": pl.Int64()})
    rows.rows = [("a", 5, 1_700_000_000), ("b", 10**20, 1_700_000_000), ("c", 5, 10**16), ("d", None, None)]
    batch = from_seconds(rows.flush(1, 1), "event_timestamp")
    assert batch.rows["user_id"].to_list() == ["a", "d"]
    assert batch.rows["event_timestamp"].to_list() == [datetime.fromtimestamp(1_700_000_000, UTC), None]
    assert sorted(batch.malformed["reason"]) == ["event_timestamp is after the year 9999", WHOLE]
    assert not rows.rows
    assert not rows.malformed


def spotify(path: Path, values: list[Any]) -> Path:
    records = [
        {
            "ts": f"{NOON + timedelta(hours=number):%Y-%m-%dT%H:%M:%SZ}",
            "ms_played": value,
            "username": "rob",
            "platform": "android",
            "conn_country": "SE",
            "reason_start": "trackdone",
            "reason_end": "trackdone",
            "master_metadata_track_name": f"Song {number}",
            "master_metadata_album_artist_name": "Björk",
            "spotify_track_uri": f"spotify:track:{number}",
        }
        for number, value in enumerate(values)
    ]
    path.write_text(json.dumps([*records, None, "x", 5]))
    return path


def listenbrainz(path: Path, values: list[Any]) -> Path:
    names = {"track_name": "Song", "artist_name": "Björk"}
    listens: list[Any] = [
        {
            "user_name": "rob",
            "listened_at": 1_700_000_000 + number,
            "track_metadata": {**names, "track_name": f"Song {number}", "additional_info": {"duration_ms": value}},
        }
        for number, value in enumerate(values)
    ]
    listens.append({"user_name": "rob", "listened_at": 10**17, "track_metadata": names})
    path.write_text("\n".join(json.dumps(listen) for listen in [*listens, None, "x"]))
    return path


@pytest.mark.parametrize(("name", "write", "refused"), [("spotify", spotify, 6), ("listenbrainz", listenbrainz, 3)])
def test_damaged_records_do_not_stop_an_import(
    home: Home, tmp_path: Path, name: str, write: Callable[[Path, list[Any]], Path], refused: int
) -> None:
    path = write(
        tmp_path / ("endsong_0.json" if name == "spotify" else "0.jsonl"), [60_000, 10**20, None, 10**40, 61_000]
    )

    def load() -> Report:
        return ingest(home, name, FORMATS[name].read(path))

    counts = load().tables["plays"]
    assert counts.quarantined == refused
    assert counts.added == counts.read - refused >= 2
    before = {path: path.read_bytes() for path in home.root.rglob("*.parquet")}
    assert sum(table.added for table in load().tables.values()) == 0
    assert {path: path.read_bytes() for path in home.root.rglob("*.parquet")} == before
