"""The recipes of CONTRIBUTING.md work in a copy of the packages: each adds one new file and changes no other."""

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


def test_a_windowed_table_is_one_file(copy: Copy) -> None:
    copy.add("feature_repo/definitions/windowed/artist_skips.py", WINDOWED_TABLE)
    copy.run("transforms", "simulate", "--users", "20", "--tracks", "100", "--days", "10", "--plays", "500")
    copy.run("transforms", "build")
    rows = pl.read_parquet(copy.home.features("artist_skips") / "**/*.parquet", hive_partitioning=False)
    assert rows["plays_7d"].sum() > 0
    try:
        copy.run("feature_repo", "apply")
    finally:
        redis_server.stop(copy.home)
    assert b"artist_skips" in (copy.home.root / "registry.db").read_bytes()


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
