"""Segments: the notes, chords and hits of a sound, from one onset to the next, with loudness, pitch and timbre.

Onsets are peaks of the onset strength (S. Böck, F. Krebs, M. Schedl, Evaluating the online capabilities of onset
detection methods, ISMIR 2012: the largest within 30 ms, and above the mean around it), moved to where the level rises
most. The shape of what is described is that of T. Jehan, Creating music by listening (2005).
"""

from dataclasses import dataclass

import numpy as np

from transforms.pure.audio.mel import BANDS
from transforms.pure.audio.onsets import FRAMES_A_SECOND
from transforms.pure.audio.structure.frame_loudness import loudness
from transforms.pure.audio.structure.frames import BLOCK_SECONDS, TIMBRES, Frames, coarse_frame

SHORTEST = 0.06
"""Least length of a segment in seconds."""
_PEAK = 0.8
"""Least strength of an onset, in standard deviations."""
_SURE = 3.0
"""Strength of an onset whose confidence is 1."""
_NEAR = round(0.03 * FRAMES_A_SECOND)
_AROUND = 4
"""Blocks to each side within which an onset is moved to the steepest rise."""
_ATTACK_SECONDS = 0.03
"""Part after an onset whose frames still see what was before it."""
_QUIET = 1e-7
"""Power, -70 dB, that is added before a rise is judged, so that a rise within silence is none."""


@dataclass(frozen=True)
class Segments:
    """The segments of one sound; they tile it.

    Attributes:
        start: (n,) seconds; the first is 0.
        duration: (n,) seconds.
        confidence: (n,) 0 to 1, that a segment begins there; that of the first is 1.
        loudness_start: (n,) loudness at the onset in decibels, -60 for silence.
        loudness_max: (n,) largest loudness.
        loudness_max_time: (n,) seconds from the onset to the largest loudness.
        loudness_end: (n,) loudness at the end; the beginning of the next segment, or 11 ms before the sound ends.
        pitches: (n, 12) strength of the pitch classes from C on, the strongest 1; zeros without any.
        timbre: (n, ``TIMBRES``) mean level of the mel bands in decibels, and their mean times 11 cosines: the k-th is
            sqrt(2) cos(pi k (b + 1/2) / 128) of band b, so that the first of them is the tilt from bass to treble.
    """

    start: np.ndarray
    duration: np.ndarray
    confidence: np.ndarray
    loudness_start: np.ndarray
    loudness_max: np.ndarray
    loudness_max_time: np.ndarray
    loudness_end: np.ndarray
    pitches: np.ndarray
    timbre: np.ndarray


_NONE = np.empty(0)
NO_SEGMENTS = Segments(_NONE, _NONE, _NONE, _NONE, _NONE, _NONE, _NONE, np.empty((0, 12)), np.empty((0, TIMBRES)))


def segments(frames: Frames) -> Segments:
    """Return the segments of a sound; none of a sound without samples.

    >>> silence = Frames(512, np.zeros(3), np.zeros(2), np.zeros((2, 12)), np.zeros((2, 12)))
    >>> result = segments(silence)
    >>> result.start, result.duration.round(3), result.loudness_max
    (array([0.]), array([0.023]), array([-60.]))
    """
    if not frames.samples:
        return NO_SEGMENTS
    peaks = onset_frames(frames.onsets)
    blocks, strength = _steepest(peaks, frames)
    far = np.diff(blocks, prepend=0) * BLOCK_SECONDS >= SHORTEST
    blocks, strength = np.append(0, blocks[far]), np.append(_SURE, strength[far])
    start = blocks * BLOCK_SECONDS
    levels = loudness(frames.power.astype(np.float64))
    stop = np.append(blocks[1:], len(levels))
    loudest = np.maximum.reduceat(levels, blocks)
    first_loudest = _first_at_least(levels, blocks, loudest)
    after = np.minimum(stop, len(levels) - 1)
    pitches, timbre = _means(start, frames)
    return Segments(
        start,
        np.diff(start, append=frames.seconds),
        np.clip(strength / _SURE, 0.0, 1.0),
        levels[blocks],
        loudest,
        (first_loudest - blocks) * BLOCK_SECONDS,
        levels[after],
        pitches,
        timbre,
    )


def onset_frames(onsets: np.ndarray) -> np.ndarray:
    """Return the (n,) frames of onsets: the largest within 30 ms, and ``_PEAK`` standard deviations above the mean."""
    if len(onsets) < 2:
        return np.empty(0, np.int64)
    around = np.lib.stride_tricks.sliding_window_view(np.pad(onsets, _NEAR, constant_values=-np.inf), 2 * _NEAR + 1)
    is_peak = (onsets >= around.max(axis=1)) & (onsets > _PEAK)
    is_peak[1:] &= onsets[1:] != onsets[:-1]  # one of equal neighbours
    return np.flatnonzero(is_peak)


def _steepest(peaks: np.ndarray, frames: Frames) -> tuple[np.ndarray, np.ndarray]:
    """Blocks near onsets where the level rises most, increasing, and the strength of the onsets."""
    ratio = np.log(np.asarray(frames.power, np.float64) + _QUIET)
    rise = np.diff(ratio, prepend=ratio[:1])
    around = np.clip(peaks[:, None] + np.arange(-_AROUND, _AROUND + 1), 0, len(rise) - 1)
    blocks = around[np.arange(len(peaks)), rise[around].argmax(axis=1)]
    blocks, first = np.unique(blocks, return_index=True)
    return blocks, np.asarray(frames.onsets, np.float64)[peaks[first]]


def _first_at_least(levels: np.ndarray, starts: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(n,) first place from each start on where the level is that segment's largest."""
    segment = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(levels)))
    places = np.flatnonzero(levels >= values[segment])
    return places[np.searchsorted(segment[places], np.arange(len(starts)))]


def _means(start: np.ndarray, frames: Frames) -> tuple[np.ndarray, np.ndarray]:
    """(n, 12) pitches, weighted by power, and (n, ``TIMBRES``) timbres, of the frames of each segment.

    Frames whose window is mostly before the segment are left out, unless there are no others.
    """
    count = len(frames.chroma)
    first = coarse_frame(start + _ATTACK_SECONDS)
    first[0] = 0
    stop = np.append(coarse_frame(start[1:]), count)
    first = np.clip(np.minimum(first, stop - 1), 0, count - 1)
    # reduceat takes pairs of a first and a last frame: sums between segments are dropped
    edges = np.column_stack([first, np.maximum(stop, first + 1)]).ravel()
    edges = np.minimum(edges, count)
    power = _frame_power(frames.power, count)
    weighted = np.vstack([frames.chroma * power[:, None], np.zeros((1, 12), np.float32)])
    energy = np.add.reduceat(weighted, edges)[::2]
    strongest = energy.max(axis=1, keepdims=True)
    timbre = np.add.reduceat(np.vstack([frames.timbre, np.zeros((1, TIMBRES), np.float32)]), edges, dtype=np.float64)
    number = np.maximum(edges[1::2] - edges[::2], 1)[:, None]
    pitches = np.where(strongest > 0, energy / np.where(strongest > 0, strongest, 1.0), 0.0)
    return pitches, timbre[::2] / number / np.sqrt(BANDS)


def _frame_power(power: np.ndarray, count: int) -> np.ndarray:
    """(count,) power of the two blocks around the centre of each coarse frame."""
    padded = np.concatenate([power[:1], power, np.zeros(2 * count + 1, np.float32)])
    return padded[0 : 2 * count : 2] + padded[1 : 2 * count + 1 : 2]
