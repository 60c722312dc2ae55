"""Training on plays that teach nothing ends with a bundle that answers, and says what was not measured."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from feature_repo.home import Home
from feature_repo.stores import redis_server
from tests.worlds import stop_clock
from training.models.recommendation.run import run
from training.version_files import decision_of
from transforms.batch.build import build
from transforms.raw.ingest import Batch, ingest

START = datetime(2026, 1, 5, 19, tzinfo=UTC)
SHAPES: dict[str, list[tuple[str, str, timedelta]]] = {
    "one track": [("me", "t0", timedelta(hours=7 * number)) for number in range(150)],
    "one evening": [("me", f"t{number % 25}", timedelta(minutes=3 * number)) for number in range(110)],
    "all at once": [("me", f"t{number}", timedelta()) for number in range(120)],
    "three listeners": [(f"u{number % 3}", f"t{number % 40}", timedelta(minutes=37 * number)) for number in range(400)],
}


@pytest.fixture
def applied(alone: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A data folder with definitions and nothing else."""
    folder = Home(tmp_path / "home")
    folder.root.mkdir()
    for path in alone.root.iterdir():
        if path.is_file():
            shutil.copy(path, folder.root)
    monkeypatch.setenv("REFRAIN_HOME", str(folder.root))
    yield folder
    redis_server.stop(folder)


@pytest.mark.journeys
@pytest.mark.parametrize("shape", SHAPES)
def test_plays_of_any_shape_train(applied: Home, monkeypatch: pytest.MonkeyPatch, shape: str) -> None:
    from inference import RecommendationEngine

    rows = [(user, track, f"a{track}", START + after, 200_000) for user, track, after in SHAPES[shape]]
    columns = ("user_id", "track_id", "artist_id", "event_timestamp", "ms_played")
    plays = pl.DataFrame(rows, columns, orient="row").with_columns(created_timestamp="event_timestamp")
    ingest(applied, "shape", [Batch("plays", plays)])
    stop_clock(applied, monkeypatch)
    build(applied)
    result = run(applied)
    text = "\n".join(result.lines())
    listeners = plays["user_id"].n_unique()
    assert f"{len(rows):,} plays of {listeners} listener" in text
    assert f"found {listeners}." in text
    decision = decision_of(applied, "recommendation", result.version)
    assert decision is not None
    assert not decision.may_serve  # so few moments tell nothing, measured or not
    engine = RecommendationEngine.load(f"recommendation:{result.version}", applied)
    assert engine.recommend("nobody").items  # nothing is online: known tracks to a stranger
    assert engine.recommend("me").model == f"recommendation:{result.version}"
