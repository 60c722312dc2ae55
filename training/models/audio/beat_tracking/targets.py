"""Examples from sounds whose beats are known: what a network sees, and what it should answer."""

import numpy as np

from training.models.audio.beat_tracking.fit import Example
from transforms.pure.audio import bar_features
from transforms.pure.audio.beat_network import FRAMES_A_SECOND, BeatEvidence

NEAR_SECONDS = 0.07
"""Farthest a beat that is found may be from a true one."""
FEWEST = 8
"""Fewest beats of an example."""


def beat_example(inputs: np.ndarray, beats: np.ndarray, is_downbeat: np.ndarray) -> Example:
    """An example for ``BEATS``: 1 at a beat and at a downbeat, a half in the frames beside it.

    Args:
        inputs: (n, ``INPUTS``) inputs of the network.
        beats: times of the beats in seconds.
        is_downbeat: whether each begins a bar.
    """
    rows = np.zeros((len(inputs), 2), np.float32)
    for column, times in enumerate((beats, beats[is_downbeat])):
        frames = np.round(times * FRAMES_A_SECOND).astype(np.int64)
        for shift, value in ((-1, 0.5), (1, 0.5), (0, 1.0)):
            inside = frames + shift
            inside = inside[(inside >= 0) & (inside < len(rows))]
            rows[inside, column] = np.maximum(rows[inside, column], value)
    return Example(inputs, rows, np.ones(len(rows), np.float32))


def bar_example(
    found: np.ndarray,
    evidence: BeatEvidence,
    chroma: np.ndarray,
    beats: np.ndarray,
    is_downbeat: np.ndarray,
    is_known: np.ndarray,
) -> Example | None:
    """An example for ``fit.BARS``; None with fewer than ``FEWEST`` beats.

    A beat counts if it and a neighbour are two consecutive true beats, so that beats that are found twice as often, or
    half as often, teach nothing.

    Args:
        found: times of the beats that the inputs are of, in seconds.
        evidence: of each frame of the sound.
        chroma: (frames, 12) pitch classes.
        beats: (n,) true times.
        is_downbeat: (n,) whether each begins a bar.
        is_known: (n,) whether this is known.
    """
    if len(found) < FEWEST or len(beats) < FEWEST:
        return None
    frames = np.round(found * FRAMES_A_SECOND).astype(np.int64)
    inputs = bar_features.of_beats(frames, evidence.bands, evidence.log_odds, chroma)
    nearest = np.abs(beats[None] - found[:, None]).argmin(axis=1)
    is_near = np.abs(beats[nearest] - found) < NEAR_SECONDS
    follows = np.diff(nearest) == 1
    follows &= is_near[1:] & is_near[:-1]
    counts = (np.append(follows, False) | np.append(False, follows)) & is_known[nearest]
    return Example(inputs, is_downbeat[nearest, None].astype(np.float32), counts.astype(np.float32))
