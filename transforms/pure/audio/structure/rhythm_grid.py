"""Bars, beats and tatums as intervals with a confidence each.

A tatum is the shortest regular division of a beat that is played (J. Bilmes, Timing is of the essence, 1993): a half, a
third or a quarter of a beat, the same for a whole sound, by the strength of onsets between the beats.
"""

from dataclasses import dataclass

import numpy as np

from transforms.pure.audio.beats import Beats
from transforms.pure.audio.structure.frames import fine_frame

DIVISIONS = (2, 3, 4)
"""Possible numbers of tatums in a beat."""
_NEAR = 2
"""Distance in frames (of 12 ms) within which an onset belongs to a place of the grid."""
_SURE = 3.0
"""Strength of an onset, in standard deviations, whose confidence is 1."""


@dataclass(frozen=True)
class Intervals:
    """Consecutive intervals; each ends where the next begins.

    Attributes:
        start: (n,) seconds.
        duration: (n,) seconds.
        confidence: (n,) 0 to 1.
    """

    start: np.ndarray
    duration: np.ndarray
    confidence: np.ndarray


NO_INTERVALS = Intervals(np.empty(0), np.empty(0), np.empty(0))


@dataclass(frozen=True)
class RhythmGrid:
    """The grid of one sound; all are empty for a sound without beats.

    Attributes:
        bars: from each downbeat to the next; beats before the first downbeat are in no bar.
        beats: from each beat to the next.
        tatums: from each division of a beat to the next.
    """

    bars: Intervals
    beats: Intervals
    tatums: Intervals


def rhythm_grid(beats: Beats, onsets: np.ndarray, seconds: float) -> RhythmGrid:
    """Return the grid of a sound.

    The last of each kind is as long as the one before it, or ends with the sound. The confidence of a beat or tatum is
    the strength of the onset at it, that of a bar the geometric mean of its first beat's and of how likely a bar begins
    there.

    Args:
        beats: beats of the sound.
        onsets: (frames,) onset strength in standard deviations, as in ``frames.Frames``.
        seconds: length of the sound.

    >>> likely = np.array([0.64, 0.1, 0.64])
    >>> beats = Beats(np.array([0.5, 1.0, 1.5]), np.array([1, 2, 1]), 120.0, 0.9, 2, 0.7, likely, likely, ())
    >>> grid = rhythm_grid(beats, np.full(200, 3.0), 1.8)
    >>> grid.bars.start, grid.bars.duration, grid.bars.confidence
    (array([0.5, 1.5]), array([1. , 0.3]), array([0.8, 0.8]))
    >>> len(grid.tatums.start)
    6
    """
    inside = (beats.times >= 0) & (beats.times < seconds)
    times = beats.times[inside]
    if not len(times):
        return RhythmGrid(NO_INTERVALS, NO_INTERVALS, NO_INTERVALS)
    strength = _strength(onsets, times)
    beat_intervals = Intervals(times, _durations(times, seconds), strength)
    is_downbeat = beats.places[inside] == 1
    downbeats = times[is_downbeat]
    bars = Intervals(
        downbeats,
        _durations(downbeats, seconds, usual=float(np.median(beat_intervals.duration)) * max(beats.meter, 1)),
        np.sqrt(strength[is_downbeat] * beats.downbeat_strengths[inside][is_downbeat]),
    )
    return RhythmGrid(bars, beat_intervals, _tatums(beat_intervals, onsets, seconds))


def _tatums(beats: Intervals, onsets: np.ndarray, seconds: float) -> Intervals:
    """Divide beats by the number whose places between the beats have the strongest onsets."""
    strengths = {division: float(_strength(onsets, _inner(beats, division)).mean()) for division in DIVISIONS}
    # quarters have to be played themselves, as halves are among them
    odd_quarters = beats.start[:, None] + beats.duration[:, None] * np.array([0.25, 0.75])
    strengths[4] = float(_strength(onsets, odd_quarters.ravel()).mean())
    best = max(DIVISIONS, key=lambda division: (strengths[division], -division))
    starts = np.column_stack([beats.start, _inner(beats, best).reshape(len(beats.start), -1)]).ravel()
    starts = starts[starts < seconds]
    return Intervals(starts, _durations(starts, seconds), _strength(onsets, starts))


def _inner(beats: Intervals, division: int) -> np.ndarray:
    shares = np.arange(1, division) / division
    return (beats.start[:, None] + beats.duration[:, None] * shares).ravel()


def _strength(onsets: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(n,) confidence that there is an onset near each time, 0 to 1."""
    if not len(onsets):
        return np.zeros(len(times))
    frames = fine_frame(times)[:, None] + np.arange(-_NEAR, _NEAR + 1)
    near = onsets[np.clip(frames, 0, len(onsets) - 1)].max(axis=1)
    return np.clip(np.asarray(near, np.float64) / _SURE, 0.0, 1.0)


def _durations(starts: np.ndarray, seconds: float, usual: float | None = None) -> np.ndarray:
    """(n,) distance to the next start; of the last, the median of all, or what is left of the sound."""
    if not len(starts):
        return np.empty(0)
    distances = np.diff(starts)
    last = float(np.median(distances)) if len(distances) else (usual or seconds)
    return np.append(distances, min(last, seconds - float(starts[-1])))
