"""Training with changed copies: copies belong to their originals, and the setting reaches the version."""

import numpy as np
import pytest

from feature_repo.errors import InputError
from training.models.behavior.churn_model import MODEL as CHURN
from training.models.tabular import with_noise
from training.models.text.linear_stack import DEFAULT, mistype_tokens
from training.models.text.problem import parameters_of, recipe_with
from training.models.text.sentiment_model import fit_sentiment
from training.robustness.degrade import WAYS, degrade
from transforms.pure.audio.stft import RATE


def test_copies_of_rows_have_their_labels_and_keep_what_is_missing() -> None:
    rows = np.array([[1.0, np.nan, np.nan], [3.0, 2.0, np.nan], [5.0, 4.0, np.nan]], np.float32)
    inputs, labels = with_noise(rows, np.array([0, 1, 1]), 0.1, 0)
    assert labels.tolist() == [0, 1, 1, 0, 1, 1]
    assert (np.isnan(inputs[3:]) == np.isnan(rows)).all()
    assert np.array_equal(inputs[:3], rows, equal_nan=True)
    moved = np.abs(inputs[3:, 0] - rows[:, 0])
    assert 0 < moved.max() < 1


def test_typing_errors_help_with_words_that_were_never_spelled_right() -> None:
    """A model that saw errors is surer of a mistyped word, and no worse on the word itself."""
    words = ("wonderful", "brilliant", "dreadful", "miserable")
    texts = [[word, "the", "song", str(number)] for number in range(12) for word in words]
    labels = np.array([int(word in words[:2]) for _ in range(12) for word in words])
    models = [
        fit_sentiment(texts, labels, recipe=recipe_with(DEFAULT, {"augment": share}), lexicon=False)
        for share in (0.0, 0.8)
    ]
    assert models[0].spaces[0].vocabulary != models[1].spaces[0].vocabulary
    for model in models:
        assert (model.predict([[word] for word in words])[:, 1] > 0.5).tolist() == [True, True, False, False]
    assert mistype_tokens(texts, 0.5, 0) == mistype_tokens(texts, 0.5, 0) != texts


def test_the_setting_is_a_parameter_that_must_be_a_number() -> None:
    assert parameters_of(DEFAULT)["augment"] == 0.0
    with pytest.raises(InputError, match="augment"):
        CHURN.run(None, parameters={"augment": "much"})  # type: ignore[arg-type]


def test_degraded_sounds_keep_their_length() -> None:
    tone = (0.5 * np.sin(np.arange(RATE // 2) * 0.2)).astype(np.float32)
    for seed in range(2 * len(WAYS)):
        changed = degrade(tone, np.random.default_rng(seed))
        assert changed.shape == tone.shape
        assert np.isfinite(changed).all()
