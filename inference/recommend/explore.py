"""Now and then something of which little is known, so that it can be learned; with the chance of everything shown.

Each slot explores with chance ε. A slot that explores shows what Thompson sampling draws among candidates that have had
few plays; a slot that does not shows what the ranking has there. The chance of what a slot shows is logged with it, for
off-policy evaluation (``training.evaluate.off_policy``).
"""

from dataclasses import dataclass

import numpy as np

from transforms.pure.candidates.cold import thompson

FEW_PLAYS = 50
"""A track with more plays than this is known well enough."""
MOST = 20
"""Tracks that are drawn from."""


@dataclass(frozen=True)
class Slots:
    """A list with chances.

    Attributes:
        rows: what each slot shows.
        propensity: chance that this slot would show it, given the slots before it.
        explored: whether it was drawn.
    """

    rows: np.ndarray
    propensity: np.ndarray
    explored: np.ndarray


def explore(
    ranked: np.ndarray,
    others: np.ndarray,
    liked: np.ndarray,
    disliked: np.ndarray,
    share: float,
    rng: np.random.Generator,
) -> Slots:
    """Fill the slots.

    Args:
        ranked: (k,) rows, best first: what would be shown.
        others: (m,) more candidates, best first.
        liked: (rows,) plays to the end of every row's track.
        disliked: (rows,) plays broken off.
        share: ε, 0 to 1.
        rng: of the draws.
    """
    rows, chance, drawn = ranked.copy(), np.ones(len(ranked)), np.zeros(len(ranked), bool)
    unknown = others[(liked + disliked)[others] < FEW_PLAYS][:MOST]
    if share <= 0 or not len(unknown):
        return Slots(rows, chance, drawn)
    for slot in range(len(ranked)):
        if not len(unknown):
            break
        if rng.random() >= share:
            chance[slot] = 1 - share
            continue
        choice = thompson(liked[unknown], disliked[unknown], rng)
        rows[slot], chance[slot], drawn[slot] = unknown[choice.place], share * choice.propensity, True
        unknown = np.delete(unknown, choice.place)
    return Slots(rows, chance, drawn)
