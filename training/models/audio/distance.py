"""Distance of a sound from the training sounds: Mahalanobis distance with a shrunk covariance.

Ledoit and Wolf, A well-conditioned estimator for large-dimensional covariance matrices (2004).
"""

import numpy as np

FAR = 0.98
"""Share of the sounds of left-out artists that count as known."""


def whitening(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean (d,) of rows (n, d), and the matrix (d, d) that gives all directions the same spread."""
    from sklearn.covariance import LedoitWolf

    model = LedoitWolf().fit(rows)
    spread, directions = np.linalg.eigh(model.covariance_)
    return model.location_, directions / np.sqrt(np.maximum(spread, 1e-9) * rows.shape[1])


def distances(rows: np.ndarray, centre: np.ndarray, white: np.ndarray) -> np.ndarray:
    """Return (n,) distances from the mean; about 1 for the training sounds."""
    return np.asarray(np.sqrt((((rows - centre) @ white) ** 2).sum(axis=1)))


def farthest(rows: np.ndarray, folds: list[np.ndarray]) -> float:
    """Return the distance within which ``FAR`` of the rows lie, each measured from the rows of other folds."""
    row_distances = np.zeros(len(rows))
    for fold in folds:
        row_distances[fold] = distances(rows[fold], *whitening(np.delete(rows, fold, axis=0)))
    return float(np.quantile(row_distances, FAR))
