"""Speechiness, which is learned from recorded speech, and instrumentalness, a proxy.

Nothing here has heard anybody sing: a voice is what is spoken. That nobody speaks says little about singing, so that
only a voice that is heard lowers instrumentalness, and kinds of music give the rest.
"""

import numpy as np

from transforms.pure.audio.vocabulary.expectation import Estimate, estimate
from transforms.pure.audio.vocabulary.sound_kind import SoundKind
from transforms.pure.audio.vocabulary.weights import Weights

BOTH = 0.45
"""Speechiness of speech over music: between .33 and .66, as Spotify's documentation has it."""
_SPEECH_TRUST = 0.8
"""Greatest confidence of speechiness: words in music, such as rap, are hardly heard."""
_INSTRUMENTAL_TRUST = 0.5
"""Greatest confidence of instrumentalness, as nobody sings in what was learned from."""


def speechiness(kind: SoundKind, cues: np.ndarray, weights: Weights) -> Estimate:
    """How much of a sound is spoken words: above .66 all of it, .33 to .66 words and music, below .33 music.

    The average of real speech in Spotify's rows, of ``BOTH``, and of the kind of music, by their probabilities.
    """
    speech, both = kind.sounds[0], beyond_half(kind.sounds[1])
    music = kind.kinds.copy()
    music[-1] = 0.0
    rest = estimate("speechiness", music / max(float(music.sum()), 1e-9), cues, weights)
    spoken = float(weights["speech_speechiness"][0])
    value = speech * spoken + (1 - speech) * (both * BOTH + (1 - both) * rest.value)
    return Estimate(float(value), _SPEECH_TRUST * float(abs(2 * speech - 1)))


def instrumentalness(kind: SoundKind, cues: np.ndarray, weights: Weights) -> Estimate:
    """How likely nobody sings or speaks: by the kind of music, or because one instrument plays alone."""
    by_kind = estimate("instrumentalness", kind.kinds, cues, weights)
    voice = max(float(kind.sounds[0]), beyond_half(kind.sounds[1]))
    certain = max(by_kind.confidence, voice, float(kind.sounds[3]))
    return Estimate(by_kind.value * (1 - voice), min(certain, _INSTRUMENTAL_TRUST))


def beyond_half(probability: float) -> float:
    """0 up to a half, from there to 1: what is not more likely than not counts for nothing.

    >>> beyond_half(0.25), beyond_half(0.75)
    (0.0, 0.5)
    """
    return max(2 * float(probability) - 1, 0.0)
