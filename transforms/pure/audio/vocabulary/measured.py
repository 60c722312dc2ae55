"""What is measured and only renamed: tempo, key, mode, time signature, loudness, duration."""

import math
from collections.abc import Mapping
from typing import Any

from transforms.pure.audio.chroma import CLASSES
from transforms.pure.audio.vocabulary.inputs import Features, mode_number

NO_KEY = -1
"""Key of a sound without pitch."""
SHORTEST_S = 2.0
"""Length below which a sound has neither tempo nor key that mean anything."""

Measured = Mapping[str, tuple[Any, float]]
"""Name → value and confidence."""


def measured(features: Features, loudness: float | None) -> Measured:
    """Return the measured values of a sound.

    Args:
        features: features of view ``track_audio``.
        loudness: integrated loudness in LUFS; None for silence and for what is shorter than 400 ms.
    """
    seconds = features["seconds"] or 0.0
    heard = 1.0 if loudness is not None and seconds >= SHORTEST_S else 0.0
    tempo, key, meter = (features[name] if heard else None for name in ("tempo", "key", "meter"))
    has_key = key is not None
    key_confidence = _share(features["key_confidence"]) if has_key else 0.0
    return {
        "tempo": (tempo, _share(features["tempo_confidence"]) if tempo is not None else 0.0),
        "key": (CLASSES.index(key) if has_key else NO_KEY, key_confidence),
        "mode": (mode_number(features) if has_key else None, key_confidence),
        "time_signature": (
            time_signature(meter) if meter else None,
            _share(features["meter_confidence"]) if meter else 0.0,
        ),
        "loudness": (loudness, 0.0 if loudness is None else 1.0),
        "duration_ms": (round(seconds * 1_000), 1.0),
    }


def time_signature(meter: int) -> int:
    """Beats of a bar, 3 to 7: bars of two beats are taken two at a time, as Spotify has no 2.

    >>> time_signature(2), time_signature(3)
    (4, 3)
    """
    return min(max(4 if meter == 2 else meter, 3), 7)


def _share(value: float | None) -> float:
    return min(max(value, 0.0), 1.0) if value is not None and math.isfinite(value) else 0.0
