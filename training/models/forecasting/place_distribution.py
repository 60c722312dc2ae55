"""Where a title will be on a chart, as a distribution: off it, or at a place.

Three gradient-boosted models for each number of weeks ahead: the chance that it is on the chart; its place if it is
(the median, of the place's logit, so that places near the top are far apart and the ends of the chart are ends); and
how far off that usually is. Errors in units of the latter, sorted, make the quantiles (split conformal), and the
chance is brought in line with frequencies (Platt), both on charts that no model was fitted on.
"""

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from training.models.forecasting.conformal import quantiles
from training.threads import threads

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before LightGBM: busy waiting makes fits ten times slower

if TYPE_CHECKING:
    import lightgbm

LEVELS = tuple(np.round(np.concatenate([[0.0125], np.arange(0.025, 0.98, 0.025), [0.9875]]), 4).tolist())
"""Of the errors that are kept; between them lies a straight line."""


@dataclass
class PlaceDistribution:
    """For one chart and one number of weeks ahead.

    Attributes:
        size: places of the chart.
        trees: of each model.
        leaves: of a tree.
        seed: of LightGBM.
        threads: of LightGBM.
    """

    size: int
    trees: int = 200
    leaves: int = 31
    seed: int = 0
    threads: int = field(default_factory=threads)
    on: "lightgbm.Booster | None" = None
    middle: "lightgbm.Booster | None" = None
    spread: "lightgbm.Booster | None" = None
    platt: tuple[float, float, float] = (1.0, 0.0, 0.0)
    errors: np.ndarray = field(default_factory=lambda: np.zeros(len(LEVELS)))
    warp: np.ndarray = field(default_factory=lambda: np.array(LEVELS))

    def fit(self, inputs: np.ndarray, rank: np.ndarray) -> "PlaceDistribution":
        """Learn from inputs (m, d) and places (m,), 0 for off."""
        there = rank > 0
        self.on = self._train(inputs, there.astype(np.float32), "binary", self.trees)
        place = logit(rank[there], self.size)
        self.middle = self._train(inputs[there], place, "l1", self.trees)
        # errors of the middle on rows it was fitted on are too small alike: their pattern is what is learned here
        distance = np.abs(place - np.asarray(self.middle.predict(inputs[there], num_threads=self.threads)))
        self.spread = self._train(inputs[there], np.log(distance + 0.02), "l2", self.trees // 4)
        return self

    def calibrate(self, inputs: np.ndarray, rank: np.ndarray, charting: np.ndarray) -> "PlaceDistribution":
        """Learn how far off it is from rows (m, d) that came after those it was fitted on.

        Args:
            inputs: (m, d).
            rank: (m,) 0 for off.
            charting: (m,) whether the title is on the chart at the origin.
        """
        from sklearn.linear_model import LogisticRegression

        there = rank > 0
        raw = self._score(inputs)
        columns = np.column_stack([raw, charting])
        if 0 < there.sum() < len(there):
            fitted = LogisticRegression(C=1e6).fit(columns, there)
            (slope, shift), constant = fitted.coef_[0], fitted.intercept_[0]
            self.platt = (float(slope), float(shift), float(constant))
        middle, spread = self._place(inputs[there])
        self.errors = quantiles((logit(rank[there], self.size) - middle) / spread, LEVELS)
        # what is left: of titles on the chart, at which of its own quantiles the whole distribution finds the truth
        self.warp = np.array(LEVELS)
        on = charting.astype(bool)
        better, not_worse = self.predict(inputs[on], charting[on]).cumulative(rank[on])
        drawn = better + (not_worse - better) * np.random.default_rng(self.seed).random(len(better))
        self.warp = quantiles(drawn, LEVELS)
        return self

    def predict(self, inputs: np.ndarray, charting: np.ndarray) -> "Places":
        """The distribution for each row."""
        slope, shift, constant = self.platt
        chance = 1 / (1 + np.exp(-(slope * self._score(inputs) + shift * charting + constant)))
        return Places(self.size, chance, *self._place(inputs), self.errors, charting.astype(bool), self.warp)

    def boosters(self) -> dict[str, "lightgbm.Booster"]:
        """The three models, by name."""
        assert self.on is not None and self.middle is not None and self.spread is not None
        return {"on": self.on, "middle": self.middle, "spread": self.spread}

    def constants(self) -> dict[str, Any]:
        """What it is besides its models."""
        return {"size": self.size, "platt": self.platt, "errors": self.errors.tolist(), "warp": self.warp.tolist()}

    def _score(self, inputs: np.ndarray) -> np.ndarray:
        assert self.on is not None
        chance = np.clip(np.asarray(self.on.predict(inputs, num_threads=self.threads)), 1e-7, 1 - 1e-7)
        return np.log(chance / (1 - chance))

    def _place(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        assert self.middle is not None and self.spread is not None
        if not len(inputs):
            return np.zeros(0), np.zeros(0)
        middle = np.asarray(self.middle.predict(inputs, num_threads=self.threads))
        return middle, np.exp(np.asarray(self.spread.predict(inputs, num_threads=self.threads)))

    def _train(self, inputs: np.ndarray, target: np.ndarray, objective: str, trees: int) -> "lightgbm.Booster":
        import lightgbm

        parameters = {
            "objective": objective,
            "learning_rate": 0.05,
            "num_leaves": self.leaves,
            "min_data_in_leaf": 50 if len(target) > 5_000 else 10,
            "feature_fraction": 0.7,
            "bagging_fraction": 0.8,
            "bagging_freq": 1,
            "num_threads": self.threads,
            "seed": self.seed,
            "deterministic": True,
            "force_row_wise": True,
            "verbose": -1,
        }
        return lightgbm.train(parameters, lightgbm.Dataset(inputs, target), trees)


@dataclass(frozen=True)
class Places:
    """Distributions of n titles.

    Attributes:
        size: places of the chart.
        chance: (n,) of being on it.
        middle: (n,) logit of the median place if it is.
        spread: (n,) usual distance from that.
        errors: (levels,) quantiles of the distance, in units of the spread.
        charting: (n,) whether they are on the chart at the origin.
        warp: (levels,) of a title on the chart, the quantile to ask for in order to hold at each level.
    """

    size: int
    chance: np.ndarray
    middle: np.ndarray
    spread: np.ndarray
    errors: np.ndarray
    charting: np.ndarray
    warp: np.ndarray

    def if_on(self, level: np.ndarray | float) -> np.ndarray:
        """(n,) quantile of the place, if it is on the chart; 1 is the best."""
        error = np.interp(np.broadcast_to(level, self.middle.shape), LEVELS, self.errors)
        return np.clip(place_of(self.middle + self.spread * error, self.size), 1, self.size)

    def quantile(self, level: float) -> np.ndarray:
        """(n,) quantile of the place with ``size + 1`` for off, the worst of all."""
        asked = self.asked(level)
        inside = asked < self.chance
        return np.where(inside, self.if_on(np.where(inside, asked / np.maximum(self.chance, 1e-9), 0.5)), self.size + 1)

    def asked(self, level: float) -> np.ndarray:
        """(n,) the quantile of its own that holds at a level."""
        return np.where(self.charting, np.interp(level, LEVELS, self.warp), level)

    def cumulative(self, rank: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Chance of a better place than ``rank`` (0 for off), and of one that is not worse."""
        edges = []
        for shift in (-0.5, 0.5):
            at = np.clip((rank + shift) / self.size, 1e-6, 1 - 1e-6)
            error = (np.log(at / (1 - at)) - self.middle) / self.spread
            share = np.interp(error, self.errors, LEVELS, left=0.0, right=1.0)
            edges.append(np.where(rank > 0, self.chance * share, self.chance if shift < 0 else 1.0))
        return edges[0], edges[1]


def logit(rank: np.ndarray, size: int) -> np.ndarray:
    """(n,) of the places 1 … size; a place beyond counts as the last."""
    share = (np.minimum(rank, size) - 0.5) / size
    return np.log(share / (1 - share))


def place_of(value: np.ndarray, size: int) -> np.ndarray:
    """The other way round, not rounded."""
    return size / (1 + np.exp(-value)) + 0.5
