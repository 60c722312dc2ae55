"""Networks of the extras deep and keras, put to the checks of all learners; ``make test-keras`` brings Keras."""

import os

import numpy as np
import pytest

from feature_repo.errors import InputError
from training.estimators import OPTIONAL, learner
from training.estimators.shapley import log_odds
from training.models.lightgbm_onnx import OnnxBooster

os.environ.setdefault("KERAS_BACKEND", "torch")  # before anybody looks whether there is Keras
SMALL = {"hidden": 16, "passes": 20, "learning_rate": 1e-2, "batch": 64}


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize("kind", ["binary", "number"])
@pytest.mark.parametrize("name", sorted(OPTIONAL))
def test_a_network_learns_and_is_the_same_as_onnx(name: str, kind: str) -> None:
    pytest.importorskip(name, reason=f"no {name}: make test-{name}")
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(500, 4)).astype(np.float32) * np.array([1, 10, 1, 1], np.float32)
    score = 2 * inputs[:, 0] - 0.1 * inputs[:, 1]
    inputs[rng.random(500) < 0.1, 2] = np.nan
    answers = (score > 0).astype(float) if kind == "binary" else score
    kept = inputs.copy()
    fitted = learner(name).fit(inputs, answers, kind, SMALL, seed=1)  # type: ignore[arg-type]
    told = fitted.predict(inputs)
    assert np.corrcoef(told, answers)[0, 1] > 0.8
    again = learner(name).fit(inputs, answers, kind, SMALL, seed=1)  # type: ignore[arg-type]
    np.testing.assert_allclose(again.predict(inputs), told, atol=1e-5)
    onnx = OnnxBooster(fitted.to_onnx())
    np.testing.assert_allclose(onnx.predict(inputs), told, atol=1e-4)
    np.testing.assert_allclose(onnx.predict(inputs[:1]), told[:1], atol=1e-4)
    parts = fitted.contributions(inputs[:3])
    np.testing.assert_allclose(parts.sum(axis=1), log_odds(told[:3]) if kind == "binary" else told[:3], atol=2e-2)
    np.testing.assert_array_equal(inputs, kept)


def test_an_extra_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.estimators.find_spec", lambda name: None)
    with pytest.raises(InputError, match="the extra keras"):
        learner("keras")
    with pytest.raises(InputError, match="a learner, one of"):
        learner("magic")
