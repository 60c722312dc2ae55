"""Whether a linear model serves is chosen on the last of the training rows; the test takes no part."""

from pathlib import Path

import numpy as np
import pytest

from training.datasets.tabular import TabularSet
from training.estimators import Fitted
from training.estimators import learner as find_learner
from training.models.tabular_evidence import linear_is_better
from transforms.pure.tabular.layout import Layout


def rows(labels: np.ndarray, values: np.ndarray) -> TabularSet:
    count = len(labels)
    names = np.arange(count).astype(str)
    return TabularSet({"view__value": values}, labels, np.arange(count), np.empty(0), names, names, {}, {}, Path())


@pytest.mark.parametrize("linear", [True, False])
def test_the_last_fold_decides(linear: bool) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=400)
    labels = 3 * values if linear else np.where(np.abs(values) > 0.7, 4.0, 0.0)
    train = rows(labels + 0.1 * rng.normal(size=400), values)
    layout = Layout.fit(train.features)
    folds = [(np.arange(200), np.arange(200, 300)), (np.arange(300), np.arange(300, 400))]
    lengths = []

    def fitting(name: str):  # type: ignore[no-untyped-def]
        def fit(part: TabularSet, labels: np.ndarray) -> Fitted:
            lengths.append(len(part))
            estimator = find_learner(name)
            return estimator.fit(layout.matrix(part.features), labels, "number", estimator.defaults, 0)

        return fit

    assert linear_is_better("number", train, layout, folds, fitting("lightgbm"), fitting("linear")) == linear
    assert lengths == [300, 300]
    assert not linear_is_better("number", train, layout, [], fitting("lightgbm"), fitting("linear"))


def test_a_linear_model_that_cannot_be_fitted_does_not_serve() -> None:
    train = rows(np.arange(40.0), np.arange(40.0))
    layout = Layout.fit(train.features)

    def fail(part: TabularSet, labels: np.ndarray) -> Fitted:
        raise np.linalg.LinAlgError

    assert not linear_is_better("number", train, layout, [(np.arange(30), np.arange(30, 40))], fail, fail)
