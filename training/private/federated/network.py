"""A small network for a chance: one hidden layer, or none (logistic regression), with its gradient in plain NumPy."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Network:
    """The shape of a network; its weights are one vector.

    Attributes:
        width: number of features.
        hidden: number of hidden units with rectified linear activation; 0 for logistic regression.

    >>> Network(3, 0).size, Network(3, 4).size
    (4, 21)
    """

    width: int
    hidden: int = 0

    @property
    def size(self) -> int:
        """Number of weights."""
        return self.width + 1 if not self.hidden else self.hidden * (self.width + 2) + 1

    def initial(self, seed: int) -> np.ndarray:
        """(size,) first weights: zeros of a logistic regression, else by He et al. (2015)."""
        if not self.hidden:
            return np.zeros(self.size)
        rng = np.random.default_rng(seed)
        first = rng.normal(0, np.sqrt(2 / max(self.width, 1)), self.hidden * self.width)
        second = rng.normal(0, np.sqrt(1 / self.hidden), self.hidden)
        return np.concatenate([first, np.zeros(self.hidden), second, [0.0]])

    def chances(self, weights: np.ndarray, features: np.ndarray) -> np.ndarray:
        """(n,) chance of each row of (n, width) features."""
        return _sigmoid(self._scores(weights, features)[0])

    def gradient(self, weights: np.ndarray, features: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """(size,) gradient of the mean log loss of rows."""
        scores, active = self._scores(weights, features)
        errors = (_sigmoid(scores) - labels) / max(len(labels), 1)
        if not self.hidden:
            return np.append(errors @ features, errors.sum())
        second = weights[self.hidden * (self.width + 1) : -1]
        back = errors[:, None] * second * (active > 0)
        return np.concatenate([(back.T @ features).ravel(), back.sum(axis=0), errors @ active, [errors.sum()]])

    def log_loss(self, weights: np.ndarray, features: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """(n,) log loss of each row."""
        chances = np.clip(self.chances(weights, features), 1e-7, 1 - 1e-7)
        return -np.log(np.where(labels > 0.5, chances, 1 - chances))

    def _scores(self, weights: np.ndarray, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if not self.hidden:
            return features @ weights[:-1] + weights[-1], features
        units = self.hidden * self.width
        first, bias = weights[:units].reshape(self.hidden, self.width), weights[units : units + self.hidden]
        active = np.maximum(features @ first.T + bias, 0.0)
        return active @ weights[units + self.hidden : -1] + weights[-1], active


def descend(
    network: Network,
    weights: np.ndarray,
    features: np.ndarray,
    labels: np.ndarray,
    *,
    epochs: int,
    rate: float,
    batch: int,
    proximal: float = 0.0,
    decay: float = 0.0,
    seed: int = 0,
) -> np.ndarray:
    """Weights after stochastic gradient descent from ``weights``.

    Args:
        network: the network.
        weights: (size,) weights to begin with.
        features: (n, width).
        labels: (n,) 0 or 1.
        epochs: passes through the rows.
        rate: step length.
        batch: rows of a step.
        proximal: μ of FedProx: pull to the weights of the beginning.
        decay: weight of the squared length of the weights.
        seed: seed of the order of the rows.
    """
    current, rng = weights.copy(), np.random.default_rng(seed)
    for _ in range(epochs):
        order = rng.permutation(len(labels))
        for first in range(0, len(order), batch):
            rows = order[first : first + batch]
            slope = network.gradient(current, features[rows], labels[rows]) + decay * current
            current -= rate * (slope + proximal * (current - weights))
    return current


def _sigmoid(scores: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-np.clip(scores, -40, 40))))
