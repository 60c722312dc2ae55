"""MovieLens 100k as a stream, day by day, gives the same tables as the batch run."""

from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from feature_repo.home import Home
from feature_repo.packed.address import Address
from tests.live import columns_of, to_json_lines
from tests.music import FORMATS, WINDOWED
from transforms import feature_tables
from transforms.batch.build import build
from transforms.raw.ingest import ingest
from transforms.raw.read import scan
from transforms.stream.accept import RawEvent
from transforms.stream.log import Log
from transforms.stream.push import Pusher
from transforms.stream.reader import Reader, Settings
from transforms.stream.sources import Batch
from transforms.stream.state.live_rows import LiveRows


class Days:
    """A stream source that returns the ratings of one day per batch."""

    name = "days"

    def __init__(self, plays: pl.DataFrame) -> None:
        rows = plays.sort("event_timestamp").to_dicts()
        self.days = [to_json_lines(day) for _, day in groupby(rows, key=lambda row: row["event_timestamp"].date())]
        self.step = -1

    def __call__(self, log: Log) -> "Days":
        return self

    def restart(self) -> None:
        raise AssertionError("nothing went wrong")

    def begin(self, most: int, wait: float) -> Callable[[], Batch]:
        return lambda: self._read(wait)

    def _read(self, wait: float) -> Batch:
        if self.step + 1 == len(self.days) or wait == 0.0:  # the end, or rows wait to be pushed before the next day
            return Batch(ends=self.step + 1 == len(self.days))
        self.step += 1
        return Batch([RawEvent("plays", event) for event in self.days[self.step]])


@pytest.fixture(scope="module")
def batch(movielens: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("movielens"))
    ingest(home, "movielens", FORMATS["movielens"].read(movielens))
    build(home)
    return home


@pytest.mark.journeys
def test_movielens_day_by_day(batch: Home, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    plays = scan(batch, "plays").collect()
    source = Days(plays)
    pushed: dict[str, list[pl.DataFrame]] = {name: [] for name in WINDOWED}
    push = Pusher.push

    def recording_push(pusher: Pusher, rows: LiveRows) -> int:
        keys = pusher.live.keys.values(rows.codes)
        frame = pl.DataFrame({**keys, "at": rows.event, **columns_of(rows)})
        pushed[pusher.live.table.name].append(frame.with_columns(step=pl.lit(source.step)))
        return push(pusher, rows)

    monkeypatch.setattr(Pusher, "push", recording_push)
    settings = Settings(follows="events", flood=10**6)
    report = Reader(home, Address.from_env(), source, settings, say=lambda text: None).run()
    assert report.counts["accepted"] == plays.height
    day_ends = plays.group_by(day=pl.col("event_timestamp").dt.date()).agg(pl.col("event_timestamp").max()).sort("day")
    clocks = day_ends["event_timestamp"].dt.timestamp("us").to_numpy() + 1
    for name, table in WINDOWED.items():
        if table.source.name != "plays":
            continue
        rows = feature_tables.scan(batch, name).collect().with_columns(at=pl.col("event_timestamp").dt.timestamp("us"))
        rows = rows.with_columns(step=pl.Series(np.searchsorted(clocks, rows["at"].to_numpy())).cast(pl.Int32))
        rows = rows.filter(pl.col("step") < len(clocks)).drop("event_timestamp", "created_timestamp")
        streamed = pl.concat(pushed[name], how="vertical_relaxed")
        assert_frame_equal(
            newest_of_each_day(streamed, table.keys, rows),
            newest_of_each_day(rows, table.keys, rows),
            rel_tol=1e-9,
            abs_tol=1e-6,
        )


def newest_of_each_day(rows: pl.DataFrame, keys: tuple[str, ...], columns_like: pl.DataFrame) -> pl.DataFrame:
    """Returns the last row of each key at the end of each day."""
    newest_rows: Any = rows.sort(*keys, "step", "at").unique([*keys, "step"], keep="last", maintain_order=True)
    return newest_rows.select(columns_like.columns).cast(dict(columns_like.schema))
