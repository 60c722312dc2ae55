"""Faster or slower at the same pitch: a phase vocoder.

J. L. Flanagan and R. M. Golden, Phase Vocoder, Bell System Technical Journal 45, 1966: magnitudes are read between the
frames, and phases go on by what they went on between the frames of the sound.
"""

import numpy as np

from training.robustness.attack import Attack, by_change

WINDOW, HOP = 1_024, 256


def stretch(samples: np.ndarray, percent: float, rng: np.random.Generator) -> np.ndarray:
    """Plays samples (n,) by so many percent faster or slower, as chance decides.

    A sound shorter than two windows stays as it is.
    """
    speed = 1 + percent / 100 if rng.random() < 0.5 else 1 / (1 + percent / 100)
    if len(samples) < 2 * WINDOW:
        return samples
    window = np.hanning(WINDOW + 1)[:-1]
    padded = np.pad(samples.astype(np.float64), WINDOW)
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP] * window
    spectra = np.fft.rfft(frames, axis=1)
    places = np.arange(0, len(spectra) - 1, speed)
    before = places.astype(int)
    share = (places - before)[:, None]
    sizes = (1 - share) * np.abs(spectra[before]) + share * np.abs(spectra[before + 1])
    usual = 2 * np.pi * HOP * np.arange(spectra.shape[1]) / WINDOW
    step = np.angle(spectra[before + 1]) - np.angle(spectra[before]) - usual
    step = usual + step - 2 * np.pi * np.round(step / (2 * np.pi))
    phases = np.angle(spectra[0]) + np.concatenate([np.zeros((1, len(usual))), np.cumsum(step[:-1], axis=0)])
    pieces = np.fft.irfft(sizes * np.exp(1j * phases), WINDOW, axis=1) * window
    out, weight = np.zeros(HOP * len(pieces) + WINDOW), np.zeros(HOP * len(pieces) + WINDOW)
    for number, piece in enumerate(pieces):
        out[number * HOP : number * HOP + WINDOW] += piece
        weight[number * HOP : number * HOP + WINDOW] += window**2
    length = round(len(samples) / speed)
    start = round(WINDOW / speed)
    result = (out / np.maximum(weight, 0.1))[start : start + length]
    return np.asarray(result, np.float32)


ATTACK = Attack(
    name="time_stretch",
    kinds=("sounds",),
    about="Faster or slower at the same pitch, as chance decides.",
    unit="percent",
    strengths=(2, 5, 10, 25),
    measure=by_change(stretch),
    most=60,
)
