"""Copies of a model that never saw its watermark: what honest copies differ by is no evidence of theft."""

from collections.abc import Callable

import numpy as np

from training.estimators import learner

ROWS, MIXED = 8_000, 0.2
"""Number of rows that copies learn from, and the share of their values that are of other rows."""
LEARNERS = ("lightgbm", "linear")


def clean_copies(
    answer: Callable[[np.ndarray], np.ndarray], reference: np.ndarray, seed: int = 0
) -> Callable[[np.ndarray], np.ndarray]:
    """Train copies on clean answers to rows that are mixed from reference rows.

    Args:
        answer: answers rows (n, d) without watermark, (n,).
        reference: (m, d) rows.
        seed: random seed.

    Returns:
        A function from rows (n, d) to the answers of the copies (n, k).
    """
    rng = np.random.default_rng(seed)
    rows = reference[rng.integers(len(reference), size=ROWS)]
    others = np.column_stack([column[rng.integers(len(reference), size=ROWS)] for column in reference.T])
    mixed = np.where(rng.random(rows.shape) < MIXED, others, rows).astype(np.float32)
    answers = np.asarray(answer(mixed), np.float64)
    copies = [learner(name).fit(mixed, answers, "number", {}, seed) for name in LEARNERS]
    return lambda inputs: np.column_stack([copy.predict(inputs) for copy in copies])
