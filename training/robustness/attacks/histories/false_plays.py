"""Plays that are not the listener's: a shared account, somebody's child, a joke. As heavy as their heaviest ones."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from training.robustness.attack import Attack
from training.robustness.target import Target


def insert(history: np.ndarray, count: int, catalogue: int, rng: np.random.Generator) -> np.ndarray:
    """Inserts so many entries of items that are not in a history (k, 2), at random places.

    Args:
        history: the history.
        count: number of entries.
        catalogue: number of items that exist.
        rng: source of chance.

    >>> insert(np.array([[3.0, 1.0]]), 2, 10, np.random.default_rng(0)).shape
    (3, 2)
    """
    others = np.setdiff1d(np.arange(catalogue), history[:, 0].astype(int))
    items = rng.permutation(others)[:count]
    entries = np.column_stack([items, np.full(len(items), history[:, 1].max(initial=1.0))])
    return np.insert(history, rng.integers(0, len(history) + 1, len(items)), entries, axis=0)


def measure(target: Target[Any], strengths: Sequence[float], rng: np.random.Generator) -> np.ndarray:
    """Measures all histories with invented entries, as many as a share of their own."""
    seeds = rng.integers(0, 2**62, len(target))
    catalogue = target.extra["catalogue"]
    return np.array(
        [
            target.values(
                [
                    insert(history, round(strength * len(history)), catalogue, np.random.default_rng(seed))
                    for history, seed in zip(target.inputs, seeds, strict=True)
                ],
                target.units,
            )
            for strength in strengths
        ]
    )


ATTACK = Attack(
    name="false_plays",
    kinds=("histories",),
    about="Entries that are not the listener's own, drawn from the catalogue, each as heavy as the heaviest own one.",
    unit="entries for each own one",
    strengths=(0.1, 0.25, 0.5, 1.0),
    measure=measure,
)
