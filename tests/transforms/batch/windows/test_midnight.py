"""Events of the last hour of a day leave a window of one day at midnight, whatever was built before."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from feast import Entity, ValueType
from polars.testing import assert_frame_equal

from feature_repo.definitions.events.plays import plays
from feature_repo.home import Home
from feature_repo.windowed_views import view_of
from feature_repo.windows import Count, WindowedTable
from transforms import feature_tables
from transforms.batch.windows.backfill import backfill
from transforms.raw.days import RawDays
from transforms.raw.ingest import Batch, ingest

LATE = datetime(2024, 3, 16, 23, 59, 59, tzinfo=UTC)
MIDNIGHT = datetime(2024, 3, 18, tzinfo=UTC)
END = datetime(2024, 5, 1, tzinfo=UTC)


def built(folder: Path, windows: tuple[str, ...], *moments: datetime) -> pl.DataFrame:
    table = WindowedTable("live", "", plays, ("user_id",), windows, {"plays": Count()}, every="event")
    view = view_of(table, {"user_id": Entity(name="user", join_keys=["user_id"], value_type=ValueType.STRING)})
    home = Home(folder)
    ingest(home, "test", [Batch("plays", pl.DataFrame([{"user_id": "ann", "track_id": "t", "event_timestamp": LATE}]))])
    for moment in moments:
        with feature_tables.writing(home):
            feature_tables.created_time(home, moment)
            backfill(home, table, view, RawDays.of(home, "plays"), moment)
    return feature_tables.scan(home, "live").collect().drop("created_timestamp").sort("event_timestamp")


@pytest.mark.parametrize(
    "windows", [("1d",), ("1d", "14d"), ("10m", "1h", "1d", "28d"), ("24h", "lifetime"), ("1d", "7d")]
)
@pytest.mark.parametrize("offset_h", [-1, 0, 1])
def test_a_build_at_midnight_changes_no_later_row(tmp_path: Path, windows: tuple[str, ...], offset_h: int) -> None:
    at_once = built(tmp_path / "at once", windows, END)
    assert MIDNIGHT in at_once["event_timestamp"].to_list()
    in_steps = built(tmp_path / "in steps", windows, MIDNIGHT + timedelta(hours=offset_h), END)
    assert_frame_equal(in_steps, at_once)
