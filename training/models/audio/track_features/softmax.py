"""Fits the linear models of ``transforms.pure.audio.vocabulary.scores``."""

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
        The arrays that ``scores.probabilities`` and ``scores.strangeness`` take.
    """
    from sklearn.linear_model import LogisticRegression

    weights = scale(inputs, name)
    model = LogisticRegression(C=strength, class_weight="balanced", max_iter=3_000)
    model.fit(standardized(inputs, name, weights), classes)
    slopes, offsets = model.coef_, model.intercept_
    if count == 2:  # scikit-learn has one row for two classes
        slopes, offsets = np.vstack([-slopes, slopes]) / 2, np.concatenate([-offsets, offsets]) / 2
    if len(priors):
        offsets = offsets + np.log(np.array(priors) * count)
    return weights | {f"{name}_slopes": slopes.T, f"{name}_offsets": offsets}


def scale(inputs: np.ndarray, name: str) -> dict[str, np.ndarray]:
    """Mean and spread of the inputs, and the distance that 98 of 100 of them do not exceed."""
    mean, spread = inputs.mean(axis=0), np.maximum(inputs.std(axis=0), 1e-3)
    standard = (inputs - mean) / spread
    covariance = (1 - _SHRINKAGE) * (standard.T @ standard) / len(standard) + _SHRINKAGE * np.eye(len(mean))
    whitening = np.linalg.cholesky(np.linalg.inv(covariance))
    distances = np.linalg.norm(standard @ whitening, axis=1)
    return {
        f"{name}_mean": mean,
        f"{name}_scale": spread,
        f"{name}_whitening": whitening,
        f"{name}_farthest": np.array([np.quantile(distances, _FAR)]),
    }
