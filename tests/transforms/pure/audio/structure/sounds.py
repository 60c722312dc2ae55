"""Sounds whose structure is known."""

from collections.abc import Iterable

import numpy as np

from transforms.pure.audio.stft import RATE


def hertz(pitch: float) -> float:
    """Returns the frequency of a pitch, in semitones above middle C."""
    return float(440.0 * 2 ** ((pitch - 9) / 12))


def tones(notes: Iterable[tuple[float, float, float, float]], seconds: float) -> np.ndarray:
    """Returns notes of (start, length, pitch, amplitude), with attacks of 5 ms."""
    sound = np.zeros(int(seconds * RATE))
    for start, length, pitch, amplitude in notes:
        times = np.arange(int(length * RATE)) / RATE
        shape = np.minimum(1, times / 0.005) * np.minimum(1, (length - times) / 0.02)
        first = int(start * RATE)
        sound[first : first + len(times)] += amplitude * shape * np.sin(2 * np.pi * hertz(pitch) * times)
    return sound.astype(np.float32)


def clicks(times: Iterable[float], seconds: float, strengths: Iterable[float]) -> np.ndarray:
    """Returns short bursts of noise, all alike, at times and of strengths."""
    burst = np.random.default_rng(0).normal(size=400) * np.exp(-np.arange(400) / 60)
    sound = np.zeros(int(seconds * RATE) + 400)
    for time, strength in zip(times, strengths, strict=True):
        sound[int(time * RATE) :][:400] += 0.3 * strength * burst
    return sound[: int(seconds * RATE)].astype(np.float32)


def passage(chords: Iterable[tuple[int, ...]], chord_seconds: float, harmonics: int) -> np.ndarray:
    """Returns chords that are struck every half second, of tones with a number of harmonics."""
    times = np.arange(int(chord_seconds * RATE)) / RATE
    parts = []
    for chord in chords:
        waves = [
            np.sin(2 * np.pi * hertz(pitch - 12) * number * times) / number
            for pitch in chord
            for number in range(1, harmonics + 1)
        ]
        parts.append(0.05 * np.sum(waves, axis=0) * np.exp(-3 * (times % 0.5)))
    return np.concatenate(parts).astype(np.float32)
