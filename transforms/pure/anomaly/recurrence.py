"""Whether something unusual has happened before: distance of the newest values to those of earlier episodes.

A nightly backup and a burst that comes every week are unlike most of the past, but not unlike all of it. A series
therefore remembers the windows of its episodes, the times when its score was high. A window that resembles two of them
is no news; how much it may differ is measured by how far it is from the usual level. A greater burst than all before is
as far from those as from the level, and remains news. The past of which ``novelty`` keeps a sample rarely contains
them. (Discords, as distances to nearest neighbours: E. Keogh, J. Lin, A. Fu, HOT SAX, ICDM 2005; of discords that come
twice: Y. Zhu and others, Matrix Profile II, ICDM 2016.)
"""

import numpy as np

LENGTH = 5
"""Number of values of a window."""
SLOTS = 64
"""Number of remembered windows; beyond, each replaces the oldest."""
UNUSUAL = 4.0
"""Score at which a value belongs to an episode."""
APART = 60
"""Number of values without another high score after which an episode is over."""
LONGEST = 8
"""Number of windows remembered of an episode: its beginning."""
NEAREST = 2
"""Number of earlier windows that must be near."""
NEAR = 0.5
"""Distance to them, relative to the distance from the level, from which a window is news in full."""
_NEVER = -(1 << 40)
State = dict[str, np.ndarray]


def start(series: int) -> State:
    """Initial state of series."""
    return {
        "episode_windows": np.zeros((series, SLOTS, LENGTH)),
        "episode_counts": np.full((series, SLOTS), _NEVER, np.int64),
        "episode_next": np.zeros(series, np.int64),
        "episode_kept": np.zeros(series, np.int64),
        "unusual_count": np.full(series, _NEVER, np.int64),
    }


def discount(state: State, score: np.ndarray, newest: np.ndarray, level: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Factors (n,) in 0 to 1 of scores (n,), then remember the windows of high scores, in place.

    Args:
        state: as from ``start``; updated.
        score: (n,) scores of the newest values.
        newest: (n, ``LENGTH``) newest values.
        level: (n,) usual level of each series.
        count: (n,) number of values before the newest.
    """
    factors = np.ones(len(score))
    rows = np.flatnonzero((score >= UNUSUAL) & (count >= LENGTH))
    if not len(rows):
        return factors
    windows, counts = state["episode_windows"][rows], state["episode_counts"][rows]
    distances = np.abs(windows - newest[rows, None]).mean(axis=2)
    distances[counts >= count[rows, None] - APART] = np.inf
    distances[counts == _NEVER] = np.inf
    nearest = np.partition(distances, NEAREST - 1, axis=1)[:, NEAREST - 1]
    from_level = np.abs(newest[rows] - level[rows, None]).mean(axis=1)
    is_known = np.isfinite(nearest) & (from_level > 0)
    factors[rows[is_known]] = np.minimum(nearest[is_known] / from_level[is_known] / NEAR, 1.0)
    _remember(state, rows, newest[rows], count[rows])
    return factors


def _remember(state: State, rows: np.ndarray, newest: np.ndarray, count: np.ndarray) -> None:
    is_new = count - state["unusual_count"][rows] > APART
    kept = np.where(is_new, 0, state["episode_kept"][rows])
    state["unusual_count"][rows] = count
    stored = kept < LONGEST
    state["episode_kept"][rows] = kept + stored
    rows, newest, count = rows[stored], newest[stored], count[stored]
    slot = state["episode_next"][rows]
    state["episode_windows"][rows, slot], state["episode_counts"][rows, slot] = newest, count
    state["episode_next"][rows] = (slot + 1) % SLOTS
