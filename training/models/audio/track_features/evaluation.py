"""How near fitted values are to those of Spotify, for artists that were held out, beside LightGBM and the mean."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from training.models.audio.track_features.fit import held_out_answers
from training.models.audio.track_features.genre_clips import GenreClips
from training.models.audio.track_features.spotify_rows import SPEECH, SpotifyRows
from training.models.audio.track_features.values import NAMES, fit_values, heard_kinds
from transforms.pure.audio.vocabulary.expectation import estimate
from transforms.pure.audio.vocabulary.weights import Weights

Predictions = dict[str, dict[str, np.ndarray]]
"""Model → value → (n,) predictions."""
SURE = "confidence"
"""Beside the models in ``Predictions``: the confidences of ``ours``."""


@dataclass(frozen=True)
class ValueScore:
    """How near predictions are to the truth.

    Attributes:
        r2: share of the variance that is explained.
        mean_error: mean absolute error.
        agreement: Cohen's kappa of being above .5.
        share: share of predictions above .7 (of speechiness .33), beside that of the truth.
    """

    r2: float
    mean_error: float
    agreement: float
    share: tuple[float, float]


def predicted(weights: Weights, kinds: np.ndarray, cues: np.ndarray) -> tuple[dict[str, np.ndarray], ...]:
    """Value → (n,) values, and → (n,) confidences of n tracks of music, by shares of kinds (n, 10) and cues."""
    neither = (0.0, 0.0)  # a single instrument, speech
    estimates = {
        name: [estimate(name, np.append(kind, neither), row, weights) for kind, row in zip(kinds, cues, strict=True)]
        for name in NAMES
    }
    values = {name: np.array([one.value for one in all_]) for name, all_ in estimates.items()}
    return values, {name: np.array([one.confidence for one in all_]) for name, all_ in estimates.items()}


def folds(rows: SpotifyRows, clips: GenreClips, seed: int, *, trees: int = 200) -> tuple[SpotifyRows, Predictions]:
    """Predict every row by what was learned from other artists.

    ``ours`` knows loudness, tempo, mode, meter and what a held-out clip of the artist's kind is taken for; ``lightgbm``
    the same; ``true kind`` takes the tags themselves; ``without kinds`` is LightGBM on the first four alone.

    Args:
        rows: tracks of Spotify.
        clips: real sound by kind.
        seed: random seed.
        trees: number of trees of LightGBM.

    Returns:
        The rows of music with a kind, and the predictions.
    """
    import lightgbm

    settings: dict[str, Any] = {
        **{"n_estimators": trees, "learning_rate": 0.05, "num_leaves": 15, "min_child_samples": 50},
        **{"verbose": -1, "seed": seed, "num_threads": 1},
    }
    heard = heard_kinds(rows.kinds, held_out_answers(rows, clips), clips.kinds, seed)
    is_kept = rows.has_kind & (rows.values["speechiness"] <= SPEECH)
    number, models = rows.folds(), ("ours", SURE, "true kind", "lightgbm", "without kinds", "mean")
    predictions: Predictions = {model: {name: np.zeros(len(heard)) for name in NAMES} for model in models}
    for fold in range(number.max() + 1):
        test, train = is_kept & (number == fold), number != fold
        weights = fit_values(rows.take(train), heard[train])
        learned = train & is_kept
        fitted, sure = predicted(weights, heard[test], rows.cues[test])
        by_tags, _ = predicted(weights, rows.kinds[test], rows.cues[test])
        for model, values in (("ours", fitted), (SURE, sure), ("true kind", by_tags)):
            for name in NAMES:
                predictions[model][name][test] = values[name]
        for model, inputs in (("lightgbm", np.column_stack([rows.cues, heard])), ("without kinds", rows.cues)):
            for name in NAMES:
                rival = lightgbm.LGBMRegressor(**settings)
                rival.fit(inputs[learned], rows.values[name][learned])
                predictions[model][name][test] = rival.predict(inputs[test])
        for name in NAMES:
            predictions["mean"][name][test] = rows.values[name][learned].mean()
    predictions = {
        model: {name: values[is_kept] for name, values in all_.items()} for model, all_ in predictions.items()
    }
    return rows.take(is_kept), predictions


def score(name: str, truth: np.ndarray, values: np.ndarray) -> ValueScore:
    """Compare predictions of one value with the truth."""
    from sklearn.metrics import cohen_kappa_score

    high = 0.33 if name == "speechiness" else 0.7
    middle = 0.33 if name == "speechiness" else 0.5
    above = truth > middle, values > middle
    kappa = cohen_kappa_score(*above) if len({*above[0], *above[1]}) > 1 else 0.0
    return ValueScore(
        1 - float(((truth - values) ** 2).mean() / truth.var()),
        float(np.abs(truth - values).mean()),
        float(kappa),
        (float((values > high).mean()), float((truth > high).mean())),
    )
