"""Fits a detector of unusual rows: principal components and an isolation forest on normal rows, then calibrated."""

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
"""Minimum number of normal rows; fewer do not show the tail of their distribution."""


def fit_rows(
    rows: Mapping[str, np.ndarray],
    others: Mapping[str, np.ndarray],
    *,
    trees: int = 100,
    share: float = 0.9,
    seed: int = 0,
) -> RowDetector:
    """Fit a detector of rows that differ from normal ones.

    Args:
        rows: feature → (n,) numbers with NaN or objects with None, of normal rows.
        others: the same features of later normal rows, used only for the calibration of the scores.
        trees: number of trees of the isolation forest.
        share: share of the variance that the principal components explain.
        seed: random seed of the isolation forest.

    Raises:
        InputError: there are fewer than ``FEWEST`` rows.
    """
    count = len(next(iter(rows.values()), ()))
    if count < FEWEST:
        raise InputError(
            expected=f"at least {FEWEST} normal rows",
            found=str(count),
            next_command="refrain build  (with more history)",
        )
    columns = Columns.fit(rows)
    wide_matrix = columns.encode(rows, farthest=FAR)
    matrix = np.clip(wide_matrix, -FARTHEST, FARTHEST)
    pca = PCA.fit(matrix, share)
    forest = grow_forest(matrix, trees, seed)
    sorted_scores = np.sort(raw_scores(pca, forest, matrix), axis=0)
    score_quantiles = sorted_scores[np.unique(np.linspace(0, count - 1, min(RANKS, count)).round().astype(int))].T
    detector = RowDetector(columns, pca, forest, Tails.fit(wide_matrix), score_quantiles, UNCALIBRATED)
    return replace(detector, calibration=Calibration.fit(detector.score(others).score))


def grow_forest(matrix: np.ndarray, trees: int, seed: int) -> IsolationForest:
    """Grow an isolation forest on rows (n, d) by scikit-learn; return it as arrays."""
    from sklearn.ensemble import IsolationForest as SklearnForest

    forest = SklearnForest(n_estimators=trees, max_samples=min(256, len(matrix)), random_state=seed, n_jobs=1)
    forest.fit(matrix.astype(np.float32))
    most_nodes = max(estimator.tree_.node_count for estimator in forest.estimators_)
    shape = (trees, most_nodes)
    feature, left, right = (np.full(shape, fill, np.int32) for fill in (-1, 0, 0))
    threshold, depth = np.zeros(shape), np.zeros(shape)
    for tree_number, (estimator, columns) in enumerate(
        zip(forest.estimators_, forest.estimators_features_, strict=True)
    ):
        tree = estimator.tree_
        node_slice = slice(tree.node_count)
        is_split = tree.children_left >= 0
        feature[tree_number, node_slice] = np.where(is_split, columns[np.maximum(tree.feature, 0)], -1)
        threshold[tree_number, node_slice] = tree.threshold
        left[tree_number, node_slice], right[tree_number, node_slice] = (
            np.maximum(tree.children_left, 0),
            np.maximum(tree.children_right, 0),
        )
        depth[tree_number, node_slice] = _depths(tree.children_left, tree.children_right) + average_depth(
            tree.n_node_samples
        )
    return IsolationForest(feature, threshold, left, right, depth, float(average_depth(forest.max_samples_)))


def _depths(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the number of splits above each node; children come after their parents."""
    depth = np.zeros(len(left))
    for node in np.flatnonzero(left >= 0):
        depth[[left[node], right[node]]] = depth[node] + 1
    return depth
