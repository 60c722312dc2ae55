"""MovieLens 100k, what the hybrid orders by, at seven moments.

The moments of ``refrain model run recommendation`` on MovieLens 100k (eight cutoffs within train, the starts of
validation and test), from the fourth on. At each the ranker learns from the moments before, the last of which is
validation: it chooses the number of trees and the order (``hybrid_order``). All listeners with plays before and new
films until the next moment are asked; the candidates of the hybrid are ranked, and what is no candidate counts as
missed. Differences are paired, their intervals by bootstrap over listeners.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.protocols import movielens
from benchmarks.protocols.row import Row
from feature_repo.home import Home
from feature_repo.stores import redis_server
from training.evaluate import ranking_metrics
from training.models.recommendation.hybrid_order import ORDERS, choose_order, order_scores
from training.models.recommendation.problem import MomentQueries, ndcg_of_groups
from training.models.recommendation.ranker import HYBRID, Groups
from training.models.recommendation.run import Settings, problem
from training.validation.bootstrap import interval
from transforms.batch.build import build
from transforms.raw.importers.movielens import MOVIELENS
from transforms.raw.ingest import ingest

NAME, DATA = "movielens-100k, seven moments", movielens.DATA
GOAL: dict[str, float] = {}
FIRST = 3
"""Number of the first moment that is asked about."""
EVERYBODY = 1_000_000


def measure(folder: Path) -> Iterator[Row]:
    """Measure what serves, and each order alone."""
    with tempfile.TemporaryDirectory() as scratch:
        home = Home(Path(scratch) / "home")
        try:
            ingest(home, "movielens", MOVIELENS.read(folder))
            build(home)
            environment = {**os.environ, "REFRAIN_HOME": str(home.root)}
            call = [sys.executable, "-W", "ignore", "-m", "feature_repo", "apply"]
            subprocess.run(call, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            settings = Settings(users_measured=EVERYBODY, users_per_fold=EVERYBODY, negatives=EVERYBODY)
            yield from _rows(problem(home, settings=settings).moments)
        finally:
            redis_server.stop(home)


def _rows(moments: tuple[MomentQueries, ...]) -> Iterator[Row]:
    rng = np.random.default_rng(0)
    training = [sample_negatives(moment.groups, Settings().negatives, rng) for moment in moments]
    gains: dict[str, list[np.ndarray]] = {name: [] for name in ("hybrid", *ORDERS)}
    chosen = []
    for number in range(FIRST, len(moments)):
        validation, test, ranker = moments[number - 1], moments[number], Settings().ranker
        searched = ranker.search(HYBRID, training[: number - 1], training[number - 1])
        scores = np.asarray(searched.predict(validation.groups.inputs))
        chosen.append(choose_order(HYBRID, validation.groups, scores, validation.wanted, validation.users))
        booster = ranker.refit(HYBRID, training[:number], searched)
        scores = np.asarray(booster.predict(test.groups.inputs))
        for name, weights in {"hybrid": ORDERS[chosen[-1]], **ORDERS}.items():
            parts = order_scores(HYBRID, scores, test.groups.inputs, test.groups.sizes, weights)
            gains[name].append(ndcg_of_groups(np.concatenate(parts), test.groups, test.wanted))
    users = np.concatenate([moment.users for moment in moments[FIRST:]])
    figures = {name: np.concatenate(parts) for name, parts in gains.items()}
    for name, values in figures.items():
        gain, mean = interval(figures["hybrid"] - values, users), interval(values, users)
        difference = f"hybrid is better by {gain.mean:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]"
        metrics = replace(
            ranking_metrics({}, {}, 1),
            coverage_at_10=float("nan"),
            ndcg_at_10=mean.mean,
            ndcg_interval=(mean.high - mean.low) / 2,
            users=len(np.unique(users)),
        )
        yield Row(name, f"{len(values)} questions; {'; '.join(chosen)}" if name == "hybrid" else difference, metrics)


def sample_negatives(groups: Groups, most: int, rng: np.random.Generator) -> Groups:
    """Keep all played candidates of each query and a sample of the others, as training does."""
    kept = []
    for rows in np.split(np.arange(len(groups.labels)), np.cumsum(groups.sizes)[:-1]):
        others = rows[groups.labels[rows] == 0]
        others = rng.choice(others, most, replace=False) if len(others) > most else others
        kept.append(np.sort(np.concatenate([rows[groups.labels[rows] > 0], others])))
    positions = np.concatenate(kept)
    return Groups(groups.inputs[positions], groups.labels[positions], np.array([len(rows) for rows in kept]))
