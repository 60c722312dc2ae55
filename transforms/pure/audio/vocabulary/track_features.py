"""All values of a sound, under Spotify's names."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from transforms.pure.audio.vocabulary import inputs
from transforms.pure.audio.vocabulary.audience import liveness
from transforms.pure.audio.vocabulary.expectation import LEARNED, Estimate, estimate
from transforms.pure.audio.vocabulary.inputs import Features
from transforms.pure.audio.vocabulary.measured import measured
from transforms.pure.audio.vocabulary.sound_kind import sound_kind
from transforms.pure.audio.vocabulary.voice import instrumentalness, speechiness
from transforms.pure.audio.vocabulary.weights import Weights, shipped

MEASURED = ("tempo", "key", "mode", "time_signature", "loudness", "duration_ms")
PROXIES = ("instrumentalness", "liveness")
SHARES = (*LEARNED, "speechiness", *PROXIES)
"""Names of the values of 0 to 1."""
COUNTS = ("key", "mode", "time_signature", "duration_ms")
"""Names of the values that are whole numbers."""
NAMES = (*MEASURED, *SHARES)
"""Names of all values. ``MEASURED`` are measured, ``PROXIES`` stand for what is not heard, the others are learned."""


@dataclass(frozen=True)
class TrackFeatures:
    """What Spotify's ``audio-features`` said of a track, computed from its sound.

    Values of 0 to 1 are None where there is no loudness: for silence, less than 400 ms, rates below 8,000 and channels
    of unknown places.

    Attributes:
        tempo: beats a minute; None without beats.
        key: pitch class of the tonic, 0 for C to 11 for B; -1 for none.
        mode: 1 for major, 0 for minor; None without a key.
        time_signature: beats of a bar, 3 to 7; None if unknown.
        loudness: integrated loudness in LUFS (ITU-R BS.1770-4).
        duration_ms: length in milliseconds.
        energy: how loud, dense and fast it is.
        danceability: how much it suits dancing.
        valence: from sad to happy.
        acousticness: how likely its instruments are acoustic.
        speechiness: above .66 speech, below .33 music, between them both.
        instrumentalness: how likely it has no voice; a proxy.
        liveness: how likely an audience is heard; a proxy.
        confidence: name → 0 (nothing is known) to 1. Of measured values how clear the measurement is; of the others
            the share of the spread of real values that is gone once the sound is known, less for sounds unlike those
            that were learned from and for short ones.
    """

    tempo: float | None
    key: int
    mode: int | None
    time_signature: int | None
    loudness: float | None
    duration_ms: int
    energy: float | None
    danceability: float | None
    valence: float | None
    acousticness: float | None
    speechiness: float | None
    instrumentalness: float | None
    liveness: float | None
    confidence: Mapping[str, float]

    def as_spotify(self) -> dict[str, float | int | None]:
        """The values alone, as the endpoint had them."""
        values = asdict(self)
        del values["confidence"]
        return values

    def as_columns(self) -> dict[str, float | int | None]:
        """The values and their confidences, ``…_confidence``: the columns of view ``track_features``."""
        return {**self.as_spotify(), **{f"{name}_confidence": value for name, value in self.confidence.items()}}


def track_features(features: Features, loudness: float | None, weights: Weights | None = None) -> TrackFeatures:
    """Compute the values of a sound.

    Args:
        features: features of view ``track_audio``, as ``described`` gives them or as they are stored.
        loudness: integrated loudness in LUFS; None for silence and for what is shorter than 400 ms.
        weights: arrays by name; those that come along by default.

    >>> import numpy as np
    >>> from transforms.pure.audio.described import described
    >>> from transforms.pure.audio.track import analyze
    >>> silence = track_features(described(analyze([np.zeros(44_100, np.float32)])), None)
    >>> silence.key, silence.energy, silence.confidence["energy"], silence.duration_ms
    (-1, None, 0.0, 2000)
    """
    loudness = None if loudness is None or not math.isfinite(loudness) else loudness
    values: dict[str, tuple[Any, float]] = dict(measured(features, loudness))
    values |= _learned(features, loudness, values, shipped() if weights is None else weights)
    confidence = {name: values[name][1] for name in NAMES}
    return TrackFeatures(**{name: values[name][0] for name in NAMES}, confidence=confidence)


def _learned(
    features: Features, loudness: float | None, values: Mapping[str, tuple[Any, float]], weights: Weights
) -> dict[str, tuple[float | None, float]]:
    if loudness is None or features["timbre"] is None:
        return dict.fromkeys(SHARES, (None, 0.0))
    kind = sound_kind(features, weights)
    cues = inputs.cues(loudness, values["tempo"][0], values["mode"][0], values["time_signature"][0])
    estimates: dict[str, Estimate] = {name: estimate(name, kind.kinds, cues, weights) for name in LEARNED}
    estimates["speechiness"] = speechiness(kind, cues, weights)
    estimates["instrumentalness"] = instrumentalness(kind, cues, weights)
    estimates["liveness"] = liveness(features, weights)
    return {name: (estimates[name].value, estimates[name].confidence * kind.familiarity) for name in SHARES}
