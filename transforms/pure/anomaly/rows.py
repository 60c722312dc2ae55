"""Anomaly scores of whole feature rows, relative to normal rows.

The score adds up T², Q and an isolation forest, each as its rank among normal rows, and the tail of the feature that
deviates most. No feature alone decides: values are clipped for T² and Q (winsorized: P. J. Huber, Robust statistics,
1981), and the tail counts up to ``MOST_OF_ONE``. Where normal rows drift, a word or a value that is new would otherwise
weigh more than all other features. What is far out in one feature is in the p-value, which is that of the score or of
the tail, whichever is smaller, twice (C. E. Bonferroni).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from transforms.pure import npz
from transforms.pure.anomaly.calibration import Calibration, either
from transforms.pure.anomaly.columns import FARTHEST, Columns
from transforms.pure.anomaly.isolation_forest import IsolationForest
from transforms.pure.anomaly.pca import PCA
from transforms.pure.anomaly.tails import Tails

PARTS = ("t2", "q", "forest", "tail")
NEAR = 3.0
"""Standard deviations at which values are clipped for T² and Q."""
MOST_OF_ONE = -float(np.log(0.01))
"""Largest part of the score that is of one feature: as of one normal value in a hundred."""
FAR = 1e6
"""Standard deviations at which values are clipped for the tails."""
RANKS = 2_000
"""Number of normal scores per part that a model keeps for ranking."""


@dataclass(frozen=True)
class RowScores:
    """The scores of n rows.

    Attributes:
        score: (n,) anomaly score, higher is more unusual.
        p_value: (n,) share of normal rows whose score is at least as high, or one feature of which is as far out.
        deviation: (n,) largest distance of a feature from its mean, in standard deviations.
        parts: (n, 4) -log of the rarity of each of ``PARTS``.
        causes: (n, f) share of each feature in T², Q and its own tail; adds up to 1.
    """

    score: np.ndarray
    p_value: np.ndarray
    deviation: np.ndarray
    parts: np.ndarray
    causes: np.ndarray


@dataclass(frozen=True)
class RowDetector:
    """A model of normal feature rows (fitted by ``training.models.anomaly.fit_rows``).

    Attributes:
        columns: encoding of rows as a matrix.
        pca: principal components of the matrix.
        forest: isolation forest of the matrix.
        tails: tails of each column of the matrix.
        normal: (3, k) ascending scores of normal rows for the first three of ``PARTS``.
        calibration: calibration of the sum of the parts, on normal rows that no other part was fitted to.
        far: calibration of the tail of the feature that deviates most, on the same rows; None in bundles of versions
            whose score contained that tail in full.
        near: standard deviations at which values are clipped for T² and Q.
    """

    columns: Columns
    pca: PCA
    forest: IsolationForest
    tails: Tails
    normal: np.ndarray
    calibration: Calibration
    far: Calibration | None
    near: float = NEAR

    def score(self, rows: Mapping[str, Sequence[Any] | np.ndarray]) -> RowScores:
        """Score feature → n values.

        Raises:
            InputError: a feature is missing; the message names it.
        """
        encoded = self.columns.encode(rows, farthest=FAR)
        matrix = np.clip(encoded, -FARTHEST, FARTHEST)
        column_tails = self.tails.each(encoded)
        largest = column_tails.max(axis=1)
        ranks = rank_tails(self.normal, raw_scores(self.pca, self.forest, matrix, self.near))
        parts = np.column_stack([ranks, largest if self.far is None else np.minimum(largest, MOST_OF_ONE)])
        score = parts.sum(axis=1)
        p_value = self.calibration.p_value(score)
        return RowScores(
            score,
            p_value if self.far is None else either(p_value, self.far.p_value(largest)),
            np.abs(encoded).max(axis=1),
            parts,
            self._causes(matrix, column_tails),
        )

    def _causes(self, matrix: np.ndarray, column_tails: np.ndarray) -> np.ndarray:
        medians = self.normal[:2, self.normal.shape[1] // 2]
        t2, q = self.pca.contributions(np.clip(matrix, -self.near, self.near))
        relative = np.maximum(t2, 0) / max(medians[0], 1e-9) + q / max(medians[1], 1e-9)
        return (self._shares(relative) + self._shares(column_tails)) / 2

    def _shares(self, contributions: np.ndarray) -> np.ndarray:
        """(n, f) share of each feature in the contributions (n, d) of the columns."""
        sums = np.zeros((len(contributions), len(self.columns.columns)))
        np.add.at(sums.T, self.columns.owners, contributions.T)
        return sums / np.maximum(sums.sum(axis=1, keepdims=True), 1e-12)

    def to_bytes(self) -> bytes:
        """Serialize for a bundle: one NumPy archive without pickles."""
        header = {
            "columns": self.columns.as_json(),
            "calibration": self.calibration.as_json(),
            "usual": self.forest.usual,
            "far": self.far.as_json() if self.far else None,
            "near": self.near,
        }
        forest = {f"forest_{name}": value for name, value in vars(self.forest).items() if name != "usual"}
        return npz.pack(
            {
                "told": np.frombuffer(json.dumps(header).encode(), np.uint8),
                "normal": self.normal,
                **{f"pca_{name}": value for name, value in asdict(self.pca).items()},
                **{f"tails_{name}": value for name, value in asdict(self.tails).items()},
                **forest,
            }
        )

    @classmethod
    def from_bytes(cls, content: bytes) -> "RowDetector":
        """Deserialize the bytes of ``to_bytes``."""
        arrays = npz.unpack(content)
        header = json.loads(arrays["told"].tobytes())
        fields = {
            kind: {k[len(kind) + 1 :]: v for k, v in arrays.items() if k.startswith(f"{kind}_")}
            for kind in ("pca", "forest", "tails")
        }
        return cls(
            Columns.from_json(header["columns"]),
            PCA(**fields["pca"]),
            IsolationForest(**fields["forest"], usual=float(header["usual"])),
            Tails(**fields["tails"]),
            arrays["normal"],
            Calibration.from_json(header["calibration"]),
            Calibration.from_json(header["far"]) if header.get("far") else None,
            float(header.get("near", FARTHEST)),
        )


def raw_scores(pca: PCA, forest: IsolationForest, matrix: np.ndarray, near: float = NEAR) -> np.ndarray:
    """(n, 3) scores of the three parts of rows (n, d), which are clipped at ``near`` for T² and Q."""
    return np.column_stack([*pca.score(np.clip(matrix, -near, near)), forest.score(matrix)])


def rank_tails(normal: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """(n, 3) -log of the share of normal scores (3, k) that are at least as high.

    Above the highest normal score all ranks are equal. There the logarithm of the ratio to the highest score is added,
    with a weight that keeps the order of ranks.
    """
    k = normal.shape[1]
    tails = np.empty(scores.shape)
    for part, (ordered, values) in enumerate(zip(normal, scores.T, strict=True)):
        share = (k - np.searchsorted(ordered, values, side="left") + 1) / (k + 1)
        excess = np.log(np.maximum(values, 1e-12) / max(ordered[-1], 1e-12))
        tails[:, part] = -np.log(share) + np.clip(excess, 0, 5)
    return tails
