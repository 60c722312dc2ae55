"""Fits the linear models and the distances of ``transforms.pure.audio.vocabulary.scores``."""

from collections.abc import Sequence

import numpy as np

from transforms.pure.audio.vocabulary.scores import standardized

_SHRINKAGE = 0.3
_FAR = 0.98


def fit_softmax(
    inputs: np.ndarray, classes: np.ndarray, count: int, name: str, *, strength: float, priors: Sequence[float] = ()
) -> dict[str, np.ndarray]:
    """Fit multinomial logistic regression with a ridge, all classes of equal weight.

    Args:
        inputs: (n, inputs).
        classes: (n,) numbers of the classes, from 0; each of them occurs.
        count: number of classes.
        name: prefix of the arrays that are returned.
        strength: inverse of the ridge, ``C`` of scikit-learn.
        priors: (count,) how often the classes are among sounds that people have; alike if empty.

    Returns:
        The arrays that ``scores.probabilities`` takes.
    """
    from sklearn.linear_model import LogisticRegression

    weights = _standard(inputs, name)
    model = LogisticRegression(C=strength, class_weight="balanced", max_iter=3_000)
    model.fit(standardized(inputs, name, weights), classes)
    slopes, offsets = model.coef_, model.intercept_
    if count == 2:  # scikit-learn has one row for two classes
        slopes, offsets = np.vstack([-slopes, slopes]) / 2, np.concatenate([-offsets, offsets]) / 2
    if len(priors):
        offsets = offsets + np.log(np.array(priors) * count)
    return weights | {f"{name}_slopes": slopes.T, f"{name}_offsets": offsets}


def fit_distance(inputs: np.ndarray, name: str) -> dict[str, np.ndarray]:
    """Fit the distance of Mahalanobis, and that which 98 of 100 rows do not exceed.

    Args:
        inputs: (n, inputs).
        name: prefix of the arrays that are returned.

    Returns:
        The arrays that ``scores.strangeness`` takes.
    """
    weights = _standard(inputs, name)
    standard = (inputs - weights[f"{name}_mean"]) / weights[f"{name}_scale"]
    covariance = (1 - _SHRINKAGE) * (standard.T @ standard) / len(standard) + _SHRINKAGE * np.eye(inputs.shape[1])
    whitening = np.linalg.cholesky(np.linalg.inv(covariance))
    distances = np.linalg.norm(standard @ whitening, axis=1)
    return weights | {f"{name}_whitening": whitening, f"{name}_farthest": np.array([np.quantile(distances, _FAR)])}


def _standard(inputs: np.ndarray, name: str) -> dict[str, np.ndarray]:
    return {f"{name}_mean": inputs.mean(axis=0), f"{name}_scale": np.maximum(inputs.std(axis=0), 1e-3)}
