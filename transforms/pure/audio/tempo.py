"""Candidates for the tempo of a sound: peaks of the autocorrelation of its activation.

The autocorrelation at a period is weighed by how usual the tempo is, as by Ellis, Beat tracking by dynamic programming
(2007).
"""

import numpy as np

from transforms.pure.audio.onsets import FRAMES_A_SECOND

MOST = 4
_NEAR = 0.06
"""Relative difference below which two tempos are one."""


def candidates(
    activation: np.ndarray, periods: np.ndarray, chosen: float, usual: float, spread: float
) -> tuple[tuple[float, float], ...]:
    """Return up to ``MOST`` tempos in beats per minute with strengths that add up to 1, the strongest first.

    Args:
        activation: (frames,) how likely a frame is a beat, of any scale.
        periods: (n,) periods in frames, ascending.
        chosen: the tempo that was decoded, which is one of them.
        usual: most usual tempo.
        spread: standard deviation of the logarithm of tempos, in octaves.
    """
    positive = np.maximum(activation, 0.0)
    size = 1 << (len(positive) + int(periods[-1]) + 1).bit_length()
    spectrum = np.fft.rfft(positive, size)
    correlation = np.fft.irfft(spectrum.real**2 + spectrum.imag**2, size)[: periods[-1] + 1]
    tempos = 60 * FRAMES_A_SECOND / periods
    usualness = np.exp(-0.5 * (np.log2(tempos / usual) / spread) ** 2)
    strength = correlation[periods] * usualness
    is_peak = np.r_[False, (strength[1:-1] >= strength[:-2]) & (strength[1:-1] > strength[2:]), False]
    nearest = int(np.abs(np.log(tempos / chosen)).argmin())
    chosen_strength = float(strength[max(nearest - 1, 0) : nearest + 2].max())
    pairs = [(chosen, chosen_strength)]
    for peak in np.flatnonzero(is_peak)[np.argsort(-strength[is_peak], kind="stable")].tolist():
        tempo = float(tempos[peak])
        if all(abs(tempo / other - 1) > _NEAR for other, _ in pairs):
            pairs.append((tempo, float(strength[peak])))
    total = max(sum(value for _, value in pairs[:MOST]), 1e-12)
    return tuple(sorted(((tempo, value / total) for tempo, value in pairs[:MOST]), key=lambda pair: -pair[1]))
