"""An isolation forest as arrays, scored by numpy: rows that few random cuts isolate are unusual.

F. T. Liu, K. M. Ting, Z.-H. Zhou, Isolation forest, ICDM 2008. Trees grow in ``training.models.anomaly``.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class IsolationForest:
    """t trees of at most m nodes; node 0 is the root.

    Attributes:
        feature: (t, m) column that a node compares; -1 for a leaf.
        threshold: (t, m) largest value that goes left.
        left: (t, m) left child.
        right: (t, m) right child.
        depth: (t, m) depth of a leaf, plus the expected depth of a further tree of its rows.
        usual: expected depth of a row in a random tree.
    """

    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    depth: np.ndarray
    usual: float

    def score(self, rows: np.ndarray) -> np.ndarray:
        """Scores (n,) of rows (n, d), in (0, 1), higher is more unusual; compares float32 values as in training."""
        rows = rows.astype(np.float32)
        trees = np.arange(len(self.feature))
        node = np.zeros((len(rows), len(trees)), np.int64)
        row = np.arange(len(rows))[:, None]
        while True:
            feature = self.feature[trees, node]
            inner = feature >= 0
            if not inner.any():
                break
            goes_left = rows[row, np.maximum(feature, 0)] <= self.threshold[trees, node]
            child = np.where(goes_left, self.left[trees, node], self.right[trees, node])
            node = np.where(inner, child, node)
        return 2.0 ** (-self.depth[trees, node].mean(axis=1) / self.usual)


def average_depth(rows: np.ndarray | float) -> np.ndarray:
    """Mean depth of an unsuccessful search in a binary search tree of a number of rows."""
    rows = np.asarray(rows, np.float64)
    others = np.maximum(rows - 1, 1)
    return np.where(
        rows > 2, 2 * (np.log(others) + np.euler_gamma) - 2 * others / np.maximum(rows, 1), (rows == 2) * 1.0
    )
