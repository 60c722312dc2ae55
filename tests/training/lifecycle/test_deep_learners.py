"""Networks of the extras deep and keras pass the checks of all learners; ``make test-keras`` installs Keras."""

import os

import numpy as np
import pytest

from feature_repo.errors import InputError
from training.estimators import OPTIONAL, learner
from training.estimators.shapley import log_odds
from training.models.lightgbm_onnx import OnnxBooster

os.environ.setdefault("KERAS_BACKEND", "torch")  # before the first import of Keras
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
    labels = (score > 0).astype(float) if kind == "binary" else score
    original = inputs.copy()
    fitted = learner(name).fit(inputs, labels, kind, SMALL, seed=1)  # type: ignore[arg-type]
    predictions = fitted.predict(inputs)
    assert np.corrcoef(predictions, labels)[0, 1] > 0.8
    repeated = learner(name).fit(inputs, labels, kind, SMALL, seed=1)  # type: ignore[arg-type]
    np.testing.assert_allclose(repeated.predict(inputs), predictions, atol=1e-5)
    onnx = OnnxBooster(fitted.to_onnx())
    np.testing.assert_allclose(onnx.predict(inputs), predictions, atol=1e-4)
    np.testing.assert_allclose(onnx.predict(inputs[:1]), predictions[:1], atol=1e-4)
    contributions = fitted.contributions(inputs[:3])
    np.testing.assert_allclose(
        contributions.sum(axis=1), log_odds(predictions[:3]) if kind == "binary" else predictions[:3], atol=2e-2
    )
    np.testing.assert_array_equal(inputs, original)


def test_an_extra_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.estimators.find_spec", lambda name: None)
    with pytest.raises(InputError, match="the extra keras"):
        learner("keras")
    with pytest.raises(InputError, match="a learner, one of"):
        learner("magic")
