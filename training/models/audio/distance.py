"""How far a sound is from those that were learned from: Mahalanobis distance, with a shrunk covariance.

Ledoit and Wolf, A well-conditioned estimator for large-dimensional covariance matrices (2004).
"""

import numpy as np

FAR = 0.98
"""Share of sounds, of artists that were left out, that are to count as known."""


def whitening(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (d,) of rows (n, d), and the matrix (d, d) after which all directions have the same spread."""
    from sklearn.covariance import LedoitWolf

    model = LedoitWolf().fit(rows)
    spread, directions = np.linalg.eigh(model.covariance_)
    return model.location_, directions / np.sqrt(np.maximum(spread, 1e-9) * rows.shape[1])


def distances(rows: np.ndarray, centre: np.ndarray, white: np.ndarray) -> np.ndarray:
    """(n,) from the mean; about 1 for what was learned from."""
    return np.asarray(np.sqrt((((rows - centre) @ white) ** 2).sum(axis=1)))


def farthest(rows: np.ndarray, folds: list[np.ndarray]) -> float:
    """Distance within which ``FAR`` of the rows lie, each seen by those of other folds."""
    found = np.zeros(len(rows))
    for fold in folds:
        found[fold] = distances(rows[fold], *whitening(np.delete(rows, fold, axis=0)))
    return float(np.quantile(found, FAR))
