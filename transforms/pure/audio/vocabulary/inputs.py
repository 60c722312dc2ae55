"""What the learned values see of a sound, from the features of view ``track_audio``.

Numbers that depend on the level of a recording are left out everywhere but in ``cues``, whose first one it is.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from transforms.pure.audio.key import MODES

Features = Mapping[str, Any]
"""Features of view ``track_audio`` by name, as ``audio.described`` gives them, or as they are stored."""
MUSIC_WIDTH = 44
VOICE_WIDTH = 88
LOUDNESS_KNOTS = (-20.0, -15.0, -12.0, -9.0, -7.0, -5.0)
TEMPO_KNOTS = (75.0, 90.0, 105.0, 120.0, 135.0, 150.0, 170.0)
CUES = 1 + len(LOUDNESS_KNOTS) + 1 + len(TEMPO_KNOTS) + 3
_COEFFICIENTS, _CONTRASTS = 20, 7
_LEAST = 1e-4


def music(features: Features) -> np.ndarray:
    """(``MUSIC_WIDTH``,) of what the published table of GTZAN has, too: cepstrum, shape of the spectrum, pitch classes.

    Mean of 19 mel cepstral coefficients (the first is the level), logarithms of the spread of all 20 and of centroid,
    bandwidth, roll-off and crossings, mean of the pitch classes.
    """
    _, mean, _, spread, _, _ = _timbre(features)
    shape = [_logarithm(features[name]) for name in ("centroid", "bandwidth", "roll_off", "crossings")]
    return np.array([*mean[1:], *np.log(np.maximum(spread, _LEAST)), *shape, _list(features, "chroma", 12).mean()])


def movement(music_inputs: np.ndarray) -> np.ndarray:
    """Mean logarithm of the spread of the cepstrum without its level: (...) of (..., ``MUSIC_WIDTH``) of ``music``."""
    return np.asarray(music_inputs[..., _COEFFICIENTS : 2 * _COEFFICIENTS - 1].mean(axis=-1))


def voice(features: Features) -> np.ndarray:
    """(``VOICE_WIDTH``,) of how a sound moves: spreads of cepstrum and contrast, how fast they change, pulse, pitch.

    Syllables come four times a second without a steady pulse or pitch (E. Scheirer and M. Slaney, Construction and
    evaluation of a robust multifeature speech/music discriminator, ICASSP 1997). Means of the cepstrum, which tell
    microphones and codecs apart, are left out.
    """
    contrast, _, contrast_spread, spread, slope, bend = _timbre(features)
    spread, slope, bend = (np.log(np.maximum(values, _LEAST)) for values in (spread, slope, bend))
    chroma = np.maximum(_list(features, "chroma", 12), 1e-6)
    numbers = [
        *(_number(features[name]) for name in ("key_confidence", "pulse_clarity", "tempo_confidence")),
        math.log(max(_number(features["onset_rate"]), 0.1)),
        _number(features["dynamic_range"]),
        math.log(chroma.max() / chroma.min()),
        chroma.mean(),
        float(np.linalg.norm(_list(features, "tonnetz", 6))),
        _logarithm(features["flatness"]),
        _logarithm(features["crossings"]),
        *spread[1:3] - spread[0],
        *slope[1:3] - slope[0],
    ]
    return np.array([*contrast, *contrast_spread, *spread, *(slope - spread), *(bend - slope), *numbers])


def cues(loudness: float, tempo: float | None, mode: int | None, meter: int | None) -> np.ndarray:
    """(``CUES``,) of what Spotify states, too, and a sound lets measure: loudness and tempo in pieces, mode, meter.

    Args:
        loudness: LUFS, or Spotify's decibels.
        tempo: beats a minute; 120 if None.
        mode: 1 for major, 0 for minor; the share of major keys in the rows of Spotify if None.
        meter: beats of a bar; 4 if None.
    """
    level = min(max(loudness, -30.0), -2.0)
    octaves = math.log2(min(max(tempo or 120.0, 50.0), 220.0) / 120.0)
    return np.array(
        [
            level / 10,
            *(max(level - knot, 0.0) / 10 for knot in LOUDNESS_KNOTS),
            octaves,
            *(max(octaves - math.log2(knot / 120.0), 0.0) for knot in TEMPO_KNOTS),
            0.7 if mode is None else float(mode),
            float(meter == 3),
            float(meter == 5),
        ]
    )


def mode_number(features: Features) -> int | None:
    """1 for major, 0 for minor, None for a sound without pitch."""
    return None if features["mode"] is None else int(features["mode"] == MODES[0])


def _timbre(features: Features) -> list[np.ndarray]:
    """Parts of ``described.timbre``: means of contrast and cepstrum, their spreads, spreads of slope and bend."""
    widths = (_CONTRASTS, _COEFFICIENTS, _CONTRASTS, _COEFFICIENTS, _COEFFICIENTS, _COEFFICIENTS)
    return np.split(_list(features, "timbre", sum(widths)), np.cumsum(widths)[:-1])


def _list(features: Features, name: str, width: int) -> np.ndarray:
    """A list of a feature as float64 of what is stored, which is float32; zeros if it is missing."""
    values = np.zeros(width) if features[name] is None else np.asarray(features[name], np.float32).astype(np.float64)
    return np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)


def _number(value: float | None) -> float:
    return float(value) if value is not None and math.isfinite(value) else 0.0


def _logarithm(value: float | None) -> float:
    return math.log(max(_number(value), _LEAST))
