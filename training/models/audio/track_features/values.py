"""Fits the arrays of ``vocabulary.expectation``: what Spotify says of kinds of music, and how its values are spread."""

import numpy as np

from training.models.audio.track_features.expectations import fit_expectation
from training.models.audio.track_features.spotify_rows import SPEECH, SpotifyRows
from transforms.pure.audio.vocabulary.expectation import LEARNED

NAMES = (*LEARNED, "instrumentalness", "speechiness")
ALONE = 0.8
"""Instrumentalness and acousticness above which a track counts as one of single instruments."""
LIVE = 0.8
"""Liveness above which Spotify's documentation calls a track live."""
_QUANTILES = np.linspace(0, 1, 101)


def fit_values(rows: SpotifyRows, heard: np.ndarray) -> dict[str, np.ndarray]:
    """Fit all values.

    Args:
        rows: tracks of Spotify; those of artists without a kind say what speech and single instruments are.
        heard: (n, kinds) of each row, what a sound of its kind would be taken for (``heard_kinds``).
    """
    speech = rows.take(rows.values["speechiness"] > SPEECH)
    alone = rows.take((rows.values["instrumentalness"] > ALONE) & (rows.values["acousticness"] > ALONE))
    is_music = rows.has_kind & (rows.values["speechiness"] <= SPEECH)
    music, heard = rows.take(is_music), heard[is_music]
    arrays: dict[str, np.ndarray] = {}
    for name in NAMES:
        fits = [fit_expectation(music.kinds, music.cues, music.values[name])]
        fits += [
            fit_expectation(np.ones((len(part.artists), 1)), part.cues, part.values[name]) for part in (alone, speech)
        ]
        averages = np.quantile(fits[0](heard, music.cues), _QUANTILES)
        arrays |= {
            f"{name}_coefficients": np.concatenate([fit.coefficients for fit in fits]),
            f"{name}_spread": np.concatenate([fit.spread for fit in fits]),
            f"{name}_averages": np.maximum.accumulate(averages + 1e-9 * np.arange(len(averages))),
            f"{name}_real": np.quantile(music.values[name], _QUANTILES),
            f"{name}_deviation": np.array([max(float(music.values[name].std()), 1e-9)]),
        }
    liveness = rows.values["liveness"]
    return arrays | {
        "speech_speechiness": np.array([speech.values["speechiness"].mean()]),
        "audience_liveness": np.array([liveness[liveness <= LIVE].mean(), liveness[liveness > LIVE].mean()]),
    }


def heard_kinds(kinds: np.ndarray, answers: np.ndarray, truth: np.ndarray, seed: int) -> np.ndarray:
    """What sounds of these kinds would be taken for: the answer for a random clip of a kind drawn from the shares.

    Args:
        kinds: (n, k) shares; a row of zeros gives zeros.
        answers: (clips, k) probabilities that were given to clips which were held out.
        truth: (clips,) their kinds.
        seed: random seed.
    """
    rng = np.random.default_rng(seed)
    heard = np.zeros_like(kinds)
    for row in np.flatnonzero(kinds.sum(axis=1) > 0).tolist():
        kind = rng.choice(len(kinds[row]), p=kinds[row] / kinds[row].sum())
        heard[row] = answers[rng.choice(np.flatnonzero(truth == kind))]
    return heard
