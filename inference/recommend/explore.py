"""Explores: some slots show little-known tracks in order to learn about them, and every slot has its propensity.

Each slot explores with probability ε. A slot that explores shows a track drawn by Thompson sampling among candidates
with few plays. Any other slot shows the track that is ranked there. The propensity of each shown track is logged for
off-policy evaluation (``training.evaluate.off_policy``).
"""

from dataclasses import dataclass

import numpy as np

from transforms.pure.candidates.cold import thompson

FEW_PLAYS = 50
"""Number of plays below which a track counts as little known."""
MAX_EXPLORED = 20
"""Maximum number of little-known tracks to draw from."""


@dataclass(frozen=True)
class Slots:
    """The slots of a list with their propensities.

    Attributes:
        rows: row shown in each slot.
        propensity: probability that the slot shows this row, given the slots before it.
        explored: whether the row was drawn by exploration.
    """

    rows: np.ndarray
    propensity: np.ndarray
    explored: np.ndarray

    @classmethod
    def ranked(cls, rows: np.ndarray) -> "Slots":
        """Fill the slots with ranked rows alone, best first."""
        return cls(rows.copy(), np.ones(len(rows)), np.zeros(len(rows), bool))


def explore(
    ranked: np.ndarray,
    others: np.ndarray,
    liked: np.ndarray,
    disliked: np.ndarray,
    share: float,
    rng: np.random.Generator,
) -> Slots:
    """Fill the slots with ranked or explored rows.

    Args:
        ranked: (k,) rows that are shown without exploration, best first.
        others: (m,) rows of the other candidates, best first.
        liked: (rows,) number of plays to the end of every row's track.
        disliked: (rows,) number of plays that were broken off.
        share: ε, the probability that a slot explores, 0 to 1.
        rng: random generator of the draws.
    """
    slots = Slots.ranked(ranked)
    rows, propensity, explored = slots.rows, slots.propensity, slots.explored
    little_known = others[(liked + disliked)[others] < FEW_PLAYS][:MAX_EXPLORED]
    if share <= 0:
        return slots
    for slot in range(len(ranked)):
        if not len(little_known):
            break
        if rng.random() >= share:
            propensity[slot] = 1 - share
            continue
        choice = thompson(liked[little_known], disliked[little_known], rng)
        rows[slot], propensity[slot], explored[slot] = little_known[choice.place], share * choice.propensity, True
        little_known = np.delete(little_known, choice.place)
    return slots
