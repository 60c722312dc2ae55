"""Yambda, its authors' global time split.

The last day is test, the day before is validation, and the half hours before both are left out: the same moments for
everybody. A listen of at least half the track is positive, others are left out. Unlike in the authors' code, tracks
heard before are not ranked, as in the other protocols here, so that the figures are not those of their tables.

    refrain import yambda FOLDER  (to train on it; this protocol reads FOLDER = $REFRAIN_TEST_DATA/yambda itself)
    python -m benchmarks.quality_recommendation --only yambda_time
"""

import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from benchmarks.protocols.row import Row, full_ranking
from feature_repo.home import Home
from training.datasets import Interactions, TimeSplit
from training.models.recommendation.contract import Model
from training.models.recommendation.ials import IALS
from training.models.recommendation.item_knn import ItemKNN
from training.models.recommendation.popularity import Popularity
from transforms.raw.importers.yambda import EPOCH, YAMBDA
from transforms.raw.ingest import ingest

NAME, DATA = "Yambda, global time split", "yambda"
GOAL: dict[str, float] = {}

_MICROSECONDS = 1_000_000
END_S = 26_000_000
"""End of the test day, in seconds of the data set."""
DAY, GAP = 86_400 * _MICROSECONDS, 1_800 * _MICROSECONDS

GRIDS: dict[str, dict[str, Model]] = {
    "popularity_1d": {"1 day": Popularity(days=1)},
    "popularity_28d": {"28 days": Popularity(days=28)},
    "item_knn": {f"k={value}": ItemKNN(value) for value in (50, 200)},
    "ials": {f"{days} d" if days else "always": IALS(half_life_days=days) for days in (14.0, 60.0, None)},
}


def split_of(plays: Interactions) -> tuple[Interactions, TimeSplit]:
    """Returns the positive listens outside of the gaps, and the split.

    Args:
        plays: all listens, as they are imported.
    """
    end = int((EPOCH + timedelta(seconds=END_S)).timestamp()) * _MICROSECONDS
    positive = plays.only(~plays.skipped.astype(bool))
    split = TimeSplit.at(positive.time, test=end - DAY, end=end, validation=DAY, gap=GAP)
    return positive.only(split.outside_gaps(positive.time, GAP)), split


def measure(folder: Path) -> Iterator[Row]:
    """Measure baselines, with the settings that are best on validation."""
    with tempfile.TemporaryDirectory() as scratch:
        home = Home(Path(scratch) / "home")
        ingest(home, "yambda", YAMBDA.read(folder))
        data, split = split_of(Interactions.load(home))
    tracks = data.shape[1]
    heard, relevant = data.heard_and_new(split.validation, split.test)
    heard_at_test, relevant_at_test = data.heard_and_new(split.test, split.end)
    for name, grid in GRIDS.items():
        ndcg = {
            setting: full_ranking(model.fit(data, split.validation), heard, relevant, tracks).ndcg_at_10
            for setting, model in grid.items()
        }
        best = max(ndcg, key=lambda setting: ndcg[setting])
        fit = grid[best].fit(data, split.test)
        yield Row(name, best, full_ranking(fit, heard_at_test, relevant_at_test, tracks))
