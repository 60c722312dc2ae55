"""LambdaRank on features of a FeatureService (Burges: From RankNet to LambdaRank to LambdaMART, 2010; LightGBM).

The score is constrained to rise with taste match and popularity and to fall with skip rate (monotone constraints):
with few listeners the model otherwise overfits the trends of its training weeks.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before LightGBM: busy waiting makes fits ten times slower

if TYPE_CHECKING:
    import lightgbm

FEWEST_TREES = 20


@dataclass(frozen=True)
class Ranked:
    """The inputs of a ranker.

    Attributes:
        service: feature service of the inputs.
        inputs: input column → direction in which it may move the score (1, −1; 0 for any).
    """

    service: str
    inputs: Mapping[str, int]

    def matrix(self, rows: pl.DataFrame) -> np.ndarray:
        """Selects the inputs of a training set: (n, len(inputs)) float32, NaN for missing."""
        return rows.select(pl.col(name).cast(pl.Float32).fill_null(np.nan) for name in self.inputs).to_numpy()

    def groups(self, rows: pl.DataFrame) -> "Groups":
        """Groups the rows of a training set by query; its spine is one of ``candidates.spine``, in that order."""
        runs = rows.select("query", "event_timestamp").with_columns(run=pl.struct("query", "event_timestamp").rle_id())
        sizes = runs["run"].value_counts().sort("run")["count"].to_numpy()
        return Groups(self.matrix(rows), rows["label"].cast(pl.Int8).to_numpy(), sizes)


_MATCHES = {
    "taste_match__score": 1,
    "content_match__score": 1,
    "candidate_match__similar": 1,
    "popularity_share__share_1d": 1,
    "popularity_share__share_7d": 1,
    "popularity_share__share_28d": 1,
    "affinity_share__share_7d": 1,
    "affinity_share__share_28d": 1,
    "track_age__days": 0,
}
HYBRID = Ranked(
    "recommendation_v1",
    {
        **_MATCHES,
        "track_popularity__skip_rate_28d": -1,
        "artist_popularity__skip_rate_28d": -1,
        "user_artist_affinity__plays_28d": 1,
        "user_artist_affinity__skip_rate_28d": -1,
        "user_listening__plays_28d": 0,
        "user_listening__skip_rate_28d": 0,
        "user_listening__distinct_artists_28d": 0,
        "user_history__distinct_tracks": 0,
    },
)
"""Inputs of the ranker outside sessions: taste, content, popularity, affinity."""
REAL_TIME = Ranked(
    "real_time_recommendation_v1",
    {
        **_MATCHES,
        "candidate_match__follows": 1,
        **{f"track_popularity__{name}_{days}": 0 for name in ("plays", "listeners") for days in ("1d", "7d", "28d")},
        **{f"artist_popularity__{name}_{days}": 0 for name in ("plays", "listeners") for days in ("1d", "7d", "28d")},
        **{
            f"{view}__skip_rate_{days}": -1
            for view in ("track_popularity", "artist_popularity", "user_artist_affinity")
            for days in ("1d", "7d", "28d")
        },
        **{f"user_artist_affinity__plays_{days}": 1 for days in ("1d", "7d", "28d")},
        **{
            f"user_session__{name}_{window}": 0
            for name in ("plays", "listening_ms", "skip_rate")
            for window in ("1h", "1d")
        },
        "user_session_now__idle_seconds": 0,
        **{f"user_listening__{name}_{days}": 0 for name in ("plays", "skip_rate") for days in ("7d", "28d")},
        **{f"user_listening__distinct_{name}_28d": 0 for name in ("tracks", "artists")},
        "user_history__distinct_tracks": 0,
        **{f"request_context__{name}": 0 for name in ("hour_of_day", "day_of_week", "device_code", "context_code")},
        "track_catalogue__duration_ms": 0,
        "track_catalogue__explicit": 0,
        "user_profile__birth_year": 0,
    },
)
"""Inputs of the ranker within sessions: those of ``HYBRID``, the current session, and the context of the request."""


@dataclass(frozen=True)
class Groups:
    """Candidate rows grouped by query; the rows of a query are consecutive.

    Attributes:
        inputs: (n, inputs) float32, NaN for missing.
        labels: (n,) 1 where the track was played, else 0.
        sizes: number of rows of each query.
    """

    inputs: np.ndarray
    labels: np.ndarray
    sizes: np.ndarray


@dataclass(frozen=True)
class Ranker:
    """Settings of the LambdaRank model.

    Attributes:
        leaves: number of leaves of a tree.
        learning_rate: shrinkage of each tree.
        least_rows: minimal number of rows in a leaf.
        most_trees: maximal number of trees; validation may stop earlier.
        patience: number of trees without a better NDCG@10 on validation after which training stops.
        seed: random seed of LightGBM.
    """

    leaves: int = 15
    learning_rate: float = 0.05
    least_rows: int = 100
    most_trees: int = 300
    patience: int = 50
    seed: int = 1

    def fit(self, ranked: Ranked, train: Sequence[Groups], validation: Groups) -> "lightgbm.Booster":
        """Chooses the number of trees on validation, then fits train and validation with that many trees."""
        return self.refit(ranked, [*train, validation], self.search(ranked, train, validation))

    def search(self, ranked: Ranked, train: Sequence[Groups], validation: Groups) -> "lightgbm.Booster":
        """Fits train alone, and stops at the number of trees that is best on validation."""
        import lightgbm

        return lightgbm.train(
            self._parameters(ranked),
            self._dataset(ranked, train),
            self.most_trees,
            valid_sets=[self._dataset(ranked, [validation])],
            callbacks=[lightgbm.early_stopping(self.patience, verbose=False)],
        )

    def refit(self, ranked: Ranked, groups: Sequence[Groups], searched: "lightgbm.Booster") -> "lightgbm.Booster":
        """Fits all groups with as many trees as a search chose."""
        import lightgbm

        trees = max(searched.best_iteration, FEWEST_TREES)
        return lightgbm.train(self._parameters(ranked), self._dataset(ranked, groups), trees)

    def _parameters(self, ranked: Ranked) -> dict[str, object]:
        return {
            "objective": "lambdarank",
            "metric": "ndcg",
            "eval_at": [10],
            "num_leaves": self.leaves,
            "learning_rate": self.learning_rate,
            "min_data_in_leaf": self.least_rows,
            "monotone_constraints": list(ranked.inputs.values()),
            "num_threads": 1,
            "deterministic": True,
            "seed": self.seed,
            "verbose": -1,
        }

    def _dataset(self, ranked: Ranked, groups: Sequence[Groups]) -> "lightgbm.Dataset":
        import lightgbm

        return lightgbm.Dataset(
            np.concatenate([part.inputs for part in groups]),
            np.concatenate([part.labels for part in groups]),
            group=np.concatenate([part.sizes for part in groups]),
            feature_name=list(ranked.inputs),
        )
