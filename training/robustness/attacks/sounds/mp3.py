"""MP3: the sound is encoded by libsndfile's encoder (LAME) at a constant bit rate, and decoded again."""

import io

import numpy as np

from training.robustness.attack import Attack, by_change
from transforms.pure.audio.stft import RATE

HIGHEST, LOWEST = 320, 32
"""Bit rates in kbit/s of MPEG-1 Layer III that libsndfile's compression level 0 and 1 stand for."""


def through_mp3(samples: np.ndarray, kilobits: float, rng: np.random.Generator) -> np.ndarray:
    """Encodes samples (n,) at 44,100 Hz and a bit rate in kbit/s, and decodes them; the length stays."""
    import soundfile
    import soxr

    if not len(samples):
        return samples
    level = float(np.clip((HIGHEST - kilobits) / (HIGHEST - LOWEST), 0.0, 0.999))
    buffer = io.BytesIO()
    doubled = soxr.resample(np.clip(samples, -1, 1), RATE, 2 * RATE)
    soundfile.write(
        buffer,
        doubled,
        2 * RATE,
        format="MP3",
        subtype="MPEG_LAYER_III",
        compression_level=level,
        bitrate_mode="CONSTANT",
    )
    decoded, _ = soundfile.read(io.BytesIO(buffer.getvalue()), dtype="float32")
    back = np.asarray(soxr.resample(decoded, 2 * RATE, RATE), np.float32)
    return np.pad(back, (0, max(len(samples) - len(back), 0)))[: len(samples)]


ATTACK = Attack(
    name="mp3",
    kinds=("sounds",),
    about="Encoded as MP3 and decoded.",
    unit="kbit/s",
    strengths=(320, 128, 64, 32),
    measure=by_change(through_mp3),
    most=60,
)
