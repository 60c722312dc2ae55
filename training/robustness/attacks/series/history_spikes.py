"""Spikes in the history: a campaign, a counter that counts twice, plays that were bought."""

import numpy as np

from training.robustness.attack import Attack, by_change

COUNT, SPAN = 3, 28
"""Spikes, and the newest steps that they lie in."""


def add_spikes(history: np.ndarray, height: float, rng: np.random.Generator) -> np.ndarray:
    """Adds spikes of a height in standard deviations of a history (t,) to three of its newest steps.

    >>> add_spikes(np.array([0.0, 2.0] * 20), 2.0, np.random.default_rng(0)).max()
    4.0
    """
    known = np.flatnonzero(np.isfinite(history))[-SPAN:]
    spread = float(np.nanstd(history)) if len(known) else 0.0
    after = history.copy()
    after[rng.permutation(known)[:COUNT]] += height * (spread or 1.0)
    return after


ATTACK = Attack(
    name="history_spikes",
    kinds=("series",),
    about=f"{COUNT} spikes in the newest {SPAN} steps before the forecast.",
    unit="standard deviations of the history",
    strengths=(1.0, 3.0, 10.0),
    measure=by_change(add_spikes),
)
