"""The simulated world: the same seed gives the same bytes, and its hidden truth shows in the plays."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from feature_repo.home import Home
from transforms.__main__ import app
from transforms.raw.read import scan
from transforms.raw.simulate.run import simulate
from transforms.raw.simulate.world import GENRES, Size

SIZE = Size(users=200, tracks=600, days=28, plays=40_000)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("world"))
    simulate(home, SIZE, seed=11)
    return home


def files(home: Home) -> dict[str, bytes]:
    return {str(path.relative_to(home.root)): path.read_bytes() for path in home.root.rglob("*.parquet")}


def test_the_same_seed_gives_the_same_bytes(simulated: Home, tmp_path: Path) -> None:
    repeated, other = Home(tmp_path / "again"), Home(tmp_path / "other")
    simulate(repeated, SIZE, seed=11)
    simulate(other, SIZE, seed=12)
    assert files(repeated) == files(simulated)
    assert files(other) != files(simulated)


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01", "1970-01-01", "2999-01-01", "soon", "2026-02-30"])
def test_a_first_day_of_which_nothing_can_be_told(home: Home, day: str) -> None:
    result = CliRunner().invoke(app, ["simulate", "--users", "1", "--tracks", "100", "--plays", "1", "--start", day])
    assert result.exit_code == 1, result.output
    assert "from 1979-12-31 to today" in result.output
    assert not home.root.exists()


def test_it_is_as_large_as_asked(simulated: Home) -> None:
    plays = scan(simulated, "plays").collect()
    assert plays.height == pytest.approx(SIZE.plays, rel=0.05)
    assert scan(simulated, "users").collect().height == SIZE.users
    assert scan(simulated, "tracks").collect().height == SIZE.tracks
    assert plays["event_timestamp"].dt.date().n_unique() == SIZE.days


def test_nothing_is_heard_before_it_is_out_or_by_somebody_who_is_not_there_yet(simulated: Home) -> None:
    plays = scan(simulated, "plays").collect()
    for table, key in (("tracks", "track_id"), ("users", "user_id")):
        since = scan(simulated, table).select(key, since="event_timestamp").collect()
        joined = plays.join(since, on=key)
        assert joined.height == plays.height
        assert (joined["event_timestamp"] >= joined["since"]).all()


def test_taste_shows_in_what_is_played(simulated: Home) -> None:
    truth = pl.read_parquet(simulated.root / "simulated" / "users.parquet")
    scene = pl.read_parquet(simulated.root / "simulated" / "tracks.parquet").select("track_id", "scene")
    plays_with_scene = scan(simulated, "plays").collect().join(scene, on="track_id")
    shares = plays_with_scene.group_by("user_id").agg(pl.len(), pl.col("scene"))
    correlations = []
    for user, plays, scenes in shares.filter(pl.col("len") > 100).iter_rows():
        taste = np.array(truth.filter(pl.col("user_id") == user)["taste"][0])
        correlations.append(np.corrcoef(taste, np.bincount(scenes, minlength=len(taste)) / plays)[0, 1])
    assert np.mean(correlations) > 0.6


def test_quality_shows_in_skips(simulated: Home) -> None:
    quality = pl.read_parquet(simulated.root / "simulated" / "tracks.parquet").select("track_id", "quality")
    by_track = (
        scan(simulated, "plays").collect().group_by("track_id").agg(pl.len(), skips=pl.col("skipped").mean())
    ).join(quality, on="track_id")
    frequent = by_track.filter(pl.col("len") > 50)
    assert np.corrcoef(frequent["quality"], frequent["skips"])[0, 1] < -0.3


def test_weekends_are_busier_and_some_events_are_late(simulated: Home) -> None:
    plays = scan(simulated, "plays").collect()
    by_weekday = plays.group_by(pl.col("event_timestamp").dt.weekday().alias("day")).len().sort("day")["len"].to_list()
    assert by_weekday[5] > 1.15 * by_weekday[0]
    delay = plays["created_timestamp"] - plays["event_timestamp"]
    assert 0.01 < (delay.dt.total_minutes() > 30).mean() < 0.03
    assert set(scan(simulated, "tracks").collect()["genres"].explode()) <= set(GENRES)


def test_duplicates_were_sent_and_removed(tmp_path: Path) -> None:
    report = simulate(Home(tmp_path / "home"), Size(users=50, tracks=100, days=7, plays=5_000), seed=1)
    plays = report.tables["plays"]
    assert 0.003 < plays.duplicates / plays.read < 0.03
