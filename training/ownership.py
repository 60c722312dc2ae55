"""Whether a model is a copy of ours: a test of the owner's watermark in its answers, with an exact bound of chance.

The suspect answers reference rows. What it says beyond our clean model is regressed on the pieces of the watermark
(ridge, then cut to ``MAX_COEFFICIENT``), beside what any honest model may differ by: a cubic of the clean answer, and
clean copies, which were trained on clean answers to other rows. The statistic is the sum of the coefficients, each with
its secret sign, over the root of the sum of their squares.

**Validity.** The coefficients do not depend on the signs. If the suspect does not either, the signs are independent
fair coins, so the statistic is a normalised Rademacher sum, whatever the suspect is, and
P(statistic >= x) <= c * P(Z >= x) with c = 1 / (4 * P(Z >= sqrt 2)), about 3.18, for every x (Bentkus and Dzindzalieta
2015, "A tight Gaussian bound for weighted sums of Rademacher random variables", Bernoulli 21). No approximation and no
assumption about models enters.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import erfc, sqrt

import numpy as np

from feature_repo.errors import InputError
from transforms.pure.tabular.watermark import Watermark

BOUND = 1 / (2 * erfc(1))
"""Factor of the bound above, about 3.18."""
RIDGE = 30.0
"""Ridge of the regression, in rows."""
MAX_COEFFICIENT = 2.0
"""Coefficients count as so many medians of all, at the most: a copy errs most where it says least."""
MIN_ROWS_OF_PIECE = 5
"""Pieces of fewer rows are left out."""
Predict = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class OwnershipTest:
    """The result of a test.

    Attributes:
        statistic: the normalised sum; about 0 for an independent model.
        p_value: bound of the chance of a statistic as large, if the suspect does not depend on our secret.
        pieces: number of signs that were tested.
        rows: number of rows.
        agreement: share of the rows on which the suspect and our clean model decide alike; correlation for numbers.
    """

    statistic: float
    p_value: float
    pieces: int
    rows: int
    agreement: float


def find_watermark(
    watermark: Watermark, inputs: np.ndarray, suspect: np.ndarray, clean: np.ndarray, others: np.ndarray | None = None
) -> OwnershipTest:
    """Test whether answers carry a watermark.

    Args:
        watermark: the pattern that our answers carried.
        inputs: (n, d) rows.
        suspect: (n,) answers of the suspect: chances, numbers or 0 and 1.
        clean: (n,) answers of our model without watermark.
        others: (n, k) answers of models that never saw the watermark, whose differences from ours are no evidence.

    Raises:
        InputError: answers are missing or not finite, or there are fewer than 50 rows.

    >>> rng = np.random.default_rng(0)
    >>> rows = rng.normal(size=(800, 6))
    >>> mark = Watermark.create(b"secret", "m:1", rows)
    >>> clean = 1 / (1 + np.exp(-rows.sum(axis=1)))
    >>> find_watermark(mark, rows, mark.mark_chances(clean, rows, 0.03), clean).p_value < 1e-6
    True
    >>> find_watermark(mark, rows, np.clip(clean + rng.normal(0, 0.03, 800), 0, 1), clean).p_value > 0.01
    True
    """
    if len(inputs) < 50 or suspect.shape != (len(inputs),) or not np.isfinite(suspect).all():
        raise InputError(
            expected=f"one finite answer for each of at least 50 rows, here {len(inputs)}",
            found=f"answers {suspect.shape}, {int(np.sum(~np.isfinite(suspect)))} of them not finite",
            next_command="refrain model own-test --rows-out FILE",
        )
    design = _design(watermark, inputs)
    counts = design.sum(axis=0)
    mask = (counts >= MIN_ROWS_OF_PIECE) & (counts <= len(inputs) - MIN_ROWS_OF_PIECE)
    signs = np.concatenate([*watermark.signs, np.empty(0)])[mask]
    agreement = _agreement(suspect, clean)
    if not mask.any():
        return OwnershipTest(0.0, 1.0, 0, len(inputs), agreement)
    design, share = design[:, mask], counts[mask] / len(inputs)
    nuisance = [np.ones(len(inputs)), clean, clean**2, clean**3, *([] if others is None else others.T)]
    design, difference = _residuals(np.column_stack(nuisance), design, suspect - clean)
    gram = design.T @ design + RIDGE * np.eye(design.shape[1])
    coefficients = np.sqrt(share * (1 - share)) * np.linalg.solve(gram, design.T @ difference)
    most = MAX_COEFFICIENT * float(np.median(np.abs(coefficients)))
    coefficients = np.clip(coefficients, -most, most)
    norm = float(np.sqrt(np.sum(coefficients**2)))
    statistic = float(signs @ coefficients) / norm if norm > 1e-12 else 0.0
    p_value = min(1.0, BOUND * 0.5 * erfc(statistic / sqrt(2)))
    return OwnershipTest(statistic, p_value, int(mask.sum()), len(inputs), agreement)


def _design(watermark: Watermark, inputs: np.ndarray) -> np.ndarray:
    """Return which piece each value is in, (n, all pieces) of 0 and 1; columns without cuts are all 0."""
    pieces = watermark.pieces(inputs)
    blocks = [
        np.eye(len(signs))[pieces[:, number]] * bool(len(cuts))
        for number, (cuts, signs) in enumerate(zip(watermark.cuts, watermark.signs, strict=True))
    ]
    return np.concatenate(blocks, axis=1) if blocks else np.zeros((len(inputs), 0))


def _residuals(nuisance: np.ndarray, design: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what the nuisance columns leave of a design and of values."""
    targets = np.column_stack([design, values])
    directions = np.linalg.qr(nuisance)[0]
    left = targets - directions @ (directions.T @ targets)
    return left[:, :-1], left[:, -1]


def _agreement(suspect: np.ndarray, clean: np.ndarray) -> float:
    if clean.min() >= 0 and clean.max() <= 1 and suspect.min() >= 0 and suspect.max() <= 1:
        return float(np.mean((suspect >= 0.5) == (clean >= 0.5)))
    return float(np.corrcoef(suspect, clean)[0, 1]) if suspect.std() and clean.std() else 0.0
