"""How soon random cuts set a row apart from the others: an isolation forest as arrays, scored by numpy.

F. T. Liu, K. M. Ting, Z.-H. Zhou, Isolation forest, ICDM 2008. Trees grow in ``training.models.anomaly``.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class IsolationForest:
    """t trees of at most m nodes; node 0 is the root.

    Attributes:
        feature: (t, m) column that a node looks at; -1 for a leaf.
        threshold: (t, m) not above it goes left.
        left: (t, m) node.
        right: (t, m) node.
        depth: (t, m) of a leaf: cuts so far, and those that its rows would still need.
        usual: depth of a row in a tree that is as random as it can be.
    """

    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    depth: np.ndarray
    usual: float

    def score(self, rows: np.ndarray) -> np.ndarray:
        """(n,) in (0, 1), high for rows that are soon alone, from (n, d); compared as float32, as they were grown."""
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
            down = np.where(goes_left, self.left[trees, node], self.right[trees, node])
            node = np.where(inner, down, node)
        return 2.0 ** (-self.depth[trees, node].mean(axis=1) / self.usual)


def average_depth(rows: np.ndarray | float) -> np.ndarray:
    """Mean depth of an unsuccessful search in a binary tree of so many rows, which a leaf's rows would still need."""
    rows = np.asarray(rows, np.float64)
    many = np.maximum(rows - 1, 1)
    return np.where(rows > 2, 2 * (np.log(many) + np.euler_gamma) - 2 * many / np.maximum(rows, 1), (rows == 2) * 1.0)
