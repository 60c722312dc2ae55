"""What a beat is heard by: numbers of each beat, by which ``bar_network`` says where bars begin.

Onsets on the beat and half-way to the next, levels of bands, the bass, and pitch classes until the next beat; how far
harmony and timbre change at the beat, over one, two and four beats to each side; and how like the beat is to those some
beats before it, which tells the length of a bar whatever plays.
"""

import numpy as np

from transforms.pure.audio import mel

BASS, BANDS = 8, 16
"""Number of lowest mel bands that are kept singly (up to 200 Hz), and of bands that all are summed to."""
EVIDENCE = 2 * BANDS + BASS
_CHANGES = (1, 2, 4)
_LAGS = (1, 2, 3, 4, 6, 8)
_FLOOR = 1e-9
COLUMNS = 2 * BANDS + BANDS // 2 + BASS + 12 + 2 + 3 * len(_CHANGES) + 2 * len(_LAGS) + 1
CHROMA = slice(2 * BANDS + BANDS // 2 + BASS, 2 * BANDS + BANDS // 2 + BASS + 12)
"""Columns of the pitch classes."""


def evidence(mel_power: np.ndarray, rise: np.ndarray) -> np.ndarray:
    """(n, ``EVIDENCE``) float16: rises and levels of bands, and levels of the bass, of every second hop.

    Args:
        mel_power: (n, ``mel.BANDS``) mel power of every second hop.
        rise: (n, bands) rises of bands, a multiple of ``BANDS``.
    """
    rises = rise.reshape(len(rise), BANDS, -1).mean(axis=2)
    bands = mel_power.reshape(len(mel_power), BANDS, -1).sum(axis=2)
    power = np.concatenate([bands, mel_power[:, :BASS]], axis=1)
    return np.concatenate([rises, mel.decibels(power) / 10], axis=1).astype(np.float16)


def of_beats(beats: np.ndarray, bands: np.ndarray, odds: np.ndarray, chroma: np.ndarray) -> np.ndarray:
    """(n, ``COLUMNS``) float32 numbers of each beat.

    Args:
        beats: (n,) frames of the beats, in every second hop; two or more.
        bands: (frames, ``EVIDENCE``) from ``evidence``.
        odds: (frames, 2) log odds of a beat and of a downbeat.
        chroma: (frames, 12) pitch classes.
    """
    count = min(len(bands), len(odds), len(chroma))
    edges = np.clip(np.append(beats, 2 * beats[-1] - beats[-2]), 0, count)
    bands = bands.astype(np.float32)
    rises, levels = bands[:count, :BANDS], bands[:count, BANDS:]
    on_beat = near(rises, edges[:-1])
    between = near(rises, (edges[:-1] + edges[1:]) // 2).reshape(len(beats), BANDS // 2, 2).max(axis=2)
    level = _means(levels, edges)
    level = (level - level.mean(axis=0)) / np.maximum(level.std(axis=0), 0.1)
    pitch = _unit(_means(chroma[:count], edges))
    timbre, bass = level[:, :BANDS], level[:, BANDS:]
    bass_shape = bass - bass.mean(axis=1, keepdims=True)
    changes = [_change(rows, span) for rows in (pitch, timbre, bass_shape) for span in _CHANGES]
    likeness = [_likeness(rows, lag) for rows in (pitch, on_beat) for lag in _LAGS]
    period = np.log2(np.maximum(np.diff(edges), 1) / 20)
    near_odds = np.clip(near(odds[:count], edges[:-1]), -7, 7) / 3
    columns = [on_beat, between, timbre, bass_shape, pitch, near_odds, *changes, *likeness, period]
    return np.column_stack(columns).astype(np.float32)


def near(rows: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """(n, columns) largest of each of n frames and its two neighbours."""
    last = len(rows) - 1
    return np.maximum.reduce([rows[np.clip(frames + shift, 0, last)] for shift in (-1, 0, 1)])


def _means(rows: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """(n - 1, columns) means of the rows between n edges."""
    sums = np.concatenate([np.zeros((1, rows.shape[1])), np.cumsum(rows, axis=0, dtype=np.float64)])
    return (sums[edges[1:]] - sums[edges[:-1]]) / np.maximum(np.diff(edges), 1)[:, None]


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), _FLOOR)


def _change(rows: np.ndarray, span: int) -> np.ndarray:
    """(n,) one less the cosine of the sums of some rows from each on, and of those before it."""
    sums = np.concatenate([np.zeros((1, rows.shape[1])), np.cumsum(rows, axis=0)])
    here = np.arange(len(rows))
    after = sums[np.minimum(here + span, len(rows))] - sums[here]
    before = sums[here] - sums[np.maximum(here - span, 0)]
    return 1 - (_unit(after) * _unit(before)).sum(axis=1)


def _likeness(rows: np.ndarray, lag: int) -> np.ndarray:
    """(n,) cosine of each row and the one some rows before it; 0 for the first ones."""
    out, unit = np.zeros(len(rows)), _unit(rows)
    out[lag:] = (unit[lag:] * unit[:-lag]).sum(axis=1) if lag < len(rows) else 0
    return out
