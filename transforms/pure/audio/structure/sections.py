"""Sections: verse, refrain, bridge, solo; where harmony and timbre change for long.

Timbre of each beat, and harmony around it, are partitioned (``partition``) so that each part is as much alike as it can
be for what a further section costs. A section is described as a track is: loudness, tempo, key, meter.
"""

from dataclasses import dataclass

import numpy as np

from transforms.pure.audio.beats import Beats
from transforms.pure.audio.key import Key, mode_confidence, of_chroma
from transforms.pure.audio.structure.frame_loudness import gated
from transforms.pure.audio.structure.frames import BLOCK_SECONDS, COARSE_SECONDS, Frames, coarse_frame
from transforms.pure.audio.structure.partition import partition
from transforms.pure.audio.structure.rhythm_grid import RhythmGrid

HARMONY = 0.5
"""Weight of pitch classes, relative to timbre."""
_PASSAGE = 16
"""Number of beats over which pitch classes are averaged, so that a chord is no section."""
_STEP_SECONDS = 0.5
"""Length of what stands for a beat in a sound without beats."""
_FEWEST_BEATS = 8
_LEAST_TIMBRE, _LEAST_HARMONY = 6.0, 0.02
"""Least standard deviations that are brought to 1, so that what hardly changes has no sections."""
_MOST = 2.0
"""Largest distance from the mean in standard deviations, so that a beat of silence is no section."""


@dataclass(frozen=True)
class Section:
    """One section.

    Attributes:
        start: seconds.
        duration: seconds.
        confidence: 0 to 1, that a section begins there; 1 for the first.
        loudness: integrated loudness in LUFS; None in silence.
        tempo: beats per minute; None with fewer than two beats.
        tempo_confidence: 0 to 1.
        key: key and its confidence; None without pitch.
        mode_confidence: 0 to 1.
        meter: beats of a bar; 0 if unknown.
        meter_confidence: 0 to 1.
    """

    start: float
    duration: float
    confidence: float
    loudness: float | None
    tempo: float | None
    tempo_confidence: float
    key: Key | None
    mode_confidence: float
    meter: int
    meter_confidence: float


def sections(frames: Frames, beats: Beats, grid: RhythmGrid) -> list[Section]:
    """Return the sections of a sound; they tile it. None of a sound without samples.

    Args:
        frames: frames of the sound.
        beats: beats of the sound.
        grid: its grid, from ``rhythm_grid``.
    """
    if not frames.samples:
        return []
    starts, confidence = bounds(frames, beats)
    return [
        _section(frames, beats, grid, float(start), float(stop), float(sure))
        for start, stop, sure in zip(starts, np.append(starts[1:], frames.seconds), confidence, strict=True)
    ]


def bounds(frames: Frames, beats: Beats) -> tuple[np.ndarray, np.ndarray]:
    """Return the (n,) times in seconds at which sections begin, the first 0, and the confidence of each."""
    times, vectors = beat_vectors(frames, beats)
    starts, confidence = partition(vectors)
    return times[starts], confidence


def beat_vectors(frames: Frames, beats: Beats) -> tuple[np.ndarray, np.ndarray]:
    """Return the (n,) times of the beats in seconds, the first 0, and (n, 24) timbre and harmony of each.

    A sound without beats has one every half second.
    """
    times = beats.times[(beats.times > 0) & (beats.times < frames.seconds)]
    if len(times) < _FEWEST_BEATS:
        times = np.arange(_STEP_SECONDS, frames.seconds, _STEP_SECONDS)
    times = np.concatenate([[0.0], times])
    first, kept = np.unique(np.minimum(coarse_frame(times), len(frames.chroma) - 1), return_index=True)
    counts = np.diff(first, append=len(frames.chroma))[:, None]
    timbre = np.add.reduceat(frames.timbre, first, dtype=np.float64) / counts
    chroma = np.add.reduceat(frames.chroma, first, dtype=np.float64) / counts
    chroma /= np.maximum(np.linalg.norm(chroma, axis=1, keepdims=True), 1e-9)
    harmony = HARMONY * _standard(_smooth(chroma), _LEAST_HARMONY)
    return times[kept], np.hstack([_standard(timbre, _LEAST_TIMBRE), harmony]) / np.sqrt(12)


def _standard(rows: np.ndarray, least: float) -> np.ndarray:
    """Rows with mean 0 and standard deviation 1 in each column, less where it is below ``least``."""
    return np.clip((rows - rows.mean(axis=0)) / np.maximum(rows.std(axis=0), least), -_MOST, _MOST)


def _smooth(rows: np.ndarray) -> np.ndarray:
    """Weighted means of ``_PASSAGE`` rows around each, with a Hann window; the ends are repeated."""
    window = np.hanning(_PASSAGE + 2)[1:-1]
    around = np.pad(rows, ((_PASSAGE // 2, _PASSAGE - 1 - _PASSAGE // 2), (0, 0)), mode="edge")
    parts = (weight * around[lag : lag + len(rows)] for lag, weight in enumerate(window / window.sum()))
    return np.asarray(sum(parts))


def _section(frames: Frames, beats: Beats, grid: RhythmGrid, start: float, stop: float, confidence: float) -> Section:
    blocks = slice(round(start / BLOCK_SECONDS), max(round(stop / BLOCK_SECONDS), round(start / BLOCK_SECONDS) + 1))
    chroma = frames.chroma[int(start / COARSE_SECONDS) : int(stop / COARSE_SECONDS) + 1].mean(axis=0, dtype=np.float64)
    is_inside = (grid.beats.start >= start) & (grid.beats.start < stop)
    times, strength = grid.beats.start[is_inside], grid.beats.confidence[is_inside]
    is_bar = (grid.bars.start >= start) & (grid.bars.start < stop)
    return Section(
        start,
        stop - start,
        confidence,
        gated(frames.power[blocks]),
        60.0 / float(np.median(np.diff(times))) if len(times) > 1 else None,
        float(strength.mean()) if len(times) > 1 else 0.0,
        of_chroma(chroma),
        mode_confidence(chroma),
        _meter(beats, start, stop),
        float(grid.bars.confidence[is_bar].mean()) if is_bar.any() else 0.0,
    )


def _meter(beats: Beats, start: float, stop: float) -> int:
    """The most common number of beats of the bars that begin in a section; that of the sound without any."""
    downbeats = np.flatnonzero(beats.places == 1)
    is_inside = (beats.times[downbeats[:-1]] >= start) & (beats.times[downbeats[:-1]] < stop)
    counts = np.bincount(np.diff(downbeats)[is_inside]) if is_inside.any() else np.zeros(1)
    return int(counts.argmax()) if counts.any() else beats.meter
