"""How stable contributions are: under small changes of a track's features, and between fits with other seeds.

Hits of the 1960s to the 1980s among songs of the same decade, by 15 features of Spotify; explained are 150 songs of the
1990s. A small change is normal noise of a hundredth of each column's deviation; a song counts if its chance moves by at
most a hundredth of the chances' deviation. Five seeds each; every fit learns from half of the songs, drawn with its
seed, as the next retraining has other rows, too.

Judged on: held out: songs of a later decade. Nothing was chosen on them.

    REFRAIN_TEST_DATA=../shared/data python -m benchmarks.quality_explanations
"""

import json

import numpy as np
import polars as pl

from benchmarks.surroundings import MACHINE, case_of_quality, data_set
from training.estimators import LEARNERS
from training.explain.stability import kept_reasons, rank_correlation

DATA = "spotify-hit-predictor"
EARLIER, LATER = ("60s", "70s", "80s"), "90s"
LEARNER_NAMES = ("lightgbm", "xgboost", "forest", "linear")
SEEDS, EXPLAINED, CHANGE = 5, 150, 0.01


def main() -> None:
    """Print the cases and one line of JSON."""
    folder = data_set(DATA)

    def songs(decade: str) -> pl.DataFrame:
        file = folder / f"dataset-of-{decade}.csv"
        return pl.read_csv(file, glob=False).drop("track", "artist", "uri", "decade").cast(pl.Float64)

    earlier = pl.concat([songs(decade) for decade in EARLIER])
    later = songs(LATER).sample(EXPLAINED, seed=0).drop("target").to_numpy()
    inputs, labels = earlier.drop("target").to_numpy(), earlier["target"].to_numpy()
    cases = []
    for name in LEARNER_NAMES:
        importances, kept, counted = [], [], 0
        for seed in range(SEEDS):
            half = np.random.default_rng(seed).permutation(len(inputs))[: len(inputs) // 2]
            parameters = {"trees": 50} if name == "forest" else {}
            fitted = LEARNERS[name].fit(inputs[half], labels[half], "binary", parameters, seed)
            importances.append(np.abs(fitted.contributions(later)[:, :-1]).mean(axis=0))
            share, rows = kept_reasons(fitted.predict, fitted.contributions, later, size=CHANGE, seed=seed)
            kept.append(share)
            counted += rows
        cases.append(case_of_quality(name, "rank correlation between seeds", rank_correlation(importances)))
        cases.append(case_of_quality(name, "share of the three reasons kept", float(np.nanmean(kept))))
        cases.append(case_of_quality(name, "changed songs that count", counted / (SEEDS * EXPLAINED)))
    print(json.dumps({"benchmark": "quality_explanations", "machine": MACHINE, "cases": cases}))


if __name__ == "__main__":
    main()
