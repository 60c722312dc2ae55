"""Whole feature rows, scored by what is normal.

T², Q and an isolation forest, each by its rank among normal rows, and the tail of the one feature that lies farthest
out.
"""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from transforms.pure.anomaly.calibration import Calibration
from transforms.pure.anomaly.columns import FARTHEST, Columns
from transforms.pure.anomaly.isolation_forest import IsolationForest
from transforms.pure.anomaly.pca import PCA
from transforms.pure.anomaly.tails import Tails

PARTS = ("t2", "q", "forest", "tail")
FAR = 1e6
"""Standard deviations, of what tails are told."""
RANKS = 2_000
"""Normal scores that are kept of each part to rank others among."""


@dataclass(frozen=True)
class RowScores:
    """What was found of n rows.

    Attributes:
        score: (n,) higher is more unusual.
        p_value: (n,) share of normal rows that score at least as high.
        deviation: (n,) standard deviations that the farthest feature lies from its mean.
        parts: (n, 4) -log of how rare each of ``PARTS`` is.
        causes: (n, f) share of each feature in T², Q and its own tail; adds up to 1.
    """

    score: np.ndarray
    p_value: np.ndarray
    deviation: np.ndarray
    parts: np.ndarray
    causes: np.ndarray


@dataclass(frozen=True)
class RowDetector:
    """What was fitted to normal rows (``training.models.anomaly.fit_rows``).

    Attributes:
        columns: how rows become a matrix.
        pca: of them.
        forest: of them.
        tails: of each of its columns.
        normal: (3, k) ascending scores of normal rows for the first three of ``PARTS``.
        calibration: of the sum of the parts, on normal rows that nothing else was fitted to.
    """

    columns: Columns
    pca: PCA
    forest: IsolationForest
    tails: Tails
    normal: np.ndarray
    calibration: Calibration

    def score(self, rows: Mapping[str, Sequence[Any] | np.ndarray]) -> RowScores:
        """Score feature → n values.

        Raises:
            InputError: a feature is not there; it is named.
        """
        far = self.columns.encode(rows, farthest=FAR)
        matrix = np.clip(far, -FARTHEST, FARTHEST)
        each = self.tails.each(far)
        parts = np.column_stack([rank_tails(self.normal, raw_scores(self.pca, self.forest, matrix)), each.max(axis=1)])
        score = parts.sum(axis=1)
        return RowScores(
            score, self.calibration.p_value(score), np.abs(far).max(axis=1), parts, self._causes(matrix, each)
        )

    def _causes(self, matrix: np.ndarray, each: np.ndarray) -> np.ndarray:
        middle = self.normal[:2, self.normal.shape[1] // 2]
        t2, q = self.pca.contributions(matrix)
        both = np.maximum(t2, 0) / max(middle[0], 1e-9) + q / max(middle[1], 1e-9)
        return (self._shares(both) + self._shares(each)) / 2

    def _shares(self, added: np.ndarray) -> np.ndarray:
        """(n, f) share of each feature in what the columns (n, d) add."""
        found = np.zeros((len(added), len(self.columns.columns)))
        np.add.at(found.T, self.columns.owners, added.T)
        return found / np.maximum(found.sum(axis=1, keepdims=True), 1e-12)

    def to_bytes(self) -> bytes:
        """For a bundle: one NumPy archive without pickles."""
        told = {
            "columns": self.columns.as_json(),
            "calibration": self.calibration.as_json(),
            "usual": self.forest.usual,
        }
        forest = {f"forest_{name}": value for name, value in vars(self.forest).items() if name != "usual"}
        packed = io.BytesIO()
        np.savez_compressed(
            packed,
            allow_pickle=False,
            told=np.frombuffer(json.dumps(told).encode(), np.uint8),
            normal=self.normal,
            **{f"pca_{name}": value for name, value in asdict(self.pca).items()},
            **{f"tails_{name}": value for name, value in asdict(self.tails).items()},
            **forest,
        )
        return packed.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> "RowDetector":
        """From ``to_bytes``."""
        with np.load(io.BytesIO(content), allow_pickle=False) as found:
            arrays = dict(found)
        told = json.loads(arrays["told"].tobytes())
        of = {
            kind: {k[len(kind) + 1 :]: v for k, v in arrays.items() if k.startswith(f"{kind}_")}
            for kind in ("pca", "forest", "tails")
        }
        return cls(
            Columns.from_json(told["columns"]),
            PCA(**of["pca"]),
            IsolationForest(**of["forest"], usual=float(told["usual"])),
            Tails(**of["tails"]),
            arrays["normal"],
            Calibration.from_json(told["calibration"]),
        )


def raw_scores(pca: PCA, forest: IsolationForest, matrix: np.ndarray) -> np.ndarray:
    """(n, 3) scores of the three parts of rows (n, d)."""
    return np.column_stack([*pca.score(matrix), forest.score(matrix)])


def rank_tails(normal: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """(n, 3) -log of the share of normal scores (3, k) that are at least as high.

    Beyond the highest normal score the rank says no more; the logarithm of how much higher it is then decides, at a
    weight that changes no order among ranks.
    """
    k = normal.shape[1]
    found = np.empty(scores.shape)
    for part, (ordered, values) in enumerate(zip(normal, scores.T, strict=True)):
        share = (k - np.searchsorted(ordered, values, side="left") + 1) / (k + 1)
        further = np.log(np.maximum(values, 1e-12) / max(ordered[-1], 1e-12))
        found[:, part] = -np.log(share) + np.clip(further, 0, 5)
    return found
