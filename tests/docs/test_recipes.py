"""The recipes of CONTRIBUTING.md work in a copy of the packages: each adds one new file and changes no other."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from feature_repo.home import REPOSITORY, Home
from feature_repo.stores import redis_server
from tests.repository import PACKAGES

pytestmark = pytest.mark.journeys

WINDOWED_TABLE = '''"""How much of an artist is skipped."""

from feature_repo.definitions.events.plays import plays
from feature_repo.windows import Count, Rate, WindowedTable

artist_skips = WindowedTable(
    name="artist_skips",
    about="Plays and share skipped of one artist",
    source=plays,
    keys=("artist_id",),
    windows=("1d", "7d"),
    features={"plays": Count(), "skip_rate": Rate("skipped")},
)
'''
EVENT = '''"""Votes of listeners for tracks."""

from feature_repo.windows import EventSource

votes = EventSource(
    "votes",
    columns={"user_id": "String", "track_id": "String", "stars": "Int64"},
    key=("user_id", "track_id"),
    ranges={"stars": (1, 5)},
)
'''
VOTED_TABLE = '''"""Votes of a track."""

from feature_repo.definitions.events.votes import votes
from feature_repo.windows import Count, Mean, WindowedTable

track_votes = WindowedTable(
    name="track_votes",
    about="Votes for one track",
    source=votes,
    keys=("track_id",),
    windows=("7d",),
    features={"votes": Count(), "stars": Mean("stars")},
)
'''
SERVICE = '''"""What a model of votes takes."""

from feature_repo.service import service

VOTES_V1 = service("votes_v1", "Votes of a track", "track_votes", predicts="stars")
'''
VIEW = '''"""Length of a track."""

from feast import Field
from feast.types import Int64

from feature_repo.definitions.entities import track
from feature_repo.sources import feature_table

track_length = feature_table(
    "track_length", entities=[track], schema=[Field(name="ms", dtype=Int64)], description="Length of one track"
)
'''
COMPUTED = '''"""Length of a track (view ``track_length``)."""

import polars as pl

from transforms.batch.features.feature_table import FeatureTable


def track_length(tracks: pl.DataFrame) -> pl.DataFrame:
    """Returns one row for each report of a track."""
    return tracks.select("track_id", "event_timestamp", "created_timestamp", ms="duration_ms")


TABLE = FeatureTable("track_length", source="tracks", compute=track_length)
'''
ON_DEMAND = '''"""How many tracks of a length fit into an hour."""

import numpy as np

from feature_repo.on_demand import OnDemand


def tracks_an_hour(ms: np.ndarray) -> dict[str, np.ndarray]:
    """Divides an hour by (n,) lengths in milliseconds."""
    return {"count": 3_600_000.0 / ms}


TRACKS_AN_HOUR = OnDemand(
    "tracks_an_hour", tracks_an_hour, inputs={"ms": "track_length__ms"}, outputs={"count": "Float64"}
)
'''
LENGTH_SERVICE = '''"""What is known of lengths."""

from feature_repo.service import service

LENGTHS_V1 = service("lengths_v1", "Length of a track", "track_length", "tracks_an_hour", "artist_skips: plays_7d")
'''
MODEL = '''"""Whether a play is of a long track."""

from datetime import timedelta

import polars as pl

from training.models.tabular import TabularModel
from transforms.raw.read import plays


def rows(home):
    return plays(home).select("track_id", "artist_id", "event_timestamp", label=pl.lit(1)).collect()


MODEL = TabularModel(
    name="length_model",
    family="behavior",
    about="Whether a track is long.",
    services=("lengths_v1",),
    rows=rows,
    kind="binary",
    cluster="track_id",
    horizon=timedelta(0),
)
'''
RAW_TABLE = '''"""Concerts that listeners went to."""

from transforms.raw.table import RawTable, Timed, key_column


class Concerts(Timed):
    """One row per listener and concert."""

    user_id = key_column()
    artist_id = key_column()


CONCERTS = RawTable("concerts", Concerts, key=("user_id", "artist_id", "event_timestamp"))
'''
IMPORTER = '''"""Concerts as a CSV file of users, artists and times."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from transforms.raw.importers.format import Format
from transforms.raw.ingest import Batch


def read(path: Path) -> Iterator[Batch]:
    """Concerts of one file."""
    TICKETS.check(path)
    rows = pl.read_csv(path).with_columns(pl.col("event_timestamp").str.to_datetime("%F", time_zone="UTC"))
    rows = rows.with_columns(event_timestamp=pl.col("event_timestamp").dt.cast_time_unit("us"))
    rows = rows.with_columns(created_timestamp=pl.col("event_timestamp"))
    yield Batch("concerts", rows, done=1, total=1)


TICKETS = Format("tickets", "a CSV file of user_id, artist_id, event_timestamp", read)
'''


class Copy:
    """A copy of the packages with its own data folder."""

    def __init__(self, folder: Path) -> None:
        self.code, self.home = folder / "code", Home(folder / "home")
        for package in PACKAGES:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(REPOSITORY / package, self.code / package, ignore=ignored)
        shutil.copy(REPOSITORY / "pyproject.toml", self.code)

    def add(self, path: str, text: str) -> None:
        """Adds a file; it must not exist yet."""
        with (self.code / path).open("x") as file:
            file.write(text)

    def run(self, *words: str) -> str:
        """Runs a command, which must succeed; returns its output."""
        environment = {**os.environ, "REFRAIN_HOME": str(self.home.root), "PYTHONPATH": str(self.code)}
        command = [sys.executable, "-W", "ignore", "-m", *words]
        completed = subprocess.run(command, cwd=self.code, env=environment, capture_output=True, text=True, check=False)
        assert completed.returncode == 0, completed.stderr[-2_000:]
        return completed.stdout


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path)


def test_a_table_a_view_a_function_a_service_and_a_model_are_one_file_each(copy: Copy) -> None:
    copy.add("feature_repo/definitions/windowed/artist_skips.py", WINDOWED_TABLE)
    copy.add("feature_repo/definitions/views/track_length.py", VIEW)
    copy.add("transforms/batch/features/track_length.py", COMPUTED)
    copy.add("feature_repo/definitions/on_demand/tracks_an_hour.py", ON_DEMAND)
    copy.add("feature_repo/definitions/services/lengths.py", LENGTH_SERVICE)
    copy.add("training/models/behavior/length_model.py", MODEL)
    copy.run("transforms", "simulate", "--users", "20", "--tracks", "100", "--days", "10", "--plays", "500")
    copy.run("transforms", "build")
    rows = pl.read_parquet(copy.home.features("artist_skips") / "**/*.parquet", hive_partitioning=False)
    assert rows["plays_7d"].sum() > 0
    assert "track_length" in {folder.name for folder in (copy.home.root / "features").iterdir()}
    assert "length_model" in copy.run("training", "list", "--all")
    try:
        copy.run("feature_repo", "apply")
    finally:
        redis_server.stop(copy.home)
    manifest = json.loads(copy.home.manifest.read_text())
    assert manifest["services"]["lengths_v1"]["features"] == [
        *(["track_length__ms", "Int64"], ["tracks_an_hour__count", "Float64"], ["artist_skips__plays_7d", "Int64"])
    ]


def test_a_kind_of_events_a_table_of_it_and_a_service_are_one_file_each(copy: Copy, tmp_path: Path) -> None:
    copy.add("feature_repo/definitions/events/votes.py", EVENT)
    copy.add("feature_repo/definitions/windowed/track_votes.py", VOTED_TABLE)
    copy.add("feature_repo/definitions/services/votes.py", SERVICE)
    votes = tmp_path / "votes.jsonl"
    event = '{"user_id": "%s", "track_id": "t1", "stars": %d, "event_timestamp": "2026-01-02T10:00:00Z"}\n'
    votes.write_text(event % ("ann", 5) + event % ("bob", 4) + event % ("cat", 6))
    try:
        copy.run("transforms", "stream", str(votes), "--kind", "votes", "--clock", "events", "--until-idle")
        copy.run("transforms", "build")
        copy.run("feature_repo", "apply")
    finally:
        redis_server.stop(copy.home)
    rows = pl.read_parquet(copy.home.features("track_votes") / "**/*.parquet", hive_partitioning=False)
    assert rows.select("votes_7d", "stars_7d").rows()[:1] == [(2, 4.5)]
    assert '"votes_v1"' in copy.home.manifest.read_text()


def test_a_raw_table_and_an_importer_are_one_file_each(copy: Copy, tmp_path: Path) -> None:
    copy.add("transforms/raw/tables/concerts.py", RAW_TABLE)
    copy.add("transforms/raw/importers/tickets.py", IMPORTER)
    tickets = tmp_path / "tickets.csv"
    tickets.write_text("user_id,artist_id,event_timestamp\nann,x,2026-01-02\n,x,2026-01-03\n")
    copy.run("transforms", "import", "tickets", str(tickets))
    rows = pl.read_parquet(copy.home.raw("concerts") / "**/*.parquet", hive_partitioning=False)
    assert rows["user_id"].to_list() == ["ann"]
    assert list((copy.home.root / "quarantine").rglob("*concerts*"))
