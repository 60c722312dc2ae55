"""Marks of questions that are rows of numbers: unlike the reference rows, near the decision, or near the row before.

What extraction attacks do to inputs: random and synthetic rows lie outside the data (PRADA, Juuti et al. 2019, watches
how far inputs lie from each other); active ones ask where the model is undecided; grids and line searches change one
column at a time. Distances are sums of differences of ranks: long tails do not count more than other columns, and a row
whose columns fit, but not together, is far. Reference rows are the background of the model's bundle.
"""

from dataclasses import dataclass

import numpy as np

FEW_KINDS = 20
"""Columns with fewer distinct values in the reference have kinds: another value is outside."""
MAX_REFERENCE = 500
"""Maximum number of reference rows that distances are measured to."""
MIN_STRANGE = 2
"""Columns of a row with values that the reference does not have, from which the row is outside."""
FAR_SHARE, NEAR_SHARE = 0.01, 0.1
"""Share of the reference rows that count as far from the others, and as near to the decision."""


@dataclass(frozen=True)
class RowMarks:
    """What is conspicuous about rows for one model.

    Attributes:
        columns: (d,) sorted values of each column of the reference, by which values become ranks from 0 to 1.
        has_kinds: (d,) whether a column has few distinct values.
        reference: (m, d) ranks of reference rows, one half for missing.
        far: distance to the nearest reference row from which a row is far.
        undecided: distance of a chance from one half below which it is undecided; negative for numbers.
    """

    columns: tuple[np.ndarray, ...]
    has_kinds: tuple[bool, ...]
    reference: np.ndarray
    far: float
    undecided: float

    @classmethod
    def fit(cls, reference: np.ndarray, answers: np.ndarray, *, are_chances: bool = True) -> "RowMarks":
        """Fit to reference rows (n, d), NaN for missing, and the model's answers (n,) to them.

        Half of the rows are the reference; the distances of the others to them say what is far.

        >>> rows = np.random.default_rng(0).normal(size=(400, 3))
        >>> marks = RowMarks.fit(rows, np.full(400, 0.9))
        >>> marks.count(np.full((1, 3), 99.0), np.array([0.5]))["outside"]
        1
        """
        rows = np.asarray(reference, np.float64)
        columns = tuple(np.sort(column[np.isfinite(column)]) for column in rows.T)
        has_kinds = tuple(len(np.unique(column)) < FEW_KINDS for column in columns)
        ranks, _ = _place(columns, has_kinds, rows)
        half, others = ranks[::2][:MAX_REFERENCE], ranks[1::2]
        far = float(np.quantile(_nearest(half, others), 1 - FAR_SHARE)) if len(others) else np.inf
        undecided = float(np.quantile(np.abs(answers - 0.5), NEAR_SHARE)) if are_chances and len(answers) else -1.0
        return cls(columns, has_kinds, half, far, undecided)

    def count(self, inputs: np.ndarray, answers: np.ndarray, previous: np.ndarray | None = None) -> dict[str, int]:
        """Count the rows (n, d) that have each mark.

        Args:
            inputs: the rows; NaN for missing, which is not conspicuous.
            answers: (n,) what the model answers.
            previous: (d,) the row that the same owner asked before; None without one.
        """
        return {name: int(values.sum()) for name, values in self.find(inputs, answers, previous).items()}

    def find(
        self, inputs: np.ndarray, answers: np.ndarray, previous: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """Return which rows have each mark: mark → (n,) bool."""
        rows = np.asarray(inputs, np.float64)
        ranks, strange = _place(self.columns, self.has_kinds, rows)
        before = np.vstack([rows[:1] if previous is None else previous[None], rows[:-1]])
        changes = ((rows != before) & ~(np.isnan(rows) & np.isnan(before))).sum(axis=1)
        return {
            "outside": strange >= min(MIN_STRANGE, rows.shape[1]),
            "far": _nearest(self.reference, ranks) > self.far,
            "undecided": np.abs(answers - 0.5) < self.undecided,
            "stepped": (changes >= 1) & (changes <= 2) & (rows.shape[1] > 4),
        }


def _place(
    columns: tuple[np.ndarray, ...], has_kinds: tuple[bool, ...], rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the rank of each value in its column, the middle of equal ones, and how many values of a row are strange.

    Returns:
        ranks: (n, d) float32 from 0 to 1; one half for missing values.
        strange: (n,) values beyond the extremes of their column, or none of its few values.
    """
    ranks, strange = np.full(rows.shape, 0.5, np.float32), np.zeros(len(rows), np.int64)
    missing = np.isnan(rows)
    for number, column in enumerate(columns):
        if not len(column):
            continue
        values = rows[:, number]
        left, right = column.searchsorted(values, "left"), column.searchsorted(values, "right")
        ranks[:, number] = (left + right) / (2 * len(column))
        is_strange = left == right if has_kinds[number] else (right == 0) | (left == len(column))
        strange += is_strange & ~missing[:, number]
    ranks[missing] = 0.5
    return ranks, strange


def _nearest(reference: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Compute the sum of the differences of ranks to the nearest reference row, (n,)."""
    nearest = np.empty(len(rows), np.float32)
    for place, row in enumerate(rows):
        nearest[place] = np.abs(reference - row).sum(axis=1).min(initial=np.inf)
    return nearest
