"""The distribution of a title's future place on a chart: off the chart, or at a place.

Three gradient-boosted models for each horizon: the chance that the title is on the chart; its median place if it is (as
the logit of the place, so that places near the top are far apart and forecasts stay within the chart); and the usual
error of that median. Errors in units of the usual error give the quantiles (split conformal prediction), and the chance
is calibrated by Platt scaling, both on charts that no model was fitted on.
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
"""Levels of the stored quantiles of errors; values between them are interpolated linearly."""


@dataclass
class PlaceDistribution:
    """The model of one chart and one horizon.

    Attributes:
        size: number of places of the chart.
        trees: number of trees of each booster.
        leaves: number of leaves of a tree.
        seed: random seed of LightGBM.
        threads: number of threads of LightGBM.
        on: booster of the chance to be on the chart, once fitted.
        middle: booster of the logit of the median place, once fitted.
        spread: booster of the logarithm of the usual error, once fitted.
        platt: slope, shift for titles on the chart at the origin, and constant of the Platt scaling.
        errors: (levels,) quantiles of the errors, in units of the usual error.
        warp: (levels,) calibrated levels for titles on the chart at the origin.
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
        """Learns from inputs (m, d) and places (m,), 0 for off the chart."""
        on_chart = rank > 0
        self.on = self._train(inputs, on_chart.astype(np.float32), "binary", self.trees)
        place = logit(rank[on_chart], self.size)
        self.middle = self._train(inputs[on_chart], place, "l1", self.trees)
        # in-sample errors are too small by a common factor: only their pattern is learned here
        distance = np.abs(place - np.asarray(self.middle.predict(inputs[on_chart], num_threads=self.threads)))
        self.spread = self._train(inputs[on_chart], np.log(distance + 0.02), "l2", self.trees // 4)
        return self

    def calibrate(self, inputs: np.ndarray, rank: np.ndarray, charting: np.ndarray) -> "PlaceDistribution":
        """Calibrates chance and errors on rows that are later than those of the fit.

        Args:
            inputs: (m, d) inputs.
            rank: (m,) places, 0 for off the chart.
            charting: (m,) whether the title is on the chart at the origin.
        """
        from sklearn.linear_model import LogisticRegression

        on_chart = rank > 0
        log_odds = self._log_odds(inputs)
        columns = np.column_stack([log_odds, charting])
        if 0 < on_chart.sum() < len(on_chart):
            regression = LogisticRegression(C=1e6).fit(columns, on_chart)
            (slope, shift), constant = regression.coef_[0], regression.intercept_[0]
            self.platt = (float(slope), float(shift), float(constant))
        middle, spread = self._place_logit(inputs[on_chart])
        self.errors = quantiles((logit(rank[on_chart], self.size) - middle) / spread, LEVELS)
        # remaining miscalibration: levels of the truths of titles on the chart within the whole distribution
        self.warp = np.array(LEVELS)
        charting_now = charting.astype(bool)
        better, not_worse = self.predict(inputs[charting_now], charting[charting_now]).cumulative(rank[charting_now])
        uniform = better + (not_worse - better) * np.random.default_rng(self.seed).random(len(better))
        self.warp = quantiles(uniform, LEVELS)
        return self

    def predict(self, inputs: np.ndarray, charting: np.ndarray) -> "Places":
        """Predicts the distribution of each row."""
        slope, shift, constant = self.platt
        chance = 1 / (1 + np.exp(-(slope * self._log_odds(inputs) + shift * charting + constant)))
        return Places(self.size, chance, *self._place_logit(inputs), self.errors, charting.astype(bool), self.warp)

    def boosters(self) -> dict[str, "lightgbm.Booster"]:
        """Returns the three boosters by name."""
        assert self.on is not None and self.middle is not None and self.spread is not None
        return {"on": self.on, "middle": self.middle, "spread": self.spread}

    def constants(self) -> dict[str, Any]:
        """Returns the parameters besides the boosters."""
        return {"size": self.size, "platt": self.platt, "errors": self.errors.tolist(), "warp": self.warp.tolist()}

    def _log_odds(self, inputs: np.ndarray) -> np.ndarray:
        assert self.on is not None
        chance = np.clip(np.asarray(self.on.predict(inputs, num_threads=self.threads)), 1e-7, 1 - 1e-7)
        return np.log(chance / (1 - chance))

    def _place_logit(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
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
    """Distributions of the places of n titles.

    Attributes:
        size: number of places of the chart.
        chance: (n,) chance to be on the chart.
        middle: (n,) logit of the median place on the chart.
        spread: (n,) usual error of the median logit.
        errors: (levels,) quantiles of the error, in units of the spread.
        charting: (n,) whether the title is on the chart at the origin.
        warp: (levels,) calibrated level for each nominal level, for titles on the chart.
    """

    size: int
    chance: np.ndarray
    middle: np.ndarray
    spread: np.ndarray
    errors: np.ndarray
    charting: np.ndarray
    warp: np.ndarray

    def if_on(self, level: np.ndarray | float) -> np.ndarray:
        """Computes the quantile of the place given that the title is on the chart, (n,); 1 is the best."""
        error = np.interp(np.broadcast_to(level, self.middle.shape), LEVELS, self.errors)
        return np.clip(place_of(self.middle + self.spread * error, self.size), 1, self.size)

    def quantile(self, level: float) -> np.ndarray:
        """Computes the quantile of the place, (n,), with ``size + 1`` for off the chart as the worst."""
        own_level = self.calibrated_level(level)
        is_on = own_level < self.chance
        return np.where(
            is_on, self.if_on(np.where(is_on, own_level / np.maximum(self.chance, 1e-9), 0.5)), self.size + 1
        )

    def calibrated_level(self, level: float) -> np.ndarray:
        """Returns the calibrated level for a nominal level, (n,)."""
        return np.where(self.charting, np.interp(level, LEVELS, self.warp), level)

    def cumulative(self, rank: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Computes the chance of a place better than ``rank`` (0 for off), and of one not worse."""
        edges = []
        for shift in (-0.5, 0.5):
            share_of_places = np.clip((rank + shift) / self.size, 1e-6, 1 - 1e-6)
            error = (np.log(share_of_places / (1 - share_of_places)) - self.middle) / self.spread
            probability = np.interp(error, self.errors, LEVELS, left=0.0, right=1.0)
            edges.append(np.where(rank > 0, self.chance * probability, self.chance if shift < 0 else 1.0))
        return edges[0], edges[1]


def logit(rank: np.ndarray, size: int) -> np.ndarray:
    """Maps places 1 … size to logits, (n,); a place beyond the last counts as the last."""
    share = (np.minimum(rank, size) - 0.5) / size
    return np.log(share / (1 - share))


def place_of(value: np.ndarray, size: int) -> np.ndarray:
    """Maps logits to places, not rounded; the inverse of ``logit``."""
    return size / (1 + np.exp(-value)) + 0.5
