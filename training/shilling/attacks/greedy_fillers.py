"""Fillers for equal fakes, one by one by what they add to the reach: the steepest step of EASE's closed form.

For m equal fakes with fillers z and a target that nobody else plays, the score of listener v is
(K⁻¹Xz)_v m / (λ + m(c − 1)) with c = 1 + zᵀ(I − XᵀK⁻¹X)z; each step adds the filler that takes most listeners over
their threshold, by a logistic surrogate.
"""

import numpy as np

from training.shilling.known import Known

CANDIDATES, SLOPE = 500, 0.02


def greedy_fillers(known: Known, target: int, fakes: int, length: int, worth: np.ndarray) -> np.ndarray:
    """(length,) fillers, the first ones first.

    Args:
        known: the model.
        target: the track that is pushed.
        fakes: number of equal fakes.
        length: number of fillers.
        worth: (listeners,) how much each listener is worth.
    """
    candidates = np.argsort(-known.listeners, kind="stable")[: min(CANDIDATES, known.played.shape[1])]
    candidates = candidates[candidates != target]
    steps = known.half[:, candidates].astype(np.float32)
    own = 1 - np.asarray(known.played.multiply(known.half).sum(axis=0)).ravel()[candidates]
    reached = np.zeros(len(known.threshold), np.float32)
    drawn = np.zeros(known.played.shape[1])
    cost, chosen = 0.0, list[int]()
    is_free = np.ones(len(candidates), bool)
    threshold = known.threshold.astype(np.float32)[:, None]
    worth = worth * (known.played[:, [target]].toarray().ravel() == 0)
    for _ in range(min(length, len(candidates))):
        costs = cost - 2 * drawn[candidates] + own
        gain = (fakes / (known.regularization + fakes * costs)).astype(np.float32)
        margin = np.clip(((reached[:, None] + steps) * gain - threshold) / SLOPE, -30, 30)
        value = np.where(is_free, worth @ (1 / (1 + np.exp(-margin))), -1)
        best = int(np.argmax(value))
        is_free[best] = False
        chosen.append(int(candidates[best]))
        cost = float(costs[best])
        reached = reached + steps[:, best]
        drawn = drawn + known.played.T @ steps[:, best].astype(np.float64)
    return np.array(chosen, np.int64)
