"""The same checks for every learner: accuracy, determinism, equality with ONNX, and contributions that add up."""

import numpy as np
import pytest

from training.estimators import LEARNERS
from training.estimators.shapley import log_odds, shapley
from training.models.lightgbm_onnx import OnnxBooster
from training.models.served import NATIVES

KINDS = ("binary", "number")


def _features_and_labels(kind: str, count: int = 600, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(count, 5)).astype(np.float32)
    score = 2 * inputs[:, 0] - inputs[:, 1] * (inputs[:, 2] > 0)
    inputs[rng.random(count) < 0.2, 3] = np.nan
    inputs[rng.random(count) < 0.05, 0] = np.nan
    labels = (score + rng.normal(size=count) > 0).astype(float) if kind == "binary" else score
    return inputs, labels


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", sorted(LEARNERS))
def test_it_learns_and_is_the_same_as_onnx(name: str, kind: str) -> None:
    inputs, labels = _features_and_labels(kind)
    original = inputs.copy()
    parameters = {"trees": 30} if "trees" in LEARNERS[name].defaults else {}
    fitted = LEARNERS[name].fit(inputs, labels, kind, parameters, seed=3)  # type: ignore[arg-type]
    repeated = LEARNERS[name].fit(inputs, labels, kind, parameters, seed=3)  # type: ignore[arg-type]
    test_inputs, truth = _features_and_labels(kind, seed=1)
    predictions = fitted.predict(test_inputs)
    assert predictions.shape == (len(test_inputs),)
    assert np.corrcoef(predictions, truth)[0, 1] > 0.5
    if kind == "binary":
        assert (predictions >= 0).all()
        assert (predictions <= 1).all()
    np.testing.assert_array_equal(predictions, repeated.predict(test_inputs))
    np.testing.assert_allclose(OnnxBooster(fitted.to_onnx()).predict(test_inputs), predictions, atol=1e-4)
    np.testing.assert_array_equal(inputs, original)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", sorted(LEARNERS))
def test_contributions_add_up_to_the_answer(name: str, kind: str) -> None:
    inputs, labels = _features_and_labels(kind, 300)
    parameters = {"trees": 10} if "trees" in LEARNERS[name].defaults else {}
    fitted = LEARNERS[name].fit(inputs, labels, kind, parameters)  # type: ignore[arg-type]
    contributions = fitted.contributions(inputs[:8])
    assert contributions.shape == (8, 6)
    predictions = fitted.predict(inputs[:8])
    expected = log_odds(predictions) if kind == "binary" and name != "forest" else predictions  # a mean of chances
    # with sampling, the base value depends on the rows drawn for each prediction; the sum does not
    np.testing.assert_allclose(contributions.sum(axis=1), expected, atol=1e-3)
    assert np.abs(contributions[:, 4]).mean() < np.abs(contributions[:, 0]).mean()  # the fifth column has no effect


def test_sampled_shapley_values_of_a_sum_are_exact() -> None:
    rng = np.random.default_rng(0)
    background, rows, weights = rng.normal(size=(500, 3)), rng.normal(size=(4, 3)), np.array([1.0, -2.0, 0.5])
    contributions = shapley(lambda inputs: inputs @ weights, rows, np.repeat(background.mean(axis=0)[None], 2, axis=0))
    np.testing.assert_allclose(contributions[:, :3], (rows - background.mean(axis=0)) * weights, atol=1e-5)


@pytest.mark.parametrize("name", sorted(NATIVES))
def test_the_native_file_tells_the_same_contributions(name: str) -> None:
    inputs, labels = _features_and_labels("binary", 300)
    parameters = {"trees": 10} if "trees" in LEARNERS[name].defaults else {}
    fitted = LEARNERS[name].fit(inputs, labels, "binary", parameters)
    reloaded = NATIVES[name].from_native(fitted.native())  # type: ignore[attr-defined]
    np.testing.assert_allclose(reloaded.contributions(inputs[:5]), fitted.contributions(inputs[:5]), atol=1e-6)
