"""Fits a detector of unusual rows: principal components and an isolation forest on normal rows, then calibrated.

Few rows are not divided. Each of ``FOLDS`` blocks of them, in their order, is scored by a detector that is fitted to
the other blocks, and these scores calibrate the detector of all rows (cross-conformal prediction: V. Vovk, Annals of
Mathematics and Artificial Intelligence 74, 2015). Blocks, as neighbouring rows of one plant or host are alike: a random
division would compare each row with its neighbours.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from feature_repo.errors import InputError
from transforms.pure.anomaly.calibration import Calibration
from transforms.pure.anomaly.columns import FARTHEST, Columns
from transforms.pure.anomaly.isolation_forest import IsolationForest, average_depth
from transforms.pure.anomaly.pca import PCA
from transforms.pure.anomaly.rows import FAR, NEAR, RANKS, RowDetector, raw_scores
from transforms.pure.anomaly.tails import Tails

UNCALIBRATED = Calibration(np.zeros(2), 1.0, 0.0, 0)
FEWEST = 100
"""Minimum number of normal rows: a calibration needs as many scores."""
FOLDS = 5


def fit_rows(
    rows: Mapping[str, np.ndarray],
    others: Mapping[str, np.ndarray] | None = None,
    *,
    trees: int = 100,
    share: float = 0.9,
    seed: int = 0,
) -> RowDetector:
    """Fit a detector of rows that differ from normal ones.

    Args:
        rows: feature → (n,) numbers with NaN or objects with None, of normal rows, in the order of their times.
        others: the same features of later normal rows, used only for the calibration of the scores; without them, the
            rows calibrate each other, block by block.
        trees: number of trees of the isolation forest.
        share: share of the variance that the principal components explain.
        seed: random seed of the isolation forest.

    Raises:
        InputError: there are fewer than ``FEWEST`` rows.
    """
    _check(rows)
    detector = fit_parts(rows, trees=trees, share=share, seed=seed)
    score, tail = (
        held_out_scores(rows, trees=trees, share=share, seed=seed) if others is None else _scores(detector, others)
    )
    return replace(detector, calibration=Calibration.fit(score), far=Calibration.fit(tail))


def held_out_scores(
    rows: Mapping[str, np.ndarray], *, trees: int = 100, share: float = 0.9, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Score each block of normal rows by a detector of the other blocks; arguments as in ``fit_rows``.

    Returns:
        (n,) scores and (n,) largest tails, in the order of the rows.
    """
    scored = [
        _scores(
            fit_parts(
                {name: np.delete(values, block) for name, values in rows.items()}, trees=trees, share=share, seed=seed
            ),
            {name: values[block] for name, values in rows.items()},
        )
        for block in np.array_split(np.arange(_check(rows)), FOLDS)
    ]
    return np.concatenate([score for score, _ in scored]), np.concatenate([tail for _, tail in scored])


def fit_parts(rows: Mapping[str, np.ndarray], *, trees: int = 100, share: float = 0.9, seed: int = 0) -> RowDetector:
    """Fit the parts of a detector, without calibration: its p-values mean nothing; arguments as in ``fit_rows``."""
    columns = Columns.fit(rows)
    wide_matrix = columns.encode(rows, farthest=FAR)
    matrix = np.clip(wide_matrix, -FARTHEST, FARTHEST)
    pca = PCA.fit(np.clip(matrix, -NEAR, NEAR), share)
    forest = grow_forest(matrix, trees, seed)
    sorted_scores = np.sort(raw_scores(pca, forest, matrix), axis=0)
    last = len(matrix) - 1
    kept = np.unique(np.linspace(0, last, min(RANKS, len(matrix))).round().astype(int))
    return RowDetector(columns, pca, forest, Tails.fit(wide_matrix), sorted_scores[kept].T, UNCALIBRATED, UNCALIBRATED)


def _check(rows: Mapping[str, np.ndarray]) -> int:
    """Return the number of rows, if there are enough."""
    count = len(next(iter(rows.values()), ()))
    if count < FEWEST:
        raise InputError(
            expected=f"at least {FEWEST} normal rows",
            found=str(count),
            next_command="refrain build  (with more history)",
        )
    return count


def _scores(detector: RowDetector, rows: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return (n,) scores and (n,) largest tails of normal rows outside of the fit."""
    tails = detector.tails.each(detector.columns.encode(rows, farthest=FAR))
    return detector.score(rows).score, tails.max(axis=1)


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
