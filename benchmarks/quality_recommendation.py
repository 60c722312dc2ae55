"""How good the recommender is on MovieLens 100k.

Protocol: ratings in order of time are plays. The last 10 % of the events are test, the 10 % before them validation
(``TimeSplit.by_share``; events of one moment stay together). Everybody with at least one event before the test period
and at least one film in it that they had not rated before is measured: their list is ranked over all films, those
rated before left out; every film first rated in the test period is relevant. NDCG@10 and Recall@20 with binary
relevance, means over users with 95 % intervals; coverage is the share of the catalogue in anybody's first ten.

Hyperparameters of the baselines (EASE's λ, the neighbours of item-kNN) are chosen on validation here; those of the
vectors and of the ranker were chosen on rolling splits that end before the test period and are the defaults of the
code. The ranker's number of trees is chosen on validation in every run. Then all models learn from everything before
the test period and are measured on it once.

    REFRAIN_TEST_DATA=../shared/data python -m benchmarks.quality_recommendation
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from feature_repo.errors import InputError
from feature_repo.home import REPOSITORY, Home
from feature_repo.stores import redis_server
from training.datasets import Interactions, TimeSplit
from training.evaluate import RankingMetrics, rank_all, ranking_metrics
from training.models.recommendation import ease, item_knn, popularity, rp3beta
from training.models.recommendation.run import Settings, run
from training.models.recommendation.transitions import Transitions
from transforms.build import build
from transforms.importers import FORMATS
from transforms.raw.ingest import ingest

GOAL = 0.223
"""NDCG@10 of EASE on such a split, measured before this project began."""

Fit = Callable[[Interactions, int], np.ndarray]
GRIDS: dict[str, list[tuple[str, Fit]]] = {
    "ease": [
        (f"λ={value:g}", lambda data, cutoff, value=value: ease.fit(data, cutoff, regularization=value))
        for value in (50, 100, 200, 400, 800)
    ],
    "item_knn": [
        (f"k={value}", lambda data, cutoff, value=value: item_knn.fit(data, cutoff, neighbours=value))
        for value in (20, 50, 100, 200, 400)
    ],
    "rp3beta": [
        (f"β={value:g}", lambda data, cutoff, value=value: rp3beta.fit(data, cutoff, beta=value))
        for value in (0.2, 0.4, 0.6)
    ],
    "transitions": [
        (
            f"{days} d" if days else "always",
            lambda data, cutoff, days=days: Transitions(half_life_days=days).fit(data, cutoff),
        )
        for days in (14, 30, None)
    ],
    "popularity_28d": [
        ("28 days", lambda data, cutoff: _for_all(data, popularity.fit(data, cutoff, days=28))),
    ],
    "popularity": [("always", lambda data, cutoff: _for_all(data, popularity.fit(data, cutoff)))],
}


def _for_all(data: Interactions, scores: np.ndarray) -> np.ndarray:
    return np.broadcast_to(scores, data.shape)


def measure(data: Interactions, scores: np.ndarray, cutoff: int, end: int) -> RankingMetrics:
    """Full ranking by a table of scores (users, tracks)."""
    history, relevant = data.heard_and_new(cutoff, end)
    ranked = {user: rank_all(scores[user], history[user], 20) for user in relevant}
    return ranking_metrics(ranked, relevant, data.shape[1])


def baselines(data: Interactions, split: TimeSplit) -> dict[str, tuple[str, RankingMetrics]]:
    """Each baseline with its best setting on validation, measured on test."""
    found = {}
    for name, grid in GRIDS.items():
        on_validation = [
            measure(data, fit(data, split.validation), split.validation, split.test).ndcg_at_10 for _, fit in grid
        ]
        setting, fit = grid[int(np.argmax(on_validation))]
        found[name] = (setting, measure(data, fit(data, split.test), split.test, split.end))
    return found


def ours(home: Home) -> dict[str, tuple[str, RankingMetrics]]:
    """The main job, as its users run it."""
    build(home)
    environment = {**os.environ, "REFRAIN_HOME": str(home.root)}
    call = [sys.executable, "-W", "ignore", "-m", "feature_repo", "apply"]
    subprocess.run(call, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    settings = Settings(users_measured=1_000_000)
    result = run(home, settings)
    return {name: ("defaults", result.metrics[name]) for name in ("hybrid", "als")}


def main() -> None:
    """Print a table and the line of JSON."""
    data_folder = Path(os.environ.get("REFRAIN_TEST_DATA", REPOSITORY.parent / "shared" / "data")) / "movielens-100k"
    if not data_folder.is_dir():
        raise SystemExit(
            str(
                InputError(
                    expected="MovieLens 100k",
                    found=f"no folder {data_folder}",
                    next_command="REFRAIN_TEST_DATA=folder python -m benchmarks.quality_recommendation",
                )
            )
        )
    with tempfile.TemporaryDirectory() as scratch:
        home = Home(Path(scratch) / "home")
        try:
            ingest(home, "movielens", FORMATS["movielens"].read(data_folder))
            data = Interactions.load(home)
            split = TimeSplit.by_share(data.time)
            rows = {**ours(home), **baselines(data, split)}
        finally:
            redis_server.stop(home)
    show(rows)


def show(rows: dict[str, tuple[str, RankingMetrics]]) -> None:
    """The table, then the JSON."""
    print(f"{'model':16}{'setting':>10}{'NDCG@10':>9}{'± 95 %':>9}{'Recall@20':>11}{'coverage':>10}{'users':>7}")
    cases: list[dict[str, Any]] = []
    for name, (setting, numbers) in rows.items():
        print(
            f"{name:16}{setting:>10}{numbers.ndcg_at_10:9.4f}{numbers.ndcg_interval:9.4f}{numbers.recall_at_20:11.4f}"
            f"{numbers.coverage_at_10:10.3f}{numbers.users:7}"
        )
        case = {"case": "movielens-100k, global time split", "model": name, "setting": setting}
        goal = {"goal": f">= {GOAL}"} if name == "hybrid" else {}
        cases += [
            {**case, "metric": metric, "value": round(value, 4), **(goal if metric == "ndcg_at_10" else {})}
            for metric, value in asdict(numbers).items()
        ]
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(json.dumps({"benchmark": "quality_recommendation", "machine": machine, "cases": cases}))


if __name__ == "__main__":
    main()
