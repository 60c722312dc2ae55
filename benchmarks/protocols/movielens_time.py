"""MovieLens 100k, global time split.

Ratings in order of time are plays. The last 10 % of the events are test, the 10 % before them validation
(``TimeSplit.by_share``; events of the same time stay together). Measured are all users with at least one event before
the test period and at least one film in it that they had not rated before: all films except those rated before are
ranked; every film first rated in the test period is relevant. Settings of the baselines are chosen on validation; those
of the embeddings and rankers are the defaults of the code, chosen on rolling splits that end before the test period,
and in every run on validation. Then all models learn from everything before the test period. The blend's members are
fitted separately and its weights are learned on validation; ``hybrid`` and the models beneath it are those of
``refrain model run recommendation``.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.protocols import movielens
from benchmarks.protocols.row import Row, full_ranking
from feature_repo.home import Home
from feature_repo.stores import redis_server
from training.datasets import Interactions, TimeSplit
from training.models.recommendation.blend import BlendFit, learn_weights
from training.models.recommendation.contract import Model
from training.models.recommendation.ease import EASE
from training.models.recommendation.ials import IALS
from training.models.recommendation.item_knn import ItemKNN
from training.models.recommendation.popularity import Popularity
from training.models.recommendation.rp3beta import RP3Beta
from training.models.recommendation.run import Settings, run
from training.models.recommendation.transitions import Transitions
from transforms.batch.build import build
from transforms.raw.importers.movielens import MOVIELENS
from transforms.raw.ingest import ingest

NAME, DATA = "movielens-100k, global time split", movielens.DATA
GOAL = {"ndcg_at_10": 0.230}

GRIDS: dict[str, dict[str, Model]] = {
    "ials": {f"{days} d" if days else "always": IALS(half_life_days=days) for days in (14.0, 30.0, 120.0, None)},
    "ease": {f"λ={value:g}": EASE(value) for value in (50.0, 100.0, 200.0, 400.0, 800.0)},
    "item_knn": {f"k={value}": ItemKNN(value) for value in (20, 50, 100, 200, 400)},
    "rp3beta": {f"β={value:g}": RP3Beta(beta=value) for value in (0.2, 0.4, 0.6)},
    "transitions": {f"{days} d" if days else "always": Transitions(half_life_days=days) for days in (14.0, 30.0, None)},
    "popularity_28d": {"28 days": Popularity(days=28)},
    "popularity": {"always": Popularity()},
}
BLENDED = ("ials", "ease", "transitions", "popularity_28d")


def measure(folder: Path) -> Iterator[Row]:
    """Measure the recommendation family as users run it, a blend, and baselines."""
    with tempfile.TemporaryDirectory() as scratch:
        home = Home(Path(scratch) / "home")
        try:
            ingest(home, "movielens", MOVIELENS.read(folder))
            data = Interactions.load(home)
            split = TimeSplit.by_share(data.time)
            yield from _family(home)
            yield from _baselines(data, split)
        finally:
            redis_server.stop(home)


def _family(home: Home) -> Iterator[Row]:
    build(home)
    environment = {**os.environ, "REFRAIN_HOME": str(home.root)}
    call = [sys.executable, "-W", "ignore", "-m", "feature_repo", "apply"]
    subprocess.run(call, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    result = run(home, Settings(users_measured=1_000_000))
    for name in ("hybrid", "collaborative", "content"):
        yield Row(f"family: {name}", "", result.metrics[name])


def _baselines(data: Interactions, split: TimeSplit) -> Iterator[Row]:
    tracks = data.shape[1]
    heard, relevant = data.heard_and_new(split.validation, split.test)
    chosen: dict[str, tuple[str, Model]] = {}
    fitted = {}
    for name, grid in GRIDS.items():
        fits = {setting: model.fit(data, split.validation) for setting, model in grid.items()}
        ndcg_by_setting = {
            setting: full_ranking(fit, heard, relevant, tracks).ndcg_at_10 for setting, fit in fits.items()
        }
        best = max(ndcg_by_setting, key=lambda setting: ndcg_by_setting[setting])
        chosen[name], fitted[name] = (best, grid[best]), fits[best]
    weights = learn_weights({name: fitted[name] for name in BLENDED}, heard, relevant)
    heard, relevant = data.heard_and_new(split.test, split.end)
    final = {name: model.fit(data, split.test) for name, (_, model) in chosen.items()}
    shares = " ".join(f"{name} {weight:.2f}" for name, weight in weights.items() if weight)
    blend = BlendFit({name: final[name] for name in BLENDED}, weights, heard)
    yield Row("blend", shares, full_ranking(blend, heard, relevant, tracks))
    for name, fit in final.items():
        yield Row(name, chosen[name][0], full_ranking(fit, heard, relevant, tracks))
