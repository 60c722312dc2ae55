"""Every learner, put to the same checks: it learns, it repeats itself, it is the same as ONNX, it adds up."""

import numpy as np
import pytest

from training.estimators import LEARNERS
from training.estimators.shapley import log_odds, shapley
from training.models.lightgbm_onnx import OnnxBooster

KINDS = ("binary", "number")


def _rows(kind: str, count: int = 600, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(count, 5)).astype(np.float32)
    score = 2 * inputs[:, 0] - inputs[:, 1] * (inputs[:, 2] > 0)
    inputs[rng.random(count) < 0.2, 3] = np.nan
    inputs[rng.random(count) < 0.05, 0] = np.nan
    answers = (score + rng.normal(size=count) > 0).astype(float) if kind == "binary" else score
    return inputs, answers


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", sorted(LEARNERS))
def test_it_learns_and_is_the_same_as_onnx(name: str, kind: str) -> None:
    inputs, answers = _rows(kind)
    kept = inputs.copy()
    small = {"trees": 30} if "trees" in LEARNERS[name].defaults else {}
    fitted = LEARNERS[name].fit(inputs, answers, kind, small, seed=3)  # type: ignore[arg-type]
    again = LEARNERS[name].fit(inputs, answers, kind, small, seed=3)  # type: ignore[arg-type]
    asked, truth = _rows(kind, seed=1)
    told = fitted.predict(asked)
    assert told.shape == (len(asked),)
    assert np.corrcoef(told, truth)[0, 1] > 0.5
    if kind == "binary":
        assert (told >= 0).all()
        assert (told <= 1).all()
    np.testing.assert_array_equal(told, again.predict(asked))
    np.testing.assert_allclose(OnnxBooster(fitted.to_onnx()).predict(asked), told, atol=1e-4)
    np.testing.assert_array_equal(inputs, kept)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", sorted(LEARNERS))
def test_contributions_add_up_to_the_answer(name: str, kind: str) -> None:
    inputs, answers = _rows(kind, 300)
    small = {"trees": 10} if "trees" in LEARNERS[name].defaults else {}
    fitted = LEARNERS[name].fit(inputs, answers, kind, small)  # type: ignore[arg-type]
    told = fitted.contributions(inputs[:8])
    assert told.shape == (8, 6)
    said = fitted.predict(inputs[:8])
    expected = log_odds(said) if kind == "binary" else said
    # by sampling, the base is that of the rows that were drawn for each answer, which the sum makes up for
    np.testing.assert_allclose(told.sum(axis=1), expected, atol=1e-3)
    assert np.abs(told[:, 4]).mean() < np.abs(told[:, 0]).mean()  # the fifth column says nothing


def test_sampled_shapley_values_of_a_sum_are_exact() -> None:
    rng = np.random.default_rng(0)
    background, rows, weights = rng.normal(size=(500, 3)), rng.normal(size=(4, 3)), np.array([1.0, -2.0, 0.5])
    told = shapley(lambda inputs: inputs @ weights, rows, np.repeat(background.mean(axis=0)[None], 2, axis=0))
    np.testing.assert_allclose(told[:, :3], (rows - background.mean(axis=0)) * weights, atol=1e-5)


@pytest.mark.parametrize("name", ["lightgbm", "xgboost"])
def test_the_native_file_tells_the_same_contributions(name: str) -> None:
    from training.models.served import NATIVES

    inputs, answers = _rows("binary", 300)
    fitted = LEARNERS[name].fit(inputs, answers, "binary", {"trees": 10})
    again = NATIVES[name].from_native(fitted.native())  # type: ignore[attr-defined]
    np.testing.assert_allclose(again.contributions(inputs[:5]), fitted.contributions(inputs[:5]), atol=1e-6)
