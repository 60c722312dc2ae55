"""Explanations are stable: small changes that leave the answer leave the reasons, and other seeds their order."""

import numpy as np
import pytest

from training.estimators import LEARNERS
from training.explain.stability import kept_reasons, rank_correlation

STRENGTHS = np.array([3.0, 1.5, 0.8, 0.4, 0.2, 0.0, 0.0, 0.0])


def data(seed: int = 0, rows: int = 1_500) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(rows, len(STRENGTHS))).astype(np.float32)
    score = np.tanh(inputs.astype(float)) @ STRENGTHS + 0.5 * inputs[:, 0] * (inputs[:, 1] > 0)
    return inputs, (score + rng.normal(size=rows) > 0).astype(float)


@pytest.mark.parametrize("name", ["lightgbm", "xgboost", "forest", "linear"])
def test_a_small_change_leaves_the_reasons(name: str) -> None:
    inputs, labels = data()
    parameters = {"trees": 40} if "trees" in LEARNERS[name].defaults else {}
    fitted = LEARNERS[name].fit(inputs, labels, "binary", parameters)
    kept, rows = kept_reasons(fitted.predict, fitted.contributions, inputs[:60].astype(float), size=0.002)
    assert rows >= 30
    assert kept >= 0.9


@pytest.mark.parametrize("name", ["lightgbm", "forest"])
def test_another_seed_leaves_the_order_of_what_matters(name: str) -> None:
    inputs, labels = data()
    parameters = {"trees": 40, "feature_fraction": 0.5} if name == "lightgbm" else {"trees": 15}
    importances = [
        np.abs(LEARNERS[name].fit(inputs, labels, "binary", parameters, seed).contributions(inputs[:25])[:, :5]).mean(0)
        for seed in range(3)
    ]
    assert not np.array_equal(importances[0], importances[1])
    assert rank_correlation(importances) >= 0.9


def test_reasons_by_chance_are_found_unstable() -> None:
    inputs, _ = data()

    def contributions(rows: np.ndarray) -> np.ndarray:
        seed = int(abs(float(rows.sum())) * 1e6) % 2**32  # other rows, other reasons
        return np.random.default_rng(seed).normal(size=(len(rows), rows.shape[1] + 1))

    kept, rows = kept_reasons(lambda rows: np.ones(len(rows)), contributions, inputs[:80].astype(float))
    assert rows == 80
    assert kept < 0.6


def test_no_row_that_counts_is_no_figure() -> None:
    answers = iter([np.arange(5.0), np.arange(5.0) + 9])
    kept, rows = kept_reasons(lambda rows: next(answers), lambda rows: rows, np.ones((5, 4)))
    assert np.isnan(kept)
    assert rows == 0
