"""A secret pattern in the answers of a model of rows, which a copy learns from them.

Each column of the inputs is cut at quantiles of reference rows, and each piece has a sign, +1 or -1, drawn by HMAC from
the owner's secret. The signal of a row is the sum of the signs of its pieces, standardised, and moves the answer a
little. A pattern of single columns is what a learner of rows picks up first, so a copy that was trained on the answers
has it too; who does not have the secret can neither name nor forge the signs.

Related: radioactive data (Sablayrolles et al. 2020) and the cosine signal of Charette et al. (2022), who mark what a
model answers for the same purpose. The test is ``training.ownership``.
"""

import hashlib
import hmac
from dataclasses import dataclass

import numpy as np

PIECES = 16
"""Pieces that a column is cut into, at the most; values that are equal stay together."""
MAX_SIGNAL = 2.0
"""Signals beyond so many standard deviations are cut."""
MIN_REFERENCE = 50
"""Minimum number of reference rows."""


@dataclass(frozen=True)
class Watermark:
    """The pattern of one model.

    Attributes:
        cuts: (d,) sorted cuts of each column; a column without any has no part in the pattern.
        signs: (d,) signs of the pieces of each column: one more than cuts, and the last of all for missing values.
        mean: mean of the sums of signs over the reference rows.
        deviation: their standard deviation; 0 if the rows do not differ, and the signal is 0.
    """

    cuts: tuple[np.ndarray, ...]
    signs: tuple[np.ndarray, ...]
    mean: float = 0.0
    deviation: float = 0.0

    @classmethod
    def create(cls, secret: bytes, model: str, reference: np.ndarray) -> "Watermark":
        """Draw the pattern of a model.

        Args:
            secret: the owner's secret, 32 random bytes.
            model: name and version of the model, such as ``churn_model:3``.
            reference: (n, d) rows like those that the model answers; NaN for missing.

        >>> rows = np.random.default_rng(0).normal(size=(500, 3)).astype(np.float32)
        >>> mark = Watermark.create(b"secret", "churn_model:1", rows)
        >>> [len(cuts) for cuts in mark.cuts], float(np.abs(mark.signal(rows)).max()) <= MAX_SIGNAL
        ([15, 15, 15], True)
        """
        cuts = tuple(_cuts(column) for column in reference.T)
        signs = tuple(_signs(secret, model, number, len(at) + 2) for number, at in enumerate(cuts))
        sums = cls(cuts, signs)._sums(reference)
        return cls(cuts, signs, float(sums.mean()), float(sums.std()))

    def pieces(self, inputs: np.ndarray) -> np.ndarray:
        """Compute the piece of each value, (n, d) int; ``len(cuts) + 1`` for NaN."""
        columns = [
            np.where(np.isnan(column), len(cuts) + 1, np.searchsorted(cuts, column, side="left"))
            for cuts, column in zip(self.cuts, inputs.T, strict=True)
        ]
        return np.column_stack(columns) if columns else np.zeros((len(inputs), 0), np.int64)

    def signal(self, inputs: np.ndarray) -> np.ndarray:
        """Compute the signal (n,) of rows (n, d), from -``MAX_SIGNAL`` to ``MAX_SIGNAL``."""
        if self.deviation == 0:
            return np.zeros(len(inputs))
        return np.clip((self._sums(inputs) - self.mean) / self.deviation, -MAX_SIGNAL, MAX_SIGNAL)

    def mark_chances(self, chances: np.ndarray, inputs: np.ndarray, strength: float) -> np.ndarray:
        """Move chances (n,) by the signal of their rows; they are drawn in before, so that all stay between 0 and 1.

        A chance changes sides of one half only if it was nearer to it than ``2 * strength``, about.

        >>> flat = Watermark((np.empty(0),), (np.ones(2),))
        >>> flat.mark_chances(np.array([0.0, 0.5, 1.0]), np.zeros((3, 1)), 0.05).round(2).tolist()
        [0.1, 0.5, 0.9]
        """
        room = MAX_SIGNAL * strength
        return room + (1 - 2 * room) * np.asarray(chances, np.float64) + strength * self.signal(inputs)

    def mark_numbers(self, numbers: np.ndarray, inputs: np.ndarray, strength: float, scale: float) -> np.ndarray:
        """Move numbers (n,) by the signal of their rows, in units of ``scale``, their standard deviation."""
        return np.asarray(numbers, np.float64) + strength * scale * self.signal(inputs)

    def _sums(self, inputs: np.ndarray) -> np.ndarray:
        sums = np.zeros(len(inputs))
        pieces = self.pieces(inputs)
        for number, (cuts, signs) in enumerate(zip(self.cuts, self.signs, strict=True)):
            if len(cuts):
                sums += signs[pieces[:, number]]
        return sums


def _cuts(column: np.ndarray) -> np.ndarray:
    """Cut a column at its quantiles, below the largest value, so that no piece of the reference is empty."""
    values = column[np.isfinite(column)]
    if len(values) < MIN_REFERENCE:
        return np.empty(0)
    quantiles = np.quantile(values, np.linspace(0, 1, PIECES + 1)[1:-1], method="inverted_cdf")
    return np.unique(quantiles[quantiles < values.max()])


def _signs(secret: bytes, model: str, column: int, count: int) -> np.ndarray:
    digest = hmac.new(secret, f"{model}/{column}".encode(), hashlib.sha256).digest()
    bits = np.unpackbits(np.frombuffer(digest, np.uint8))[:count]
    return bits.astype(np.float64) * 2 - 1
