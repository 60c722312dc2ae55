"""Fit what is normal: principal components and an isolation forest on normal rows, calibrated on others of them."""

from collections.abc import Mapping

import numpy as np

from feature_repo.errors import InputError
from transforms.anomaly.calibration import Calibration
from transforms.anomaly.columns import Columns
from transforms.anomaly.isolation_forest import IsolationForest, average_depth
from transforms.anomaly.pca import PCA
from transforms.anomaly.rows import RANKS, RowDetector, rank_tails, raw_scores

FEWEST = 400
"""Normal rows: a fit on fewer would say nothing of the tail."""


def fit_rows(
    rows: Mapping[str, np.ndarray], *, trees: int = 200, calibrate: float = 0.3, share: float = 0.9, seed: int = 0
) -> RowDetector:
    """A detector of rows that are unlike these.

    Args:
        rows: feature → (n,) numbers with NaN or objects with None, of normal rows in the order of time.
        trees: of the forest.
        calibrate: the newest share of the rows is only calibrated on.
        share: of the variance that the components hold.
        seed: of the forest.

    Raises:
        InputError: too few rows.
    """
    count = len(next(iter(rows.values())))
    if count < FEWEST:
        raise InputError(
            expected=f"at least {FEWEST} normal rows",
            found=str(count),
            next_command="python -m transforms build  (with more history)",
        )
    older = int(count * (1 - calibrate))
    columns = Columns.fit({name: values[:older] for name, values in rows.items()})
    matrix = columns.encode(rows)
    pca = PCA.fit(matrix[:older], share)
    forest = grow_forest(matrix[:older], trees, seed)
    scores = raw_scores(pca, forest, matrix)
    ordered = np.sort(scores[:older], axis=0)
    normal = ordered[np.unique(np.linspace(0, older - 1, min(RANKS, older)).round().astype(int))].T
    calibration = Calibration.fit(rank_tails(normal, scores[older:]).sum(axis=1))
    return RowDetector(columns, pca, forest, normal, calibration)


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
