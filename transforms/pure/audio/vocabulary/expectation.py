"""What Spotify says on average of tracks that sound so, and by how much its values differ there.

A value's mean for each kind of music is linear in loudness, tempo, mode and meter (``inputs.cues``). An average varies
less than the values themselves, so that hardly a track would be above .7. Where it costs no accuracy, a value is
therefore drawn towards the real value that has the same rank among real ones as the average among averages.
"""

from dataclasses import dataclass

import numpy as np

from transforms.pure.audio.vocabulary.weights import Weights

LEARNED = ("energy", "danceability", "valence", "acousticness")
RANKED = {
    "energy": 0.5,
    "danceability": 0.25,
    "valence": 0.25,
    "acousticness": 0.5,
    "instrumentalness": 0.5,
    "speechiness": 0.0,
}
"""Share of the ranked value: the largest of 0, 1/4 and 1/2 whose mean absolute error is not above that of the average.

For speechiness 0, as few rows are above .33.
"""


@dataclass(frozen=True)
class Estimate:
    """A value of 0 to 1, and how much of the spread of real values is gone where it is known, 0 to 1."""

    value: float
    confidence: float


def estimate(name: str, kinds: np.ndarray, cues: np.ndarray, weights: Weights) -> Estimate:
    """Estimate one value.

    Args:
        name: prefix of the arrays: ``_coefficients`` (k, 1 + cues), ``_spread`` (k,), ``_averages`` and ``_real``
            (quantiles,), ``_deviation`` (1,).
        kinds: (k,) probabilities of kinds.
        cues: of ``inputs.cues``.
        weights: all arrays.
    """
    means = weights[f"{name}_coefficients"] @ np.append(1.0, cues)
    mean = float(kinds @ means)
    variance = float(kinds @ (weights[f"{name}_spread"] ** 2 + (means - mean) ** 2))
    confidence = 1 - np.sqrt(variance) / weights[f"{name}_deviation"][0]
    value = float(between(np.array(mean), name, weights))
    return Estimate(value, float(np.clip(confidence, 0, 1)))


def between(means: np.ndarray, name: str, weights: Weights) -> np.ndarray:
    """Values between averages and the real values of their rank, by ``RANKED``; within 0 to 1."""
    share = RANKED[name]
    return np.clip((1 - share) * means + share * _ranked(means, name, weights), 0, 1)


def _ranked(means: np.ndarray, name: str, weights: Weights) -> np.ndarray:
    """The real values whose rank among real values is that of averages among averages."""
    return np.asarray(np.interp(means, weights[f"{name}_averages"], weights[f"{name}_real"]))
