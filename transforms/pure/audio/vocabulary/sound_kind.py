"""What is heard: speech, a voice over music, music or a single instrument; and which kind of music."""

from dataclasses import dataclass

import numpy as np

from transforms.pure.audio.vocabulary import inputs
from transforms.pure.audio.vocabulary.inputs import Features
from transforms.pure.audio.vocabulary.scores import probabilities, strangeness
from transforms.pure.audio.vocabulary.weights import Weights

SOUNDS = ("speech", "voice over music", "music", "single instrument")
KINDS = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")
"""Kinds of music: the ten of GTZAN."""
STILL, MOVING = 1.15, 1.45
"""``inputs.movement`` below which a sound is steady noise or a tone (noise has 1.09), and above which it is not."""
WHOLE_S = 10.0
"""Length from which a sound is long enough for what is learned; shorter ones count for less."""


@dataclass(frozen=True)
class SoundKind:
    """Probabilities of what a sound is.

    Attributes:
        sounds: (4,) of ``SOUNDS``.
        kinds: (12,) of ``KINDS``, then a single instrument, then speech; of sum 1.
        familiarity: 0 to 1: how near the sound is to those that were learned from, how much it moves, and whether it
            is long enough.
    """

    sounds: np.ndarray
    kinds: np.ndarray
    familiarity: float


def sound_kind(features: Features, weights: Weights) -> SoundKind:
    """Tell what a sound is, from the features of view ``track_audio``."""
    voice, music = inputs.voice(features), inputs.music(features)
    sounds = probabilities(voice, "voice", weights)
    speech, single = sounds[0], sounds[3]
    kinds = np.append(probabilities(music, "kind", weights) * (1 - speech - single), [single, speech])
    farthest = max(strangeness(voice, "voice", weights), strangeness(music, "music", weights), 1.0)
    moving = (float(inputs.movement(music)) - STILL) / (MOVING - STILL)
    seconds = features["seconds"] or 0.0
    return SoundKind(sounds, kinds, min(seconds / WHOLE_S, 1.0) * min(max(moving, 0.0), 1.0) * farthest**-4)
