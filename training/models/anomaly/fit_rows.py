"""Fit what is normal: principal components and an isolation forest on normal rows, calibrated on others of them."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from feature_repo.errors import InputError
from transforms.pure.anomaly.calibration import Calibration
from transforms.pure.anomaly.columns import FARTHEST, Columns
from transforms.pure.anomaly.isolation_forest import IsolationForest, average_depth
from transforms.pure.anomaly.pca import PCA
from transforms.pure.anomaly.rows import FAR, RANKS, RowDetector, raw_scores
from transforms.pure.anomaly.tails import Tails

UNCALIBRATED = Calibration(np.zeros(2), 1.0, 0.0, 0)
FEWEST = 400
"""Normal rows: a fit on fewer would say nothing of the tail."""


def fit_rows(
    rows: Mapping[str, np.ndarray],
    others: Mapping[str, np.ndarray],
    *,
    trees: int = 100,
    share: float = 0.9,
    seed: int = 0,
) -> RowDetector:
    """A detector of rows that are unlike these.

    Args:
        rows: feature → (n,) numbers with NaN or objects with None, of normal rows.
        others: likewise, of later normal rows; scores are calibrated on them, and nothing else.
        trees: of the forest.
        share: of the variance that the components hold.
        seed: of the forest.

    Raises:
        InputError: too few rows.
    """
    count = len(next(iter(rows.values()), ()))
    if count < FEWEST:
        raise InputError(
            expected=f"at least {FEWEST} normal rows",
            found=str(count),
            next_command="python -m transforms build  (with more history)",
        )
    columns = Columns.fit(rows)
    far = columns.encode(rows, farthest=FAR)
    matrix = np.clip(far, -FARTHEST, FARTHEST)
    pca = PCA.fit(matrix, share)
    forest = grow_forest(matrix, trees, seed)
    ordered = np.sort(raw_scores(pca, forest, matrix), axis=0)
    normal = ordered[np.unique(np.linspace(0, count - 1, min(RANKS, count)).round().astype(int))].T
    detector = RowDetector(columns, pca, forest, Tails.fit(far), normal, UNCALIBRATED)
    return replace(detector, calibration=Calibration.fit(detector.score(others).score))


def grow_forest(matrix: np.ndarray, trees: int, seed: int) -> IsolationForest:
    """An isolation forest of rows (n, d), grown by scikit-learn, as arrays."""
    from sklearn.ensemble import IsolationForest as Grown

    grown = Grown(n_estimators=trees, max_samples=min(256, len(matrix)), random_state=seed, n_jobs=1)
    grown.fit(matrix.astype(np.float32))
    most = max(tree.tree_.node_count for tree in grown.estimators_)
    shape = (trees, most)
    feature, left, right = (np.full(shape, fill, np.int32) for fill in (-1, 0, 0))
    threshold, depth = np.zeros(shape), np.zeros(shape)
    for number, (tree, columns) in enumerate(zip(grown.estimators_, grown.estimators_features_, strict=True)):
        found = tree.tree_
        nodes = slice(found.node_count)
        inner = found.children_left >= 0
        feature[number, nodes] = np.where(inner, columns[np.maximum(found.feature, 0)], -1)
        threshold[number, nodes] = found.threshold
        left[number, nodes], right[number, nodes] = (
            np.maximum(found.children_left, 0),
            np.maximum(found.children_right, 0),
        )
        depth[number, nodes] = _depths(found.children_left, found.children_right) + average_depth(found.n_node_samples)
    return IsolationForest(feature, threshold, left, right, depth, float(average_depth(grown.max_samples_)))


def _depths(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Cuts above each node; children come after their parents."""
    depth = np.zeros(len(left))
    for node in np.flatnonzero(left >= 0):
        depth[[left[node], right[node]]] = depth[node] + 1
    return depth
